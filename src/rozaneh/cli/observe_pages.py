"""``rozaneh observe serve`` and ``rozaneh observe publish``: the pages of a store."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from rozaneh.cli.options import Engine, Json, Lang, console, print_json, words
from rozaneh.words import mark

app = typer.Typer()

_Store = Annotated[Path, typer.Option("--store", metavar="DIR", help=mark("A store of measurements."))]


@app.command(
    "serve",
    help=mark("Show a store as pages, in a browser on this machine."),
    epilog=mark("Example: rozaneh observe serve --store autumn"),
)
def serve(
    *,
    store: _Store,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help=mark("Listen at this address; others can read it then."))
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help=mark("Port; 0 for any that is free."))] = 8090,
    engine: Engine = "duckdb",
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Serve until interrupted."""
    from rozaneh.observatory.dashboard.opening import Current  # noqa: PLC0415 - the engine is loaded where it is used
    from rozaneh.observatory.dashboard.serve import serve as answer  # noqa: PLC0415 - the same

    tongue, out = words(lang), console()
    current = Current(store, engine)

    def started(address: str) -> None:
        if as_json:
            print_json({"address": address})
        else:
            out.print(
                tongue.say("Open {address} in a browser. Ctrl-C ends it.", address=f"{address}{tongue.language}/")
            )

    def troubled(line: str) -> None:
        console(errors=True).print(tongue.say("The pages cannot be shown: {reason}", reason=line))

    answer(current, host, port, started, troubled)


@app.command(
    "publish",
    help=mark("Write a store as pages into a directory: for any host, a mirror or a USB stick."),
    epilog=mark("Example: rozaneh observe publish site --store autumn"),
)
def publish(
    place: Annotated[
        Path, typer.Argument(metavar="DIR", help=mark("Where to write; what was published there is replaced."))
    ],
    *,
    store: _Store,
    where: Annotated[
        str, typer.Option("--address", metavar="URL", help=mark("Where it will stand, for feeds and citations."))
    ] = "",
    engine: Engine = "duckdb",
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Write every page."""
    from rozaneh.observatory.dashboard.opening import open_site  # noqa: PLC0415 - the engine is loaded where it is used
    from rozaneh.observatory.dashboard.publish import publish as write  # noqa: PLC0415 - the same

    tongue, out = words(lang), console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    errors = console(errors=True)
    with Progress(*columns, console=errors, transient=True, disable=as_json or not errors.is_terminal) as bar:
        task = bar.add_task(tongue.say("Reading the store"), total=None)
        site = open_site(store, engine, where=where)
        bar.update(task, description=tongue.say("Writing pages"))
        files, size = write(site, place, lambda done, of: bar.update(task, completed=done, total=of))
    if as_json:
        print_json({"directory": str(place), "files": files, "bytes": size})
    else:
        out.print(tongue.say("{n} files, {size:.1f} MB, in {place}.", n=files, size=size / 1e6, place=str(place)))
        out.print(tongue.say("Open {page} in a browser.", page=str(place / "index.html")))
        if not where:
            out.print(tongue.say("Its citations name no address; --address URL gives them one."))

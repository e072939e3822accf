"""``rozaneh why``: why a host is reached in the way in which it is."""

import os
from pathlib import Path
from typing import Annotated

import anyio
import typer

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.cli.servers import WaysFile, WaysGiven, servers
from rozaneh.core import LocalFault, Target, TargetError
from rozaneh.finder import Finder, Memory, Refusal, Why
from rozaneh.finder.greeting import greeting
from rozaneh.finder.place import Here, read_salt
from rozaneh.gateway.because import because
from rozaneh.gateway.control import Question, ask
from rozaneh.gateway.given import state_folder
from rozaneh.gateway.stored import stored_ways
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import later, mark, text_of

_NO_DATA = 3

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=mark("Tell what was tried for a host, what was seen, and why it is reached in this way."),
    epilog=mark("A running gateway is asked; without one, or where it knows nothing, a fresh search is made now."),
)
def why(
    *,
    host: Annotated[str, typer.Argument(metavar="HOST|URL", help=mark("The host, or an address of a page."))],
    way: WaysGiven = None,
    ways_file: WaysFile = None,
    state: Annotated[Path | None, typer.Option(help=mark("The folder of the gateway to ask."))] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help=mark("Search anew, whatever the gateway knows."))] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask the gateway or search, and print."""
    tongue = words(lang)
    notes = console(errors=True)
    target = _target(host)
    folder = state or state_folder()
    answer = None if fresh else ask(folder, Question(ask="why", host=target.host))
    if answer is not None and answer.error:
        raise LocalFault(later("the gateway says: {error}", error=answer.error))
    known = answer.why if answer is not None else ()
    if not known:
        given = servers(way or [], ways_file, lambda text: notes.print(tongue.say("Note: {text}", text=text)))
        salt = read_salt(folder / "key") if os.access(folder / "key", os.R_OK) else b""
        network = RealNetwork()
        finder = Finder(
            network,
            ways=[*given, *stored_ways(folder, network, lambda _: None)],
            memory=Memory(),
            clock=clock_from_environment(),
            trust=Trust.system(),
            where=Here(salt),
            salt=salt,
        )
        known = anyio.run(_search, finder, target)
    if as_json:
        print_json(known)
    else:
        out = console()
        for one in known:
            for line in because(one, tongue):
                out.print(line)
    raise typer.Exit(0 if known else _NO_DATA)


async def _search(finder: Finder, target: Target) -> tuple[Why, ...]:
    made = await finder.connect(target, greeting(target))
    if not isinstance(made, Refusal):
        await anyio.aclose_forcefully(made.stream)
    return finder.why(target.host)


def _target(text: str) -> Target:
    try:
        return Target.parse(text if "://" in text else f"https://{text}")
    except TargetError as error:
        raise LocalFault(text_of(error)) from error

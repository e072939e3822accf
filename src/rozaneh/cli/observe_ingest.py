"""``rozaneh observe ingest | judge``: files of measurements become observations, and observations become verdicts."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rozaneh.cli.observe_events import say_too_large
from rozaneh.cli.options import Engine, Json, Lang, console, print_json, words
from rozaneh.observatory import ingest as reading
from rozaneh.observatory.dashboard.foreseen import foresee
from rozaneh.observatory.engine import check_engine
from rozaneh.observatory.judging import judge_all, judge_stale
from rozaneh.observatory.schema import QUARANTINE
from rozaneh.observatory.store import Store, check_store
from rozaneh.words import Words, mark

app = typer.Typer(no_args_is_help=True)

_FAILED = 1

StorePlace = Annotated[Path, typer.Option("--store", metavar="DIR", help=mark("The directory that holds all tables."))]


REASONS = {
    "impossible time": mark("They say that they began at an impossible time."),
    "no time": mark("They do not say when they began."),
    "not a measurement": mark("They are no measurements, or broken ones."),
    "too many days": mark("Their file spreads over too many days and countries."),
    "unreadable": mark("They are too long, or the file is broken there."),
}
"""Why lines are set aside."""


class _Ingested(msgspec.Struct, frozen=True):
    files: int
    skipped: int
    lines: int
    kept: int
    doubled: int
    rows: int
    rejected: dict[str, int]
    unread: list[str]
    verdicts: int
    events: int | None


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help=mark("Files, or directories of files."))],
    *,
    store: StorePlace,
    events: Annotated[
        bool, typer.Option("--events/--no-events", help=mark("Find the events again, from all that is in the store."))
    ] = True,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=256, help=mark("How many processes read files side by side."))
    ] = 1,
    engine: Engine = "duckdb",
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Read files of OONI's format, packed or not, into a store, and judge what is new. May be stopped and run again."""
    said = words(lang)
    check_engine(engine)  # before hours of reading
    now = dt.datetime.now(dt.UTC)
    size = sum(found.size for found in reading.inputs(paths))
    try:
        with Store(store) as opened:
            with _progress(DownloadColumn()) as progress:
                task = progress.add_task(said.say("reading"), total=size)
                found = reading.ingest(paths, opened, now, lambda read, _: progress.advance(task, read), jobs)
            verdicts = _judged(opened, said, engine, everything=False)
        number = _found_again(store, said, engine) if events else None
    except KeyboardInterrupt:
        console(errors=True).print(said.say("Stopped. The same command goes on; nothing is lost or counted twice."))
        raise
    if as_json:
        print_json(_Ingested(**msgspec.structs.asdict(found), verdicts=verdicts, events=number))
    else:
        _print_summary(found, verdicts, store, said)
        if number is not None:
            console().print(said.say_n("{n} event in the store.", "{n} events in the store.", number))
    if found.unread:
        raise typer.Exit(_FAILED)


def _found_again(store: Path, said: Words, engine: str) -> int:
    from rozaneh.observatory.events import renew  # noqa: PLC0415 - only where events are wanted

    with console(errors=True).status(said.say("finding events")):
        findings = renew(store, asked=engine)
    say_too_large(findings, said)
    return len(findings.found)


def _print_summary(found: reading.Summary, verdicts: int, store: Path, said: Words) -> None:
    out = console()
    out.print(
        said.say(
            "Files read: {files:,}; read before: {skipped:,}; lines: {lines:,}.",
            files=found.files,
            skipped=found.skipped,
            lines=found.lines,
        )
    )
    out.print(
        said.say(
            "New measurements: {kept:,}; there already: {doubled:,}; verdicts: {verdicts:,}.",
            kept=found.kept,
            doubled=found.doubled,
            verdicts=verdicts,
        )
    )
    for what in found.unread:
        console(errors=True).print(said.say("Not read: {what}", what=what))
    for reason, count in sorted(found.rejected.items()):
        out.print(said.say("Lines set aside: {count:,}. {reason}", count=count, reason=said.say(REASONS[reason])))
    if found.rejected:
        where = str(store / QUARANTINE)
        out.print(said.say("The tables in {place} name the file and the line of each that was set aside.", place=where))


@app.command()
def judge(*, store: StorePlace, engine: Engine = "duckdb", as_json: Json = False, lang: Lang = None) -> None:
    """Judge everything in a store again, by the rules of this version. The files it came from are not needed."""
    said = words(lang)
    check_engine(engine)
    check_store(store)
    with Store(store) as opened:
        verdicts = _judged(opened, said, engine, everything=True)
    if as_json:
        print_json({"verdicts": verdicts})
    else:
        console().print(said.say("Verdicts: {verdicts:,}.", verdicts=verdicts))
        again = f"rozaneh observe events --store {store}"
        console().print(said.say("The events are as they were; {command} finds them anew.", command=again))


def _judged(store: Store, said: Words, engine: str, *, everything: bool) -> int:
    with _progress(MofNCompleteColumn()) as progress:
        task = progress.add_task(said.say("judging"), total=None)
        run = judge_all if everything else judge_stale
        verdicts = run(store, lambda done, total: progress.update(task, completed=done, total=total), engine)
    with console(errors=True).status(said.say("looking for what may not be shown")):
        foresee(store.place)
    return verdicts


def _progress(column: DownloadColumn | MofNCompleteColumn) -> Progress:
    out = console(errors=True)
    columns = (TextColumn("{task.description}"), BarColumn(), column, TimeElapsedColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)

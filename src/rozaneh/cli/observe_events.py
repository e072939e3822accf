"""``rozaneh observe events``: what was done to a country's connections, and since when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rozaneh.cli.options import Engine, Json, Lang, console, country_code, print_json, words
from rozaneh.core import LocalFault
from rozaneh.words import Words, later, mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rozaneh.observatory.events import Found
    from rozaneh.observatory.events.on_store import StoreFindings
    from rozaneh.observatory.signals import Reading
    from rozaneh.observatory.signals.signal import Signal

app = typer.Typer()

_TOO_LITTLE = 3
_SHOWN = 5


@app.command("events", help=mark("Find outages, curfews and blocks in a store or in a file of signals."))
def events(
    *,
    store: Annotated[Path | None, typer.Option("--store", metavar="DIR", help=mark("A store of measurements."))] = None,
    signal: Annotated[
        list[Path] | None,
        typer.Option("--signal", metavar="FILE", help=mark("CSV or JSON with a column of times; repeatable.")),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME", help=mark("A column of numbers; repeatable. Guessed without.")),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="NAME", help=mark("The column of times. Guessed without."))
    ] = None,
    country: Annotated[
        str | None, typer.Option("--country", metavar="CC", help=mark("The country, where the file does not tell."))
    ] = None,
    pipeline_changed: Annotated[
        list[str] | None,
        typer.Option(
            "--pipeline-changed",
            metavar="TIME",
            help=mark("When the measuring itself changed: no event begins there on one signal alone. Repeatable."),
        ),
    ] = None,
    engine: Engine = "duckdb",
    evidence: Annotated[bool, typer.Option("--evidence", help=mark("With --json: the evidence too."))] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Find events, and print them with what they rest on."""
    from rozaneh.observatory.events import signal_events  # noqa: PLC0415 - numpy is loaded where it is used
    from rozaneh.observatory.signals import read_signals  # noqa: PLC0415 - as above

    tongue = words(lang)
    if store is None and not signal:
        raise LocalFault(later("give --store DIR, --signal FILE, or both"))
    marks = [_moment(text) for text in pipeline_changed or ()]
    place = country_code(country)
    readings = [(path, read_signals(path, column or (), time=time, country=place)) for path in signal or ()]
    for path, reading in readings:
        _say_reading(path, reading, tongue)
    signals = [each for _, reading in readings for each in reading.signals]
    if store is not None:
        _of_store(store, (signals, marks, engine), tongue, evidence=evidence, as_json=as_json)
        return
    findings = signal_events(signals, marks=marks)
    errors = console(errors=True)
    for name, days, wanted in findings.short:
        errors.print(
            tongue.say(
                "Not enough: {signal} has {days} days or weeks of history; {wanted} are needed.",
                signal=name,
                days=days,
                wanted=wanted,
            )
        )
    _print(findings.found, tongue, evidence=evidence, as_json=as_json)
    if not findings.found and not findings.heard:
        raise typer.Exit(_TOO_LITTLE)


def _of_store(
    store: Path,
    asked: "tuple[Sequence[Signal], Sequence[datetime], str]",
    tongue: Words,
    *,
    evidence: bool,
    as_json: bool,
) -> None:
    """Find the events of a store, keep them in it, and print them; what is not claimed goes to standard error."""
    from rozaneh.observatory.events import renew  # noqa: PLC0415 - as above
    from rozaneh.observatory.events.sentences import withheld_line  # noqa: PLC0415 - as above

    findings = renew(store, *asked)
    errors = console(errors=True)
    for name in findings.short:
        errors.print(tongue.say("Not enough: {name} has too little history.", name=name))
    say_too_large(findings, tongue)
    for withheld in findings.withheld:
        errors.print(withheld_line(withheld, tongue))
    _print(findings.found, tongue, evidence=evidence, as_json=as_json)
    if not findings.found and not findings.heard:
        raise typer.Exit(_TOO_LITTLE)


def say_too_large(findings: "StoreFindings", tongue: Words) -> None:
    """Which countries were not looked at, on standard error."""
    for large in findings.too_large:
        console(errors=True).print(
            tongue.say(
                "Not looked at: {country}, with {series} services on networks over {days} days, is more than "
                "the memory of this machine holds. Put fewer years into one store.",
                country=large.country,
                series=large.series,
                days=large.days,
            )
        )


def _print(found: "Sequence[Found]", tongue: Words, *, evidence: bool, as_json: bool) -> None:
    from rozaneh.observatory.events.sentences import event_lines  # noqa: PLC0415 - as above

    if as_json:
        print_json(found if evidence else [each.event for each in found])
        return
    out = console()
    for each in found:
        first, *rest = event_lines(each, tongue)
        out.print(first, style="bold")
        for line in rest:
            out.print(f"  {line}")
        out.print()
    out.print(tongue.say_n("{n} event.", "{n} events.", len(found)))


def _say_reading(path: Path, reading: "Reading", tongue: Words) -> None:
    """What was guessed, what was set aside and what came twice; on standard error, beside the result."""
    out = console(errors=True)
    columns = ", ".join(reading.columns)
    if reading.guessed:
        out.print(
            tongue.say(
                "{file}: guessed the times in {time} ({zone}) and the series in {columns}.",
                file=path.name,
                time=reading.time,
                zone=reading.zone,
                columns=columns,
            )
        )
    for rejected in reading.rejected[:_SHOWN]:
        out.print(
            tongue.say(
                "{file}, line {line}: set aside: {reason}",
                file=path.name,
                line=str(rejected.line),
                reason=rejected.reason,
            )
        )
    if reading.set_aside > _SHOWN:
        out.print(tongue.say("{file}: {n} rows were set aside in all.", file=path.name, n=reading.set_aside))
    if reading.doubled:
        out.print(
            tongue.say(
                "{file}: {n} rows give another value for the same time; the largest counts.",
                file=path.name,
                n=reading.doubled,
            )
        )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LocalFault(
            later("--pipeline-changed {text!r} is no time: expected ISO 8601, as in 2022-09-21T15:50", text=text)
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

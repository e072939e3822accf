"""``rozaneh observe verdicts``: what was judged of single measurements, as a whole or layer by layer."""

from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from rozaneh.cli.options import Json, Lang, console, country_code, print_json, words
from rozaneh.core import LocalFault
from rozaneh.diagnosis import Mechanism, Outcome
from rozaneh.diagnosis.sentences import HOW, STATE
from rozaneh.observatory.damage import all_told
from rozaneh.observatory.events.sentences import mechanism_of
from rozaneh.observatory.listing import Asked, listed, plain, write
from rozaneh.observatory.names import network_name
from rozaneh.words import Said, Words, later, mark

app = typer.Typer()

_TOO_LITTLE = 3
_WHOLE = mark("{time} UTC, {network}, {domain}: {verdict}.")
_LAYER = mark("{time} UTC, {network}, {domain}, {layer}: {verdict}.")
_BY = mark("How sure: {sure:.0%}. Rule: {rule}.")
_OONI = mark("OONI's own result: {classic}.")


@app.command(
    "verdicts",
    help=mark("What was judged of single measurements, as a whole or layer by layer."),
    epilog=mark("Example: rozaneh observe verdicts --store autumn --layers --domain example.com"),
)
def verdicts(
    *,
    store: Annotated[Path, typer.Option("--store", metavar="DIR", help=mark("A store of measurements."))],
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help=mark("A verdict for each layer that was seen, judged now from the observations.")
        ),
    ] = False,
    country: Annotated[
        str | None, typer.Option("--country", metavar="CC", help=mark("Of this country alone, by its two letters."))
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DAY", help=mark("From this day on, as 2022-09-21, UTC."))
    ] = "",
    until: Annotated[str, typer.Option("--until", metavar="DAY", help=mark("Up to this day, UTC."))] = "",
    asn: Annotated[
        int | None,
        typer.Option("--asn", min=1, max=2**32 - 1, metavar="NUMBER", help=mark("Of this autonomous system alone.")),
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="NAME", help=mark("Of this name or address alone."))
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=1, max=1_000_000, help=mark("Print no more rows than that. A file gets all of them.")
        ),
    ] = 100,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=mark("Write all rows to this .parquet or .csv file."))
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Print rows, or write them."""
    tongue = words(lang)
    asked = Asked(
        country=country_code(country),
        first=_day(since) or date.min,
        last=_day(until) or date.max,
        asn=asn,
        domain=domain and _name(domain),
        layers=layers,
    )
    if asked.first > asked.last:
        raise LocalFault(
            later("--since {first} is after --until {last}: there is no such day", first=asked.first, last=asked.last)
        )
    tables = all_told(store, listed(store, asked))
    if out is not None:
        number = write(out, tables, asked.kind)
        if as_json:
            print_json({"rows": number, "file": str(out)})
        else:
            console().print(tongue.say_n("{n} row in {place}.", "{n} rows in {place}.", number, place=str(out)))
    else:
        rows = list(islice((row for table in tables for row in plain(table)), limit))
        number = len(rows)
        if as_json:
            print_json(rows)
        else:
            _print(rows, tongue, layers=layers)
    if not number:
        raise typer.Exit(_TOO_LITTLE)


def _print(rows: list[dict[str, Any]], tongue: Words, *, layers: bool) -> None:
    out = console()
    if not rows:
        out.print(tongue.say("The store has no such rows."))
    for row in rows:
        line = tongue.say(
            _LAYER if layers else _WHOLE,
            time=f"{row['time']:%Y-%m-%d %H:%M}",
            network=network_name(row["country"], f"AS{row['asn']}", tongue),
            domain=row["domain"],
            layer=row.get("layer", ""),
            verdict=_verdict(row, tongue),
        )
        by = [tongue.say(_BY, sure=row["confidence"], rule=row["rule"])] if row["rule"] else []
        if classic := row["classic" if layers else "classic_blocking"]:
            by.append(tongue.say(_OONI, classic=classic))
        out.print(" ".join([line, *by]))


def _verdict(row: dict[str, Any], tongue: Words) -> Said:
    """What is the matter, in words; and how, where that is known."""
    state = tongue.say(STATE.get(row["verdict"], STATE[Outcome.CANNOT_TELL]))
    how = mechanism_of(row["mechanism"])
    if how in (Mechanism.NONE, Mechanism.UNKNOWN):
        return state
    # Of anything but a block the one says what the other does.
    return Said(f"{state} ({tongue.say(HOW[how])})") if row["verdict"] == Outcome.BLOCKED else tongue.say(HOW[how])


def _name(text: str) -> str:
    if not text.isprintable():  # what is no UTF-8 on a command line comes as halves of characters
        raise LocalFault(later("not a name: {text!r}", text=text[:80]))
    return text.lower()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise LocalFault(later("not a day: {text!r}; write it as 2022-09-21", text=text[:40])) from None

"""``rozaneh lab country``: a country of simulated people who measure, with the truth beside what they send."""

from pathlib import Path
from typing import Annotated

import typer

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.core import LocalFault
from rozaneh.words import later, mark

app = typer.Typer()

_LARGEST = 64 << 20


@app.command(
    "country", help=mark("Simulate people who measure through a timeline of censorship, with the truth beside.")
)
def country(
    *,
    timeline: Annotated[
        str,
        typer.Option("--timeline", metavar="FILE|NAME", help=mark("What happens: a file, or the name of one of ours.")),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help=mark("A new folder for measurements and labels.json."))
    ],
    seed: Annotated[int, typer.Option("--seed", help=mark("Of everything that is drawn by chance."))] = 0,
    people: Annotated[
        int | None, typer.Option("--people", min=1, max=10_000_000, help=mark("How many people measure."))
    ] = None,
    per_hour: Annotated[
        float | None, typer.Option("--per-hour", min=0.01, max=1e6, help=mark("Measurements in an usual hour."))
    ] = None,
    page_bytes: Annotated[
        int, typer.Option("--page-bytes", min=0, max=2_000_000, help=mark("Mean size of the pages in measurements."))
    ] = 0,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Play a timeline and write what its people would send."""
    from rozaneh.lab.country import load_timeline, simulate  # noqa: PLC0415 - the lab is imported where it is used

    said = words(lang)
    if people is not None and per_hour is not None:
        raise LocalFault(later("give either --people or --per-hour"))
    errors = console(errors=True)
    read = load_timeline(timeline)
    with errors.status(said.say("playing {name}", name=read.name)):
        made = simulate(read, out, seed=seed, people=people, per_hour=per_hour, mean_bytes=page_bytes)
    if as_json:
        print_json(made)
        return
    show = console()
    show.print(
        said.say(
            "{n} measurements in {files} files, {size:.1f} MB before packing, in {folder}.",
            n=made.measurements,
            files=made.files,
            size=made.size / 1e6,
            folder=made.folder,
        )
    )
    show.print(said.say("What really happened stands in {file}.", file=f"{made.folder}/labels.json"))
    if read.void:
        show.print(said.say("Left out: {void}.", void=read.void))


@app.command("score", help=mark("How right events are: hold them against what a simulated country's labels.json says."))
def score(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help=mark("The labels.json of a simulated country."))],
    events: Annotated[
        Path, typer.Argument(metavar="EVENTS", help=mark("What 'rozaneh observe events --json' printed."))
    ],
    *,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Print, for each kind of event, how much was found and how much of what was told is right."""
    from rozaneh.lab.country import read_events, read_labels, score  # noqa: PLC0415 - as above

    said = words(lang)
    found = score(read_labels(_bytes(labels), labels.name), read_events(_bytes(events), events.name))
    if as_json:
        print_json(found)
        return
    out = console()
    for each in found:
        out.print(
            said.say(
                "{kind}: {found} of {done} found; {right} of {told} events right; {within} begin within 6 hours.",
                kind=each.kind,
                found=each.found,
                done=each.done,
                right=each.right,
                told=each.told,
                within=each.within,
            )
        )
        if each.kind == "curfew" and each.found:
            out.print(
                said.say("The hours are right to one hour in {n} of {found}.", n=each.hours_right, found=each.found)
            )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise LocalFault(later("cannot read {path}: {why}", path=path, why=error.strerror)) from None
    if len(data) > _LARGEST:
        raise LocalFault(later("{path}: larger than {largest} bytes", path=path, largest=_LARGEST))
    return data

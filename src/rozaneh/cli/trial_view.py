"""``rozaneh lab matrix --through-gateway``: the whole gateway in every scenario, and how it is shown."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import anyio
import msgspec
from rich.table import Table

from rozaneh.cli.options import console, print_json
from rozaneh.core import LocalFault
from rozaneh.lab.lab import Lab
from rozaneh.lab.matrix import Cell, Way, choose_ways
from rozaneh.trial import Trial, Tried, questions, run
from rozaneh.words import Words, later

_HAS_UVLOOP = find_spec("uvloop") is not None


def try_gateway(cells: Sequence[Cell], lab: Lab, ways: Sequence[Way], update: Callable[..., None]) -> Trial:
    """Ask the gateway what the cells of a matrix ask single ways."""

    def report(done: int, total: int) -> None:
        update(completed=done, total=total)

    job = partial(run, questions(cells), lab, ways or choose_ways(), progress=report)
    return anyio.run(job, backend_options={"use_uvloop": _HAS_UVLOOP})


def write_trial(trial: Trial, json_file: str | None, words: Words) -> None:
    """Print the table, or write the cells where they were asked for.

    Args:
        trial: the answers.
        json_file: a path; ``-`` is the output; none prints the table alone.
        words: the language.
    """
    if json_file == "-":
        print_json(trial.cells)
        return
    if json_file is not None:
        write_json(Path(json_file), trial.cells)
    out = console()
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    say = words.say
    for title in (say("scenario"), say("target"), say("got"), say("seconds"), say("way"), say("best"), say("seconds")):
        table.add_column(title)
    for cell in trial.cells:
        place = f"{cell.scenario}{f' [{cell.vary}]' if cell.vary else ''}{f' {cell.at}' if cell.at else ''}"
        first, best = _seconds(cell.first_byte_seconds), _seconds(cell.oracle_seconds)
        got = cell.observed if cell.ok else f"!{cell.observed}"
        table.add_row(place, cell.target, got, first, cell.way_chosen, cell.oracle_way, best)
    out.print(table)
    for cell in trial.cells:
        if not cell.ok:
            out.print(_wrong(cell, words))
    reachable = trial.reachable
    out.print(
        say(
            "{good} of {all} that some way leads to came through the gateway; {others} have no way.",
            good=sum(cell.ok for cell in reachable),
            all=len(reachable),
            others=len(trial.cells) - len(reachable),
        )
    )
    if trial.cold is not None and trial.warm is not None and trial.slowest is not None:
        out.print(
            say(
                "First byte beside the best way: {cold} times at first, {warm} times when the way is known; "
                "19 of 20 within {slowest} s.",
                cold=f"{trial.cold:.2f}",
                warm=f"{trial.warm:.2f}",
                slowest=f"{trial.slowest:.2f}",
            )
        )


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON.

    Raises:
        LocalFault: the file cannot be written.
    """
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    except OSError as error:
        raise LocalFault(later("cannot write {path}: {why}", path=path, why=error.strerror)) from None


def _wrong(cell: Tried, words: Words) -> str:
    text: str = words.say(
        "{scenario} {vary} on {network}, {way} to {target}: {observed}; {reason}",
        scenario=cell.scenario,
        vary=f"[{cell.vary}]" if cell.vary else "",
        network=cell.network,
        way=cell.way,
        target=cell.target,
        observed=cell.observed,
        reason=cell.reason,
    )
    return text


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

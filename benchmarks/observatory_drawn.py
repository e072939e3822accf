"""How right events are on timelines drawn by chance, which no detector was tuned on.

``python -m benchmarks.observatory_drawn [SEED ...]`` plays each, as ``observatory_accuracy`` does, and counts together
what was found, kind by kind; a minute or so each.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from benchmarks.observatory_accuracy import scores
from rozaneh.lab.country import Score

COMMAND = "python -m benchmarks.observatory_drawn"
SEEDS = range(2701, 2711)
"""Chosen before any was looked at; 2601 to 2610 were looked at, and what they showed was mended."""

_ADDED = ("done", "found", "told", "right", "within", "hours_right")


def together(of: Iterable[Score]) -> dict[str, Counter[str]]:
    """The counts of all timelines, by kind and, under an empty name, of all kinds."""
    sums: dict[str, Counter[str]] = {}
    for each in of:
        numbers = {name: value for name, value in msgspec.structs.asdict(each).items() if name in _ADDED}
        for kind in (each.kind, ""):
            sums.setdefault(kind, Counter()).update(numbers)
    return sums


def rows(sums: Mapping[str, Counter[str]], seeds: int) -> list[dict[str, Any]]:
    """Recall, precision, onset and the hours of curfews as rows of ``make bench``."""
    made: list[tuple[str, int, int, str]] = []
    for kind, of in sorted(sums.items()):
        name = kind or "all kinds"
        made += [(f"{name}: recall", of["found"], of["done"], ">= 0.95" if not kind else "")]
        made += [(f"{name}: precision", of["right"], of["told"], ">= 0.98" if not kind else "")]
        made += [(f"{name}: begin within 6 h", of["within"], of["found"], "")]
        if kind == "curfew":
            made += [(f"{name}: hours right to 1 h", of["hours_right"], of["found"], "")]
    return [
        {"name": f"{seeds} timelines by chance, {name}", "value": round(good / of, 3), "unit": f"of {of}",
         "target": target, "command": COMMAND}
        for name, good, of, target in made if of
    ]  # fmt: skip


def main(seeds: Iterable[int] = SEEDS) -> list[dict[str, Any]]:
    found: list[Score] = []
    drawn = list(seeds)
    for seed in drawn:
        found += scores(str(seed))[1]
    return rows(together(found), len(drawn))


if __name__ == "__main__":
    for row in main([int(seed) for seed in sys.argv[1:]] or SEEDS):
        print(f"{row['value']:6.3f} {row['unit']:8} {row['name']}", flush=True)

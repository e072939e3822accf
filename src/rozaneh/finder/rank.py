"""Which way to try next: what the table says, corrected by what was seen here at this hour. Pure.

Each row of the table is a prior belief, worth a few observations: documented success more than a guess. What this
network showed at this hour is added to it, and the expected share of successes is the score. The weight of each
suspected obstacle multiplies it, so that a doubtful diagnosis tries ways for all its possible causes, the likeliest
first.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

import msgspec

from rozaneh.finder.table import Level, Table
from rozaneh.finder.ways import Way

Seen = Callable[[str, str], tuple[float, float]]
"""Decayed counts of successes and failures of a way against an obstacle, on this network around this hour."""

Options = Callable[[str], Iterable[Way]]
"""The ways that a row's text stands for at this moment."""

_PRIOR = {Level.WORKS: (3.0, 1.0), Level.MIXED: (2.0, 1.0), Level.REASONED: (1.0, 1.0)}
_COST_OF_PRIVATE = 0.1
"""An upstream costs its owner traffic, and every use shows it to the network: cheaper ways come first."""
_COST_OF_PLACE = 0.002
_LEAST_WEIGHT = 0.02


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A way worth trying.

    Attributes:
        way: the way.
        obstacle: what it is tried against.
        score: between 0 and about 1; higher is tried earlier.
    """

    way: Way
    obstacle: str
    score: float


def rank(suspicions: Mapping[str, float], table: Table, options: Options, seen: Seen, today: date) -> list[Ranked]:
    """The ways worth trying, best first.

    Args:
        suspicions: weight of each suspected obstacle, 0 to 1.
        table: what gets past what.
        options: what its rows stand for; nothing where a way is not to be tried.
        seen: what happened here before.
        today: the date, for evidence that has expired.
    """
    best: dict[str, Ranked] = {}
    for obstacle, weight in suspicions.items():
        if weight < _LEAST_WEIGHT:
            continue
        for place, row in enumerate(table.rows(obstacle)):
            for way in options(row.use):
                chance = expected(row.level(today), seen(obstacle, way.key)) - place * _COST_OF_PLACE
                score = weight * max(chance - _COST_OF_PRIVATE * way.private, 0.0)
                known = best.get(way.key)
                if known is None or score > known.score:
                    best[way.key] = Ranked(way=way, obstacle=obstacle, score=score)
    return sorted(best.values(), key=lambda each: -each.score)


def expected(level: Level, seen: tuple[float, float]) -> float:
    """The expected share of successes: the mean of a beta distribution with the row as its prior."""
    good, bad = _PRIOR[level]
    return (good + seen[0]) / (good + bad + sum(seen))


def merge(suspicions: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """Put together what several attempts suggest: as for independent hints, each leaves less room for doubt."""
    merged = dict(suspicions)
    for name, weight in more.items():
        merged[name] = 1.0 - (1.0 - merged.get(name, 0.0)) * (1.0 - min(max(weight, 0.0), 1.0))
    return merged

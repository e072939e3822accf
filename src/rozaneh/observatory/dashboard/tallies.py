"""Counts as they may be shown: cells behind which too little stands are left out, the rest is rounded."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rozaneh.observatory import schema
from rozaneh.observatory.dashboard.withhold import withheld

_STEP = 5
_STEPS = (2, 3, 5, *(digit * 10**power for power in range(1, 9) for digit in (1, 2, 5)))


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many verdicts there are of each kind. Counts are rounded to fives, and shares are shares of such counts.

    Attributes:
        n: verdicts, about.
        sources: independent sources that they come from, at least.
        failing: share that does not get through, for a reason that lies on the path.
        blocked: share that a rule calls blocked.
        throttled: share that is slowed down.
        refused: share that the service itself turns away.
        mechanism: the most frequent mechanism of what does not get through, where enough of it says so; else empty.
    """

    n: int
    sources: int
    failing: float
    blocked: float
    throttled: float
    refused: float
    mechanism: str = ""


def published(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
    """The rows that may be shown, and what of them.

    Args:
        rows: each with the counts of :data:`schema.SUMS` and the number of its ``sources``.
    """
    for row in rows:
        n, sources = int(row["n"]), int(row["sources"])
        if not withheld(n, sources):
            failing, blocked, throttled, refused = (_share(int(row[name]), n) for name in schema.SUMS[1:])
            shown = Tally(
                n=fives(n), sources=at_least(sources), failing=failing, blocked=blocked, throttled=throttled,
                refused=refused,
            )  # fmt: skip
            yield row, shown


def at_least(sources: int) -> int:
    """How many sources there are at least, in steps: one more of them must not show."""
    return max((step for step in _STEPS if step <= sources), default=0)


def fives(n: int) -> int:
    """A count, rounded to fives."""
    return max(_STEP * round(n / _STEP), _STEP)


def _share(count: int, n: int) -> float:
    """A share of numbers that are rounded to fives, however many they are: else it would tell the numbers."""
    return min(_STEP * round(count / _STEP) / fives(n), 1.0)

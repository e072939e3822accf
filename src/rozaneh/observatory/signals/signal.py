"""A signal: times and values of one thing in one place."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rozaneh.core import LocalFault
from rozaneh.words import later

HOUR = 3600
DAY = 24 * HOUR
_KEPT = 1000
_LONGEST = 200_000  # steps of a series: twenty years of hours


@dataclass(frozen=True)
class Rejected:
    """A row that was set aside.

    Attributes:
        line: in the file, from 1; for JSON the number of the record.
        reason: what is wrong with it.
    """

    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One series.

    Attributes:
        name: of the column, or of what the row says it is.
        country: two capitals, ZZ where it is not known.
        network: such as AS44244; empty where it is not about one.
        times: seconds since 1970, UTC, rising.
        values: one for each time; NaN where the file has a row and no number.
        volume: it counts measurements themselves. That they stop is no outage by itself, only beside another signal.
    """

    name: str
    country: str
    network: str = ""
    volume: bool = False
    times: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass
class Reading:
    """What a file gave.

    Attributes:
        signals: the series.
        rejected: the first rows that were set aside.
        set_aside: how many were.
        time: the column of times.
        columns: the columns of numbers.
        guessed: whether they were guessed.
        zone: name of the zone of times that say none.
        doubled: rows that gave another value for the same time; of these the largest counts, since late data add.
    """

    signals: list[Signal] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    set_aside: int = 0
    time: str = ""
    columns: tuple[str, ...] = ()
    guessed: bool = False
    zone: str = "UTC"
    doubled: int = 0

    def reject(self, line: int, reason: str) -> None:
        """Set a row aside; what it is about is kept for the first ones."""
        self.set_aside += 1
        if len(self.rejected) < _KEPT:
            self.rejected.append(Rejected(line, reason))


@dataclass(frozen=True)
class Grid:
    """A signal on even steps.

    Attributes:
        first: number of the first step since 1970.
        step: seconds.
        values: one for each step; NaN where there is none.
    """

    first: int
    step: int
    values: NDArray[np.float64]

    @property
    def cycle(self) -> int:
        """Steps of a cycle: of a day, or 7 days of a daily series."""
        return 7 if self.step >= DAY else max(1, DAY // self.step)

    def time(self, index: int) -> int:
        """Seconds since 1970 at which a step begins."""
        return (self.first + index) * self.step


def grid(signal: Signal) -> Grid:
    """A signal in steps of an hour, or of its own step where that is longer.

    Several samples of a step count by their median, so that one wrong one changes nothing.

    Raises:
        LocalFault: it is coarser than a day, or too long.
    """
    times = signal.times
    if len(times) < 2:
        raise LocalFault(later("{name}: a series needs at least two times", name=signal.name))
    gap = float(np.median(np.diff(times)))
    if gap > 1.5 * DAY:
        raise LocalFault(
            later(
                "{name}: its times are {days:.0f} days apart; events need a day at most",
                name=signal.name,
                days=gap / DAY,
            )
        )
    step = next(width for width in (HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY) if gap <= width * 1.01)
    places = np.floor(times / step).astype(np.int64)
    first, length = int(places[0]), int(places[-1] - places[0]) + 1
    if length > _LONGEST:
        raise LocalFault(
            later(
                "{name}: {length} steps of {step} s are too many; the most is {longest}",
                name=signal.name,
                length=length,
                step=step,
                longest=_LONGEST,
            )
        )
    values = np.full(length, np.nan)
    there = ~np.isnan(signal.values)
    places, seen = places[there] - first, signal.values[there]
    order = np.lexsort((seen, places))
    places, seen = places[order], seen[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    ends = np.append(starts[1:], len(places))
    lower, upper = (starts + ends - 1) // 2, (starts + ends) // 2
    values[places[starts]] = (seen[lower] + seen[upper]) / 2
    return Grid(first, step, values)

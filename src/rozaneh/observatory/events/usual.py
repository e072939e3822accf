"""What is usual of one series: a level, and a shape over the cycle, learnt from clean samples."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEVEL_CYCLES: Final = 7
"""Cycles that a level is of."""
_REMEMBERED: Final = 90  # cycles in which a level as low was well
_SHRINK: Final = 2.0  # cycles of "no shape at all" that the shape starts from


class Usual:
    """What is usual.

    Attributes:
        shape: share of the level, for each sample of the cycle.
        level: of all samples.
        cycles: how many were learnt from, of those that are remembered.
        fallen_back: a cut is over, and its level is not known anew.
        taught: the first sample that was not learnt from yet.
    """

    def __init__(self, values: Values, cycle: int, most: int) -> None:
        """Nothing is known yet.

        Args:
            values: the series.
            cycle: samples of a cycle.
            most: cycles that the shape is learnt from.
        """
        self.cycle = cycle
        self.shape: Values = np.ones(cycle)
        self.level = self.cycles = 0.0
        self.fallen_back = False
        self.taught = 0
        self._values = values
        # For each sample of the cycle the latest ones, in no order: a median asks for none.
        self._past = np.full((cycle, most), np.nan)
        self._counts = np.zeros(cycle, np.int64)
        self._places = np.empty(0, np.int64)
        self._after: list[float] = []

    def learn_until(self, end: int) -> None:
        """Learn from the samples before ``end`` that were not learnt from yet."""
        for begin in range(self.taught, end, self.cycle):
            seen = self._values[begin : min(begin + self.cycle, end)]
            self._learn(begin + np.flatnonzero(~np.isnan(seen)))
        self.taught = max(self.taught, end)

    def _learn(self, places: NDArray[np.int64]) -> None:
        """Learn from samples of one cycle."""
        values, at = self._values[places], places % self.cycle
        self._past[at, self._counts[at] % self._past.shape[1]] = values
        self._counts[at] += 1
        self._places = np.concatenate((self._places, places))[-_REMEMBERED * self.cycle :]
        if self.fallen_back:
            wanted = LEVEL_CYCLES * self.cycle
            shares = values / np.maximum(self.shape[at], 1e-9)
            self._after += shares[: wanted - len(self._after)].tolist()
            self.fallen_back = len(self._after) < wanted

    def remembered(self) -> tuple[NDArray[np.int64], Values]:
        """The latest samples that were learnt from: their places, and their values."""
        return self._places, self._values[self._places]

    def back(self, at: int) -> None:
        """A cut is over: until it is known anew, what is usual is no more than what came back."""
        self._after, self.fallen_back, self.taught = [], True, at

    def refit(self) -> None:
        """Learn level and shape from what was clean."""
        places, values = self.remembered()
        self.cycles = len(places) / self.cycle
        if not len(places):
            return
        counts = np.minimum(self._counts, self._past.shape[1])
        middles = self._middles(counts)
        centre = median(middles[counts > 0])
        if centre <= 0:
            self.level, self.shape = max(float(np.nanmean(middles)), 0.0), np.ones(self.cycle)
            return
        raw = np.where(np.isnan(middles), 1.0, middles / centre)
        shape = (raw * counts + _SHRINK) / (counts + _SHRINK)
        if self.cycle > LEVEL_CYCLES:
            before, after = (np.concatenate((shape[cut:], shape[:cut])) for cut in (-1, 1))
            shape = (before + 2 * shape + after) / 4
        self.shape = np.maximum(shape, 0.02)
        latest = slice(-LEVEL_CYCLES * self.cycle, None)
        self.level = median(values[latest] / self.shape[places[latest] % self.cycle])

    def _middles(self, counts: NDArray[np.int64]) -> Values:
        """The median of each sample of the cycle; NaN, which stands last in order, where there is none."""
        rows, ordered = np.arange(self.cycle), np.sort(self._past, axis=1)
        low, high = np.maximum(counts - 1, 0) // 2, np.minimum(counts // 2, ordered.shape[1] - 1)
        middles: Values = (ordered[rows, low] + ordered[rows, high]) / 2
        return middles

    def in_force(self) -> float:
        """The level that a fall is told against."""
        return min(self.level, float(np.median(self._after))) if self.fallen_back and self._after else self.level


def median(values: Values) -> float:
    """The median of values none of which is missing, for a tenth of what the general one costs on a few hundred."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    parted = np.partition(values, (low, high))
    return float((parted[low] + parted[high]) / 2)


def hundredth(values: Values) -> float:
    """The value below which a hundredth of them lies, none of which is missing: between two of them in proportion."""
    place = (len(values) - 1) * 0.01
    low = int(place)
    parted = np.partition(values, (low, min(low + 1, len(values) - 1)))
    under, over = float(parted[low]), float(parted[min(low + 1, len(values) - 1)])
    share = place - low
    return under + (over - under) * share if share < 0.5 else over - (over - under) * (1 - share)

"""Curfews too weak for a single night: days laid over each other by the hour of the local day.

A night in which a quarter fails where an eighth is usual cannot be told from noise at twenty measurements an hour. Some
nights of the same hours together can. The score of a window of days is the largest sum, over a stretch of hours, of how
much likelier its counts are under one step than as usual; a day belongs to it where its own part speaks for it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rozaneh.observatory.events.baseline import DAY, Array

_LENGTHS = range(5, 15)


@dataclass(frozen=True)
class Folded:
    """A curfew that was found by folding.

    Attributes:
        days: numbers of the days on which it was in force.
        start: hour of the local day at which it begins.
        length: hours.
        known: number of the day at whose end it was known.
        score: nats.
    """

    days: tuple[int, ...]
    start: int
    length: int
    known: int
    score: float


def fold(gains: Array, first: int, *, window: int, least: float, least_days: int) -> Folded | None:
    """The first curfew that shows when days are laid over each other.

    Args:
        gains: steps by hours, in nats, of one series.
        first: local hour of the day of the first column.
        window: days that are laid over each other.
        least: nats that the window must reach.
        least_days: days of the window that must speak for it.
    """
    skip = -first % DAY
    whole = (gains.shape[1] - skip) // DAY
    if whole < window:
        return None
    days = gains[:, skip : skip + whole * DAY].reshape(len(gains), whole, DAY)
    ring = np.concatenate([days, np.concatenate([days[:, 1:], np.zeros_like(days[:, :1])], axis=1)], axis=2)
    sums = np.cumsum(np.pad(ring, ((0, 0), (0, 0), (1, 0))), axis=2)
    per_day = np.stack([sums[:, :, length : length + DAY] - sums[:, :, :DAY] for length in _LENGTHS])
    per_window = np.sum([per_day[:, :, shift : whole - window + 1 + shift] for shift in range(window)], axis=0)
    for at in range(whole - window + 1):
        score = per_window[:, :, at]
        length, step, start = np.unravel_index(int(np.argmax(score)), score.shape)
        own = per_day[length, step, :, start]
        speaking = own > 0
        if score[length, step, start] < least or speaking[at : at + window].sum() < least_days:
            continue
        # The hours are those of all its days, which are more than those that made it known.
        members = _run(own, at, window)
        together = per_day[:, step][:, members].sum(1)
        best, best_start = np.unravel_index(int(np.argmax(together)), together.shape)
        members = _run(per_day[best, step, :, best_start], at, window)
        return Folded(
            tuple(int(day) for day in members),
            int(best_start),
            _LENGTHS[int(best)],
            at + window - 1,
            float(score[length, step, start]),
        )
    return None


def hours_of(days: Array) -> tuple[int, int]:
    """The hours of a curfew by all its days: the local hour at which it begins, and how many there are.

    Args:
        days: steps by days by 48 hours from its midnight on, in nats.
    """
    ring = days.sum(1)
    sums = np.cumsum(np.pad(ring, ((0, 0), (1, 0))), axis=1)
    best, found = -np.inf, (0, 0)
    for length in range(3, 21):
        score = sums[:, length : length + DAY] - sums[:, :DAY]
        if score.max() > best:
            best = float(score.max())
            found = (int(np.unravel_index(int(np.argmax(score)), score.shape)[1]), length)
    return found


def _run(own: Array, at: int, window: int) -> NDArray[np.int64]:
    """The days that speak for it, from the window on, as long as no three in a row say nothing."""
    members = [day for day in range(at, at + window) if own[day] > 0]
    day, quiet = at + window, 0
    while day < len(own) and quiet < 3:
        if own[day] > 0:
            members.append(day)
            quiet = 0
        else:
            quiet += 1
        day += 1
    return np.array(members, dtype=np.int64)

"""Hour by hour: is it as usual, or do more fail? A hidden Markov model of two states over beta-binomial counts.

The usual state is the frozen baseline; in the other one the log-odds of a failure are higher by one of a few steps. The
recursions run in odds, hour by hour, for all series and steps at once: that loop is the only one in Python.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from rozaneh.observatory.events.baseline import DAY, Array, Baseline

STEPS = (0.9, 1.6, 2.6, 4.0, 6.0)
"""By how much the log-odds of a failure may be higher."""

MOST = 30.0
"""The bound of log-odds."""

_TABLE = 512
_FULL = 1e13


def likelihoods(n: Array, k: Array, usual: Baseline, local: int, steps: Sequence[float] = STEPS) -> Array:
    """For each step, by how much counts are likelier under it than as usual: steps by series by hours, in nats.

    Args:
        n: measurements, series by hours.
        k: of these, how many failed.
        usual: the frozen baseline of each series.
        local: local hour of the day of the first column.
        steps: by how much the log-odds are higher.
    """
    size = (1 / usual.spread - 1)[:, None]
    odds = np.log(usual.share / (1 - usual.share))
    failed, worked = _Rising(k, local), _Rising(n - k, local)
    plain = failed(usual.share * size) + worked((1 - usual.share) * size)
    gains = np.empty((len(steps), *n.shape))
    for gain, step in zip(gains, steps, strict=True):
        share = 1 / (1 + np.exp(-(odds + step)))
        np.add(failed(share * size), worked((1 - share) * size), out=gain)
        np.subtract(gain, plain, out=gain)
    return gains


class _Rising:
    """The logarithm of ``x (x+1) ... (x+m-1)`` for counts ``m`` of which each has the ``x`` of its hour of the day.

    A beta-binomial likelihood is made of these; what depends on the number of measurements alone is the same in both
    states and is left out. Small counts are looked up.
    """

    def __init__(self, counts: Array, local: int) -> None:
        self._counts = counts
        self._hour = (local + np.arange(counts.shape[1])) % DAY
        self._most = int(counts.max(initial=0))
        self._place = np.empty(0, dtype=np.int64)
        if self._most <= _TABLE:
            first = np.arange(len(counts))[:, None] * DAY + self._hour
            self._place = first * (self._most + 1) + counts.astype(np.int64)

    def __call__(self, x: Array) -> Array:
        """For each series and hour; ``x`` is series by 24."""
        if self._most > _TABLE:
            at = x[:, self._hour]
            found: Array = gammaln(at + self._counts) - gammaln(at)
            return found
        table = np.zeros((*x.shape, self._most + 1))
        np.cumsum(np.log(x[..., None] + np.arange(self._most)), axis=2, out=table[..., 1:])
        return table.ravel().take(self._place)


def posterior(gain: Array, enter: float, leave: float) -> tuple[Array, Array]:
    """The odds of the other state, hours by series, and the log of the evidence for there being two states.

    Args:
        gain: by how much each hour is likelier in the other state: series by hours, in nats.
        enter: chance of entering it in an hour.
        leave: chance of leaving it.
    """
    # An hour is a row, so that a step of the recursion reads what lies together.
    likelier = np.clip(gain.T, -MOST, MOST, order="C")
    np.exp(likelier, out=likelier)
    predicted, ahead = np.empty_like(likelier), np.empty_like(likelier)
    before = np.full(likelier.shape[1], enter / leave)
    other = np.empty_like(before)
    for now, then, so_far in zip(likelier, predicted, ahead, strict=True):
        np.multiply(before, 1 - leave, out=then)
        np.add(then, enter, out=then)
        np.multiply(before, leave, out=other)
        np.add(other, 1 - enter, out=other)
        np.divide(then, other, out=then)
        np.multiply(then, now, out=so_far)
        before = np.minimum(so_far, _FULL, out=so_far)
    evidence = np.log((1 + predicted * likelier) / (1 + predicted)).sum(0)
    after = np.ones_like(before)
    coming = np.empty_like(before)
    for now, so_far in zip(likelier[:0:-1], ahead[-2::-1], strict=True):
        np.multiply(now, after, out=coming)
        np.multiply(coming, 1 - leave, out=after)
        after += leave
        coming *= enter
        coming += 1 - enter
        after /= coming
        np.minimum(after, _FULL, out=after)
        np.multiply(so_far, after, out=so_far)
    return ahead, evidence


def of_one_step(gains: Array, enter: float, leave: float) -> Array:
    """Log-odds of the other state where a series keeps to one step: the average over steps, by their evidence."""
    steps, series, hours = gains.shape
    odds, found = posterior(gains.reshape(steps * series, hours), enter, leave)
    evidence = found.reshape(steps, series)
    weight = np.exp(evidence - evidence.max(0))
    weight /= weight.sum(0)
    odds /= 1 + odds
    chance = np.einsum("ks,hks->hs", weight, odds.reshape(hours, steps, series)).T
    chance = np.clip(chance, 1e-12, 1 - 1e-12, order="C")
    chance /= 1 - chance
    found_odds: Array = np.log(chance)
    return found_odds


def runs(odds: Array, opens: float, holds: float, gap: int = 0) -> list[tuple[int, int]]:
    """Stretches of hours in one series: each reaches ``opens`` and stays above ``holds``, but for gaps of some hours.

    Returns:
        The first hour of each, and the one after its last.
    """
    above = odds > holds
    edges = np.flatnonzero(np.diff(above.astype(np.int8), prepend=0, append=0))
    joined: list[tuple[int, int]] = []
    for a, b in edges.reshape(-1, 2).tolist():
        if joined and a - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return [(a, b) for a, b in joined if odds[a:b].max() > opens]


def bridged(found: Sequence[tuple[int, int]], gain: Array, recovered: float) -> list[tuple[int, int]]:
    """Stretches between which less than so many nats speak for a recovery are one."""
    joined: list[tuple[int, int]] = []
    for first, after in found:
        if joined and gain[joined[-1][1] : first].sum() > -recovered:
            joined[-1] = (joined[-1][0], after)
        else:
            joined.append((first, after))
    return joined


def most_for(gains: Array) -> Array:
    """The most that speaks for the other state in hours in a row, under any of the steps: nats, for each series.

    No stretch of hours can have more. It costs a fraction of the recursions.
    """
    most = np.zeros(gains.shape[1])
    for gain in gains:
        total = np.cumsum(gain, axis=1)
        lowest = np.minimum(np.minimum.accumulate(total, axis=1), 0)
        np.maximum(most, (total - lowest).max(1), out=most)
    return most


def parts(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Rows in parts of at most ``size``, so that no more than these are in memory as floats."""
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]

"""Hour by hour: is it as usual, or do more fail? A hidden Markov model of two states over beta-binomial counts.

The usual state is the frozen baseline; in the other one the log-odds of a failure are higher by one of a few steps. The
recursions run in log-odds, for all series at once.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from rozaneh.observatory.events.baseline import Array

STEPS = (0.9, 1.6, 2.6, 4.0, 6.0)
"""By how much the log-odds of a failure may be higher."""

_MOST = 30.0


def likelihoods(n: Array, k: Array, share: Array, spread: Array) -> Array:
    """For each step, by how much counts are likelier under it than as usual: steps by series by hours, in nats."""
    size = (1 / spread - 1)[:, None]
    usual = _log(n, k, share, size)
    odds = np.log(share / (1 - share))
    return np.stack([_log(n, k, 1 / (1 + np.exp(-(odds + step))), size) - usual for step in STEPS])


def _log(n: Array, k: Array, share: Array, size: Array) -> Array:
    a, b = share * size, (1 - share) * size
    made: Array = np.where(n > 0, betaln(k + a, n - k + b) - betaln(a, b), 0.0)
    return made


def posterior(gain: Array, enter: float, leave: float) -> tuple[Array, Array]:
    """The log-odds of the other state at each hour, and the log of the evidence for there being two states.

    Args:
        gain: by how much each hour is likelier in the other state: series by hours, in nats.
        enter: chance of entering it in an hour.
        leave: chance of leaving it.
    """
    bounded = np.clip(gain, -_MOST, _MOST)
    hours = bounded.shape[1]
    ahead = np.empty_like(bounded)
    before = np.full(len(bounded), enter / (enter + leave))
    before = before / (1 - before)
    evidence = np.zeros(len(bounded))
    likelier = np.exp(bounded)
    for hour in range(hours):
        predicted = (enter + (1 - leave) * before) / ((1 - enter) + leave * before)
        evidence += np.log((1 + predicted * likelier[:, hour]) / (1 + predicted))
        before = np.minimum(predicted * likelier[:, hour], 1e13)
        ahead[:, hour] = before
    behind = np.ones_like(bounded)
    after = np.ones(len(bounded))
    for hour in range(hours - 2, -1, -1):
        coming = likelier[:, hour + 1] * after
        after = np.minimum((leave + (1 - leave) * coming) / ((1 - enter) + enter * coming), 1e13)
        behind[:, hour] = after
    return np.log(np.maximum(ahead, 1e-300)) + np.log(behind), evidence


def of_one_step(gains: Array, enter: float, leave: float) -> Array:
    """Log-odds of the other state where a series keeps to one step: the average over steps, by their evidence."""
    parts = [posterior(gain, enter, leave) for gain in gains]
    evidence = np.stack([part[1] for part in parts])
    weight = np.exp(evidence - evidence.max(0))
    weight /= weight.sum(0)
    chance = sum(w[:, None] / (1 + np.exp(-part[0])) for w, part in zip(weight, parts, strict=True))
    chance = np.clip(chance, 1e-12, 1 - 1e-12)
    odds: Array = np.log(chance / (1 - chance))
    return odds


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


def suspicious(n: Array, k: Array, share: Array, spread: Array, *, least: float = 4.5) -> NDArray[np.bool_]:
    """Series that deserve a closer look: in some hours in a row far more failed than usual."""
    noise = n * share * (1 - share) * (1 + np.maximum(n - 1, 0) * spread[:, None])
    excess = np.cumsum(np.pad(k - n * share, ((0, 0), (1, 0))), axis=1)
    noise = np.cumsum(np.pad(noise, ((0, 0), (1, 0))), axis=1)
    worst = np.full(len(n), -np.inf)
    for width in (3, 6, 12, 24, 72):
        if n.shape[1] >= width:
            score = (excess[:, width:] - excess[:, :-width]) / np.sqrt(noise[:, width:] - noise[:, :-width] + 0.25)
            worst = np.maximum(worst, score.max(1))
    flagged: NDArray[np.bool_] = worst > least
    return flagged

"""What is usual for shares: a share of failures for each hour of the day, learnt from clean days and then frozen.

A logistic model with two harmonics of the day, fitted to counts by hour of the day, with a pull towards a flat day; and
an overdispersion, since failures come in clumps. Everything is an array over series.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAY = 24
_ROUNDS = 12
_RIDGE = 1.0
_MOST_OVERDISPERSION = 0.2
_LEAST_OVERDISPERSION = 0.005
_LEAST_SHARE = 0.005
_MOST_SHARE = 0.6


@dataclass(frozen=True)
class Baseline:
    """For each series the usual share at each hour of the day, and its overdispersion.

    Attributes:
        share: series by 24.
        spread: correlation within an hour, 0 to 1.
    """

    share: Array
    spread: Array

    def over(self, hours: int, first: int) -> Array:
        """The share for each of so many hours, the first of which is this hour of the day."""
        return self.share[:, (first + np.arange(hours)) % DAY]


def fit(n: Array, k: Array, first: int) -> Baseline:
    """Fit the baseline to clean hours.

    Args:
        n: measurements, series by hours; nought where an hour is not clean.
        k: of these, how many failed.
        first: hour of the day of the first column.
    """
    hour = (first + np.arange(n.shape[1])) % DAY
    total, failed = _by_hour(n, first), _by_hour(k, first)
    angle = 2 * np.pi * np.arange(DAY) / DAY
    design = np.stack([np.ones(DAY), np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], axis=1)
    level = np.clip((failed.sum(1) + 0.5) / (total.sum(1) + 10), _LEAST_SHARE, _MOST_SHARE)
    weights = np.zeros((len(n), design.shape[1]))
    weights[:, 0] = np.log(level / (1 - level))
    pull = np.diag([1e-6, *[_RIDGE] * (design.shape[1] - 1)])
    for _ in range(_ROUNDS):
        share = 1 / (1 + np.exp(-np.clip(weights @ design.T, -8, 8)))
        gradient = (failed - total * share) @ design
        gradient[:, 1:] -= _RIDGE * weights[:, 1:]
        curve = np.einsum("sh,hi,hj->sij", total * share * (1 - share), design, design) + pull
        step = np.linalg.solve(curve, gradient[..., None])[..., 0]
        weights += np.clip(step, -1, 1)
    share = np.clip(1 / (1 + np.exp(-np.clip(weights @ design.T, -8, 8))), _LEAST_SHARE, _MOST_SHARE)
    return Baseline(share, _spread(n, k, share[:, hour]))


def _by_hour(counts: Array, first: int) -> Array:
    """Sums for each hour of the day."""
    days = -(-counts.shape[1] // DAY)
    whole = np.pad(counts, ((0, 0), (0, days * DAY - counts.shape[1])))
    summed: Array = np.roll(whole.reshape(len(counts), days, DAY).sum(1), first, axis=1)
    return summed


def _spread(n: Array, k: Array, share: Array) -> Array:
    """Overdispersion by moments."""
    enough = n > 1
    variance = np.maximum(n * share * (1 - share), 1e-9)
    excess = np.where(enough, (k - n * share) ** 2 / variance - 1, 0).sum(1)
    spread: Array = np.clip(
        excess / np.maximum(np.where(enough, n - 1, 0).sum(1), 1), _LEAST_OVERDISPERSION, _MOST_OVERDISPERSION
    )
    return spread

"""Blocks of one service on one network: stretches of hours in which it fails far more than its frozen baseline."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
import numpy as np

from rozaneh.observatory.events import states
from rozaneh.observatory.events.baseline import DAY, Array, Baseline, fit

_GAP = 6
_STEPS = 2  # a block is no small step: the first ones are left out
_CHUNK = 256
_THREADS = 2  # each has the arrays of a chunk in memory
_SUSPECT = 0.7  # of the nats that an event needs, by the first baseline: less than that is not looked at closely
_BLOCKED_BEFORE = 0.5
_RECOVERED = 20.0  # nats that must speak for a recovery between two stretches
_PLAIN_SHARE = 0.05


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the detector; what they mean stands beside them in ``rules.toml``."""

    history_days: int
    enter: float
    leave: float
    opens: float
    holds: float
    least: float
    hours_least: int
    share_least: float
    persist_hours: int


@dataclass(frozen=True)
class Stretch:
    """Hours in which a series is not as usual.

    Attributes:
        row: of the series.
        first: hour.
        since: hour from which it may have been so: nobody measured between that and ``first``.
        last: the hour after it; none while it lasts.
        before: whether it was so when the data begin.
        tried: measurements in it.
        failed: of these.
        usual: that share before it.
    """

    row: int
    first: int
    since: int
    last: int | None
    before: bool
    tried: float
    failed: float
    usual: float

    @property
    def share(self) -> float:
        """The share of its measurements that failed."""
        return self.failed / self.tried


def find_on_services(n: np.ndarray, k: np.ndarray, local: int, settings: ServiceSettings) -> list[Stretch]:
    """Find stretches in many series at once.

    Args:
        n: measurements, series by hours.
        k: of these, how many failed.
        local: local hour of the day of the first column.
        settings: the detector's numbers.
    """
    if n.shape[1] < DAY:
        return []

    def suspects(rows: np.ndarray) -> np.ndarray:
        some, failed = n[rows].astype(np.float64), k[rows].astype(np.float64)
        usual, before, enough = _first_baseline(some, failed, local, settings)
        gains = states.likelihoods(some, failed, usual, local, states.STEPS[_STEPS:])
        return rows[enough & (before | (states.most_for(gains) > _SUSPECT * settings.least))]

    def closely(rows: np.ndarray) -> list[Stretch]:
        return _look_closely(rows, n[rows].astype(np.float64), k[rows].astype(np.float64), local, settings)

    # Series know nothing of each other, and numpy leaves the interpreter alone while it computes.
    with ThreadPoolExecutor(_THREADS) as pool:
        near = pool.map(suspects, states.parts(np.arange(len(n)), _CHUNK))
        some = np.concatenate([*near, np.empty(0, np.int64)])
        return [stretch for part in pool.map(closely, states.parts(some, _CHUNK)) for stretch in part]


def _look_closely(rows: np.ndarray, n: Array, k: Array, local: int, settings: ServiceSettings) -> list[Stretch]:
    usual, before, _ = _first_baseline(n, k, local, settings)
    for final in (False, True):
        gains = states.likelihoods(n, k, usual, local, states.STEPS[_STEPS:])
        odds = states.of_one_step(gains, settings.enter, settings.leave)
        if not final:
            clean = odds < 0
            usual = _refit(np.where(clean, n, 0), np.where(clean, k, 0), local, usual)
    found: list[Stretch] = []
    for place, row in enumerate(rows):
        found += _stretches(int(row), n[place], k[place], odds[place], gains[:, place], bool(before[place]), settings)
    return found


def _first_baseline(
    n: Array, k: Array, local: int, settings: ServiceSettings
) -> tuple[Baseline, np.ndarray, np.ndarray]:
    """From the quieter days of the first ones, so that what begins among them is not taken for usual."""
    history = min(settings.history_days * DAY, n.shape[1] // DAY * DAY)
    days = (len(n), history // DAY, DAY)
    of_day, failed = n[:, :history].reshape(days).sum(2), k[:, :history].reshape(days).sum(2)
    rate = np.where(of_day > 0, (failed + 0.05) / (of_day + 1), np.nan)
    measured = np.isfinite(rate).sum(1)
    enough = (measured >= min(3, days[1])) & (of_day.sum(1) >= 5)
    rate[~enough] = 0
    quiet = np.nanquantile(rate, 0.5, axis=1)
    before = quiet > _BLOCKED_BEFORE
    clean = np.repeat(rate <= quiet[:, None] + 0.1, DAY, axis=1) & ~before[:, None]
    usual = fit(np.where(clean, n[:, :history], 0), np.where(clean, k[:, :history], 0), local)
    plain = np.where(before[:, None], _PLAIN_SHARE, usual.share)
    return Baseline(plain, usual.spread), before, enough


def _refit(n: Array, k: Array, local: int, old: Baseline) -> Baseline:
    fresh = fit(n, k, local)
    known = n.sum(1) >= 30
    return Baseline(np.where(known[:, None], fresh.share, old.share), np.where(known, fresh.spread, old.spread))


def _stretches(  # noqa: PLR0917 - one series and what it is judged by
    row: int, n: Array, k: Array, odds: Array, gains: Array, before: bool, settings: ServiceSettings
) -> list[Stretch]:
    found = []
    hours = len(n)
    best = gains[int(np.argmax(np.where(odds > 0, gains, 0).sum(1)))]
    for opens, closes in states.bridged(states.runs(odds, settings.opens, settings.holds, _GAP), best, _RECOVERED):
        # It begins and ends with a measurement: what lies between is not known.
        total = gains[:, opens:closes].sum(1)
        begin, end = (opens + place for place in _changes(gains[int(np.argmax(total)), opens:closes]))
        seen = np.flatnonzero(n[begin:end] > 0) + begin
        if len(seen) < settings.hours_least or total.max() < settings.least:
            continue
        first = int(seen[0])
        after = closes if closes >= hours else end
        tried, failed = float(n[first:after].sum()), float(k[first:after].sum())
        if failed < settings.share_least * tried:
            continue
        outside = np.concatenate([n[:first], n[after:]]).sum()
        others = np.concatenate([k[:first], k[after:]]).sum()
        found.append(
            Stretch(
                row=row,
                first=first,
                since=int(np.flatnonzero(n[:first] > 0)[-1]) + 1 if np.any(n[:first] > 0) else 0,
                last=None if after >= hours else int(seen[-1]) + 1,
                before=before and not np.any(n[:first] > 0),
                tried=tried,
                failed=failed,
                usual=float(others / outside) if outside else 0.0,
            )
        )
    return found


def _changes(gain: Array) -> tuple[int, int]:
    """Where in a stretch it likeliest began and ended: what is outside speaks against it, what is inside for it."""
    total = np.cumsum(np.concatenate(([0.0], gain)))
    begin = int(np.argmin(total[: int(np.argmax(total)) + 1]))
    end = begin + int(np.argmax(total[begin:]))
    return begin, max(end, begin + 1)

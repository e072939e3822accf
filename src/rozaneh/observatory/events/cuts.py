"""Cuts in one series: it falls, and is down until it is back against what was usual before it fell.

Theory of operation. What is usual is learnt from clean samples alone: a level, and a shape over the cycle (hours of the
day; days of the week for a daily series). While the series is well the level follows it. When it falls, level and shape
are frozen; nothing that happens afterwards changes them, so that no cut, however long, becomes the usual. It is back
when most of what was lost is back and stays so, and only then does the level learn again.

A fall is told from noise by windows of several lengths, each with its own threshold: deeper than the noise of that
length explains, deeper than the lowest hundredth of usual times, and deep enough to matter. A long window finds shallow
cuts in noisy series, a short one finds deep cuts at once.

Pure functions of arrays; no clock is read.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from rozaneh.observatory.events.usual import LEVEL_CYCLES, Usual, Values, hundredth, median

_WINDOWS = (1, 3, 6, 12, 24)
_ENOUGH = 0.7  # of the samples of a window must be there
_LEAST_NOISE = 0.01
_ROUGHLY = 2.0
_AS_LOW = 0.9
_STRETCHED = 3  # times as long may a window be whose samples are missing
_LEFT_NOISE = 3.0  # standard deviations
_MAD = 1.4826  # median absolute deviation to standard deviation, of a normal distribution


class CutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the detector; what they mean stands beside them in ``rules.toml``."""

    open_share: float
    open_share_young: float
    sigmas: float
    beyond: float
    history_least: int
    history_full: int
    history_most: int
    back_share: float
    hold_hours: float
    persist: int


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One cut, in samples of the series.

    Attributes:
        start: first sample of it.
        well: last sample before it that was there and well.
        end: first sample after it; none while it lasts.
        lowest: least share of the usual, over some hours.
        noise: relative standard deviation of usual times.
        now: share of the usual at its end, or at the end of the series.
        bar: share of the usual below which a sample belongs to it.
        usual: the frozen baseline, for each sample of the cycle.
    """

    start: int
    well: int
    end: int | None
    lowest: float
    noise: float
    now: float
    bar: float
    usual: Values


class _Thresholds:
    """For each window, the share of the usual below which it is a fall."""

    def __init__(self, usual: Usual, settings: CutSettings) -> None:
        self.noise, self.calm = 0.0, 1.0
        self.bars: dict[int, float] = {}
        if not _known(usual, settings):
            return
        places, remembered = usual.remembered()
        whole = usual.level * usual.shape[places % usual.cycle]
        values, base = (each[-settings.history_most * usual.cycle :] for each in (remembered, whole))
        # A level that drifted in a month is no noise: each sample is held against the level of its own week.
        own = _local_level(values / base, usual.cycle * LEVEL_CYCLES)
        most = _most(usual, settings)
        for window in _WINDOWS:
            if window > max(usual.cycle, 1) or len(values) < 2 * window:
                continue
            share = _rolling(values, window) / np.maximum(_rolling(base * own, window), 1e-12)
            noise = max(_MAD * median(np.abs(share - median(share))), _LEAST_NOISE)
            # Of few windows the noise is known but roughly.
            sigmas = settings.sigmas * (1 + _ROUGHLY / np.sqrt(len(values) / window))
            low = hundredth(share)
            # Where the level rose in these months, to be as low as before is no fall.
            was = _rolling(remembered, window) / np.maximum(_rolling(whole, window), 1e-12)
            known = _AS_LOW * hundredth(was)
            self.bars[window] = min(most, 1 - sigmas * noise, 1 - settings.beyond * max(1 - low, 0.0), known)
            if window == 1:
                self.noise = noise
            if window <= 6:
                self.calm = 1 - noise


def _known(usual: Usual, settings: CutSettings) -> bool:
    """Whether enough is known to tell a fall."""
    return usual.cycles >= settings.history_least and usual.level > 0


def _most(usual: Usual, settings: CutSettings) -> float:
    """The share of the usual that no threshold lies above, however calm the series is."""
    return settings.open_share_young if usual.cycles < settings.history_full else settings.open_share


def find_cuts(values: Values, cycle: int, per_hour: float, settings: CutSettings) -> list[Cut]:
    """All cuts of a series.

    Args:
        values: evenly spaced samples, not negative; NaN where one is missing, which says nothing.
        cycle: samples of a cycle: of a day, or 7 for a daily series.
        per_hour: samples in an hour, below 1 for coarser ones.
        settings: the rule's numbers.

    Returns:
        The cuts in their order; the last may have no end.
    """
    usual = Usual(values, cycle, settings.history_most)
    bars = _Thresholds(usual, settings)
    hold = max(2, round(settings.hold_hours * per_hour))
    found: list[Cut] = []
    free = 0  # no fall is looked for before this sample
    at = 0
    suspect = np.ones(cycle, dtype=bool)
    while at < len(values):
        if at % cycle == 0 or usual.fallen_back:
            # Learn late by a window: what is still being judged must not teach.
            usual.learn_until(at - max(_WINDOWS) if usual.cycles >= settings.history_least else at)
        if at % cycle == 0:
            usual.refit()
            # What does not fall below what a threshold is at most needs none: most days of most series.
            most = dict.fromkeys(_WINDOWS, _most(usual, settings) if _known(usual, settings) else 0.0)
            suspect = _suspects(values, at, usual, most, settings.persist)
            if suspect.any() or usual.fallen_back:
                bars = _Thresholds(usual, settings)
                suspect = _suspects(values, at, usual, bars.bars, settings.persist)
        if not (suspect[at % cycle] or usual.fallen_back):
            at += 1
            continue
        base = usual.in_force() * usual.shape
        onset = _falls(values, at, free, base, (bars, settings))
        if onset is None:
            at += 1
            continue
        usual.learn_until(onset)
        cut = _follow(values, (onset, at), base, bars, (hold, settings))
        found.append(cut)
        if cut.end is None:
            break
        free, at = cut.end, cut.end + hold
        usual.back(cut.end)
        usual.learn_until(min(at, len(values)))
    return found


def _suspects(values: Values, at: int, usual: Usual, bars: dict[int, float], persist: int) -> NDArray[np.bool_]:
    """The samples of the cycle that begins at ``at`` in which a fall may show: no other one needs a closer look."""
    begin, end = max(0, at - max(_WINDOWS)), min(len(values), at + usual.cycle)
    seen = values[begin:end]
    base = usual.level * usual.shape[np.arange(begin, end) % usual.cycle]
    there = ~np.isnan(seen)
    have = np.cumsum(np.concatenate(([0.0], np.where(there, seen, 0.0))))
    want = np.cumsum(np.concatenate(([0.0], np.where(there, base, 0.0))))
    suspect = np.zeros(usual.cycle, dtype=bool)
    for window, bar in bars.items():
        width = persist if window == 1 else window
        if bar <= 0 or len(seen) < width:
            continue
        low = have[width:] - have[:-width] < bar * (want[width:] - want[:-width])
        if not low.any():
            continue
        last = np.flatnonzero(low) + begin + width - 1
        suspect[last[last >= at] - at] = True
    return suspect


def _falls(values: Values, at: int, free: int, usual: Values, judged_by: tuple[_Thresholds, CutSettings]) -> int | None:
    """The first sample of the fall that shows at ``at``, if one does."""
    bars, settings = judged_by
    if np.isnan(values[at]):
        return None
    for window, bar in bars.bars.items():
        width = settings.persist if window == 1 else window
        begin = at - width + 1
        if begin < free or bar <= 0:
            continue
        places = np.arange(begin, at + 1)
        seen = values[begin : at + 1]
        there = ~np.isnan(seen)
        if there.sum() < max(settings.persist, _ENOUGH * width):
            continue
        base = usual[places % len(usual)]
        if window == 1:
            below = bool(np.all(seen[there] < bar * base[there]))
        else:
            # One wrong sample must not make a window of them.
            low = seen[there] < base[there] * (1 + bar) / 2
            deep = seen[there].sum() < bar * base[there].sum()
            below = bool(deep and low[-1] and low.sum() >= max(settings.persist, len(low) / 2))
        if below:
            return _onset(values, at, max(free, at - max(_WINDOWS) + 1), usual, bars)
    return None


def _onset(values: Values, at: int, earliest: int, usual: Values, bars: _Thresholds) -> int:
    """Where the level changed, by the largest sum of what lies below the middle between well and down."""
    places = np.arange(earliest, at + 1)
    share = values[earliest : at + 1] / np.maximum(usual[places % len(usual)], 1e-12)
    low = float(np.nanmean(share[-2:]))
    middle = max((1 + low) / 2, min(bars.bars.get(1, 0.0), 1 - 3 * bars.noise))
    below = np.where(np.isnan(share), 0.0, middle - share)
    gain = np.cumsum(below[::-1])[::-1]
    first = earliest + int(len(gain) - 1 - np.argmax(gain[::-1]))
    # A slow fall began when it left the noise.
    left = share < 1 - _LEFT_NOISE * bars.noise
    while first > earliest and (left[first - 1 - earliest] or np.isnan(share[first - 1 - earliest])):
        first -= 1
    while first < at and np.isnan(values[first]):
        first += 1
    return first


def _follow(
    values: Values, fell: tuple[int, int], usual: Values, bars: _Thresholds, judged_by: tuple[int, CutSettings]
) -> Cut:
    """Follow a cut from its onset until it is back against the frozen baseline, or the series ends."""
    (onset, at), (hold, settings) = fell, judged_by
    base = usual[np.arange(onset, len(values)) % len(usual)]
    seen = values[onset:]
    share = np.where(np.isnan(seen), np.nan, seen / np.maximum(base, 1e-12))
    lowest = float(np.nanmean(share[: at - onset + 1]))
    over: int | None = None
    here = np.cumsum(~np.isnan(share))
    for now in range(at - onset, len(share)):
        begin = _since(here, now, hold)
        recent = share[begin : now + 1]
        there = recent[~np.isnan(recent)]
        if len(there) < min(max(2, _ENOUGH * hold), len(recent)):
            continue
        window = seen[begin : now + 1]
        weight = base[begin : now + 1][~np.isnan(window)]
        mean = float(np.nansum(window) / max(weight.sum(), 1e-12))
        lowest = min(lowest, mean)
        bar = min(lowest + settings.back_share * (1 - lowest), bars.calm)
        middle = (1 + lowest) / 2
        if len(recent) >= hold and mean >= bar and (there >= middle).mean() >= 5 / 6 and share[now] >= middle:
            earliest = begin if len(recent) == hold else max(begin - hold, 0)
            over = _first_back(share, now, earliest, bar - 2 * bars.noise)
            break
    stop = len(share) if over is None else over
    tail = share[max(0, stop - 4 * hold) : stop] if over is None else share[stop : stop + hold]
    well = onset - 1
    while well > 0 and np.isnan(values[well]):
        well -= 1
    return Cut(
        start=onset,
        well=max(well, 0),
        end=None if over is None else onset + over,
        lowest=max(lowest, 0.0),
        noise=bars.noise,
        now=float(np.nanmean(tail)) if np.any(~np.isnan(tail)) else lowest,
        bar=max((1 + max(lowest, 0.0)) / 2, 1 - 2 * _LEFT_NOISE * bars.noise),
        usual=usual,
    )


def _since(here: NDArray[np.int_], now: int, hold: int) -> int:
    """Where a window begins that ends with ``now``: ``hold`` samples back, or as many more as are missing of them.

    Args:
        here: how many samples are there up to each.
        now: the last sample.
        hold: how long it must stay back.
    """
    begin, wanted = max(0, now - hold + 1), max(2, _ENOUGH * hold)
    while begin > max(0, now - _STRETCHED * hold + 1) and here[now] - (here[begin - 1] if begin else 0) < wanted:
        begin -= 1
    return begin


def _first_back(share: Values, now: int, begin: int, bar: float) -> int:
    """The first sample that is seen to be back: what is missing before it may still have been down."""
    first = now
    for place in range(now - 1, begin - 1, -1):
        if np.isnan(share[place]):
            continue
        if share[place] < bar:
            break
        first = place
    return first


def _rolling(values: Values, window: int) -> Values:
    total = np.cumsum(np.concatenate(([0.0], values)))
    sums: Values = total[window:] - total[:-window]
    return sums / window


def _local_level(share: Values, width: int) -> Values:
    """The median of each stretch of ``width`` samples, for each of its samples."""
    level = np.empty_like(share)
    for begin in range(0, len(share), width):
        end = len(share) if len(share) - begin < 2 * width else begin + width
        level[begin:end] = median(share[begin:end])
        if end == len(share):
            break
    np.maximum(level, 1e-9, out=level)
    return level

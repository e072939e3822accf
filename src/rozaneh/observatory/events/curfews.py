"""Curfews and cuts of one network, from counts of all that is measured on it."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo

import msgspec
import numpy as np

from rozaneh.observatory.events import folding, states
from rozaneh.observatory.events.baseline import DAY, Array, Baseline, fit
from rozaneh.observatory.events.recurring import Night, Pattern, RecurrenceSettings, at_hours, find_patterns

_HOUR = timedelta(hours=1)
_CHUNK = 128
_PLAIN = 3  # the step of a cut that most of what is tried fails in
_RECOVERED = 6.0  # nats that must speak for a recovery between two cuts: hours in which nobody measured say nothing
_GAP = 1  # hour of a night in which nothing failed, or nothing was measured


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the detector; what they mean stands beside them in ``rules.toml``."""

    history_days: int
    enter: float
    leave: float
    opens: float
    holds: float
    cut_hours: float
    cut_least: float
    fold_window: int
    fold_least: float
    fold_days: int
    breadth: float
    services_least: int


@dataclass(frozen=True, kw_only=True)
class NetworkCuts:
    """What was found on one network.

    Attributes:
        curfews: with their nights as hours of the series.
        cuts: first hour and the one after the last, of cuts that are no curfew.
        second_opinion: whether another detector sees the nights of the curfews too.
        enough: whether there was enough history.
    """

    curfews: tuple[Pattern, ...] = ()
    cuts: tuple[tuple[int, int], ...] = ()
    second_opinion: str = ""
    enough: bool = True


def find_on_networks(  # noqa: PLR0917 - networks' counts and what they are judged by
    n: Array,
    k: Array,
    start: datetime,
    zone: tzinfo,
    settings: NetworkSettings,
    recurrence: RecurrenceSettings,
) -> list[NetworkCuts]:
    """Find curfews and cuts in the counts of networks of one place, each by itself.

    Args:
        n: measurements, networks by hours.
        k: of these, how many failed in whatever way.
        start: first hour, UTC.
        zone: of the place.
        settings: the detector's numbers.
        recurrence: the numbers of the rule of recurrence.
    """
    local = (start.astimezone(zone).hour) % DAY
    history = settings.history_days * DAY
    hours = n.shape[1]
    enough = (np.count_nonzero(n[:, :history], axis=1) >= history // 4) & (hours > history)
    found = [NetworkCuts(enough=False)] * len(n)
    for rows in states.parts(np.flatnonzero(enough), _CHUNK):
        usual, gains, odds = _settle(n[rows], k[rows], local, history, settings)
        for place, row in enumerate(rows):
            of_row = Baseline(usual.share[place : place + 1], usual.spread[place : place + 1])
            series = _Series(n[row], k[row], gains[:, place], odds[place], of_row)
            found[row] = _of_series(series, start, zone, settings, recurrence)
    return found


@dataclass(frozen=True)
class _Series:
    """The counts of one network, and what the model makes of each hour."""

    n: Array
    k: Array
    gains: Array
    odds: Array
    usual: Baseline


def _of_series(
    series: _Series, start: datetime, zone: tzinfo, settings: NetworkSettings, recurrence: RecurrenceSettings
) -> NetworkCuts:
    gains, odds, hours = series.gains, series.odds, len(series.n)
    local = (start.astimezone(zone).hour) % DAY
    runs = states.runs(odds, settings.opens, settings.holds, _GAP)
    found = [run for run in states.bridged(runs, gains[_PLAIN], _RECOVERED) if run[0] >= 1]
    spans = [(start + a * _HOUR, None if b >= hours else start + b * _HOUR) for a, b in found]
    until = start + hours * _HOUR
    patterns = find_patterns(spans, zone, until, recurrence)
    if not patterns:
        # A cut of days is no curfew, whatever its hours are when days are laid over each other.
        weak = gains.copy()
        for first, last in found:
            if last - first > recurrence.hours_most:
                weak[:, first:last] = 0
        folded = folding.fold(
            weak,
            local,
            window=settings.fold_window,
            least=settings.fold_least,
            least_days=settings.fold_days,
        )
        if folded is not None:
            patterns = find_patterns(_nights(folded, start, local, hours), zone, until, recurrence)
    of_pattern = [(night.start, night.end or until) for pattern in patterns for night in pattern.nights]
    cuts = [
        (a, b)
        for a, b in found
        if b - a >= settings.cut_hours
        and gains[:, a:b].sum(1).max() >= settings.cut_least
        and not any(start + a * _HOUR < end and begin < start + b * _HOUR for begin, end in of_pattern)
    ]
    patterns = [_with_hours(pattern, _apart(pattern, patterns, gains, start), start, zone) for pattern in patterns]
    nights = [_span(start, night) for pattern in patterns for night in pattern.nights]
    return NetworkCuts(curfews=tuple(patterns), cuts=tuple(cuts), second_opinion=_second_opinion(series, local, nights))


def _span(start: datetime, night: Night) -> tuple[int, int]:
    first = int((night.start - start) / _HOUR)
    return first, first + 8 if night.end is None else int((night.end - start) / _HOUR)


def _apart(pattern: Pattern, patterns: list[Pattern], gains: Array, start: datetime) -> Array:
    """The evidence without that of other curfews of the same days, which must not lend it their hours."""
    others = [_span(start, night) for other in patterns if other is not pattern for night in other.nights]
    if not others:
        return gains
    apart = gains.copy()
    for first, last in others:
        apart[:, first:last] = 0
    return apart


def _with_hours(pattern: Pattern, gains: Array, start: datetime, zone: tzinfo) -> Pattern:
    """The hours by all its days laid over each other, which know them better than each night does."""
    days, part = [], 0.0
    for night in pattern.nights:
        # Each by its own midnight: clocks may have been set since the one before.
        midnight = datetime.combine(night.start.astimezone(zone).date(), time(), zone).astimezone(UTC)
        first = math.ceil((midnight - start) / _HOUR)
        if 0 <= first <= gains.shape[1] - 2 * DAY:
            days.append(gains[:, first : first + 2 * DAY])
            part = first - (midnight - start) / _HOUR
    found = folding.hours_of(np.stack(days, axis=1)) if days else None
    if found is None:
        return pattern
    # Where local hours begin within those of the series, the outer ones are in force for a part alone.
    begin, end = math.floor(found[0] + part + 0.5), math.ceil(found[0] + found[1] + part - 0.5)
    length = max(end - begin, 1)
    hours = tuple(hour % DAY for hour in range(begin, begin + length))
    return replace(pattern, hours=hours, forecast=pattern.forecast and at_hours(pattern.forecast, hours, zone))


def _second_opinion(series: _Series, local: int, nights: list[tuple[int, int]]) -> str:
    """What change points found by a kernel say of the nights, without a model of counts."""
    if not nights:
        return ""
    n, k, usual = series.n, series.k, series.usual
    share = usual.over(len(n), local)[0]
    noise = n * share * (1 - share) * (1 + np.maximum(n - 1, 0) * usual.spread[0])
    score = np.where(n > 0, (k - n * share) / np.sqrt(np.maximum(noise, 1e-9)), 0.0)
    import ruptures  # noqa: PLC0415 - a second, of which a store without a curfew needs nothing

    breaks = ruptures.KernelCPD(kernel="linear", min_size=3).fit(score[:, None]).predict(pen=8.0)
    high = np.zeros(len(n), dtype=bool)
    begin = 0
    for end in breaks:
        high[begin:end] = score[begin:end].mean() > 1
        begin = end
    seen = sum(high[first:last].mean() >= 0.5 for first, last in nights if last > first)
    return "agrees" if seen * 2 >= len(nights) else "disagrees"


def _settle(n: Array, k: Array, local: int, history: int, settings: NetworkSettings) -> tuple[Baseline, Array, Array]:
    """Fit to the first days, find what is not usual, fit again to all that is, and find it again; then it is frozen."""
    hours = n.shape[1]
    clean = np.zeros(n.shape, dtype=bool)
    clean[:, :history] = True
    for _ in range(2):
        usual = fit(np.where(clean, n, 0), np.where(clean, k, 0), local)
        gains = states.likelihoods(n, k, usual, local)
        odds = states.of_one_step(gains, settings.enter, settings.leave)
        # Days in which something happened teach nothing about their other hours either.
        days = np.add.reduceat(odds >= settings.holds, np.arange(0, hours, DAY), axis=1) >= 5
        clean = ~np.repeat(days, DAY, axis=1)[:, :hours]
        clean[clean.sum(1) < history // 2, :history] = True
    return usual, gains, odds


def _nights(folded: folding.Folded, start: datetime, local: int, hours: int) -> list[tuple[datetime, datetime | None]]:
    skip = -local % DAY
    made: list[tuple[datetime, datetime | None]] = []
    for day in folded.days:
        begin = skip + day * DAY + folded.start
        end = begin + folded.length
        made.append(((start + begin * _HOUR).astimezone(UTC), None if end >= hours else start + end * _HOUR))
    return made

"""Curfews: cuts at the same hours of the local day, on most days, are one event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

import msgspec
import numpy as np

from rozaneh.observatory.events.event import Forecast

_DAY = 24
_LAPS = timedelta(days=1)


class RecurrenceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    hours_least: float
    hours_most: float
    days_least: int
    days_window: int
    overlap_least: float
    days_over: int
    moved_least: float


@dataclass(frozen=True)
class Night:
    """One cut, as a candidate for a night of a curfew.

    Attributes:
        start: UTC.
        end: UTC; none while it lasts.
        index: of the cut among those given.
    """

    start: datetime
    end: datetime | None
    index: int


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A curfew.

    Attributes:
        nights: those that belong to it.
        start: of its first night.
        end: of its last night; none while it is in force.
        hours: of the local day, in order, in which it is in force.
        days: local days on which its nights began.
        weekdays: of those, 0 is Monday, if it spares some; else all seven.
        known: when the rule first held: the end of the night that made it enough.
        forecast: of the next one, while it is in force.
    """

    nights: tuple[Night, ...]
    start: datetime
    end: datetime | None
    hours: tuple[int, ...]
    days: tuple[str, ...]
    weekdays: tuple[int, ...]
    known: datetime
    forecast: Forecast | None


def find_patterns(
    cuts: Sequence[tuple[datetime, datetime | None]], zone: tzinfo, until: datetime, settings: RecurrenceSettings
) -> list[Pattern]:
    """All curfews among cuts.

    Args:
        cuts: start and end of each, UTC, of one place.
        zone: of the place, with its history.
        until: to when the series is known.
        settings: the rule's numbers.
    """
    nights = [
        Night(start, end, index)
        for index, (start, end) in enumerate(cuts)
        if settings.overlap_least <= ((end or until) - start).total_seconds() / 3600 <= settings.hours_most
    ]
    nights.sort(key=lambda night: (night.start, night.index))
    found: list[Pattern] = []
    while nights:
        run = _first_run(nights, zone, settings)
        if run is None:
            return found
        found += [_pattern(phase, zone, until, settings) for phase in _phases(run, zone, settings)]
        # What is left over in the same days may be a second curfew, at other hours.
        taken = {night.index for night in run}
        nights = [night for night in nights if night.index not in taken]
    return found


def _first_run(nights: Sequence[Night], zone: tzinfo, settings: RecurrenceSettings) -> list[Night] | None:
    """The first nights that hold the rule, and all that follow them in the same hours."""
    for begin, first in enumerate(nights):
        window = [
            night
            for night in nights[begin:]
            if (_day(night, zone) - _day(first, zone)).days < settings.days_window
            and _overlap(night, first, zone) >= settings.overlap_least
        ]
        if len({_day(night, zone) for night in window}) < settings.days_least:
            continue
        # One night of which a part was missed is still a night; the usual one is long enough.
        lengths = [(night.end - night.start).total_seconds() / 3600 for night in window if night.end is not None]
        if lengths and float(np.median(lengths)) < settings.hours_least:
            continue
        run = list(window)
        for night in nights[begin:]:
            typical = run[len(run) // 2]
            near = (_day(night, zone) - _day(run[-1], zone)).days <= settings.days_over
            later = night not in run and night.start > run[-1].start
            if near and later and _overlap(night, typical, zone) >= settings.overlap_least:
                run.append(night)
        return run
    return None


def _phases(run: list[Night], zone: tzinfo, settings: RecurrenceSettings) -> list[list[Night]]:
    """The nights before and after the hours moved, where both are enough for a curfew; all where they did not."""
    least, closed = settings.days_least, [night for night in run if night.end is not None]
    if len(closed) < 2 * least:
        return [run]
    reference = _hour(run[0].start, zone)
    begins = np.array([_near(_hour(night.start, zone), reference) for night in closed])
    lengths = np.array([(night.end - night.start).total_seconds() / 3600 for night in closed if night.end is not None])
    hours = np.stack([begins, begins + lengths])

    def off(part: np.ndarray) -> float:
        return float(np.abs(part - np.median(part, axis=1, keepdims=True)).sum())

    split = min(range(least, len(closed) - least + 1), key=lambda at: off(hours[:, :at]) + off(hours[:, at:]))
    before, after = hours[:, :split], hours[:, split:]
    moved = np.abs(np.median(before, axis=1) - np.median(after, axis=1)).max() >= settings.moved_least
    if not moved or 2 * (off(before) + off(after)) > off(hours):
        return [run]
    at = run.index(closed[split])
    return [*_phases(run[:at], zone, settings), *_phases(run[at:], zone, settings)]


def _pattern(run: list[Night], zone: tzinfo, until: datetime, settings: RecurrenceSettings) -> Pattern:
    days = sorted({_day(night, zone) for night in run})
    closed = [night for night in run if night.end is not None]
    starts = [_hour(night.start, zone) for night in run]
    reference = starts[0]
    # Hours on a circle: each is taken as near the first as can be.
    start = float(np.median([_near(hour, reference) for hour in starts]))
    ends = [_near(_hour(night.end, zone), start + 8, least=start) for night in closed if night.end is not None]
    end = float(np.median(ends)) if ends else start + settings.hours_least
    first, last = round(start), max(round(end), round(start) + 1)
    hours = tuple(hour % _DAY for hour in range(first, min(last, first + _DAY)))
    in_force = (until.astimezone(zone).date() - days[-1]).days < settings.days_over
    enough = run[min(len(run), settings.days_least) - 1]
    weekdays = sorted({day.weekday() for day in days})
    spared = len(days) >= 14
    return Pattern(
        nights=tuple(run),
        start=run[0].start,
        end=None if in_force else run[-1].end,
        hours=hours,
        days=tuple(day.isoformat() for day in days),
        weekdays=tuple(weekdays) if spared else tuple(range(7)),
        known=enough.end or until,
        forecast=_forecast(days, (start, end), zone, until, settings) if in_force else None,
    )


def _forecast(
    days: Sequence[date], hours: tuple[float, float], zone: tzinfo, until: datetime, settings: RecurrenceSettings
) -> Forecast:
    """The next window at the same hours, and how often such a forecast came true from when the rule first held."""
    known = days[min(len(days), settings.days_least) - 1]
    came = set(days)
    later = [known + timedelta(days=n) for n in range(1, (days[-1] - known).days + 1)]
    hits = sum(day in came for day in later)
    today = until.astimezone(zone).date()
    start = _at(today, hours[0], zone)
    if start <= until:
        start = _at(today + _LAPS, hours[0], zone)
    span = (days[-1] - days[0]).days + 1
    return Forecast(
        start=start,
        end=start + timedelta(hours=hours[1] - hours[0]),
        chance=round((len(days) + 1) / (span + 2), 3),
        hits=hits,
        misses=len(later) - hits,
    )


def at_hours(forecast: Forecast, hours: Sequence[int], zone: tzinfo) -> Forecast:
    """The same forecast, of the full local hours that a curfew is told to have; of two nobody knows which holds.

    Args:
        forecast: by the ends of its nights, less than half a day from there.
        hours: of the local day, in order.
        zone: of the place.
    """
    local = forecast.start.astimezone(zone)
    off = _near(hours[0], _hour(local, zone)) - _hour(local, zone)
    start = forecast.start + timedelta(minutes=round(off * 60))
    return msgspec.structs.replace(forecast, start=start, end=start + timedelta(hours=len(hours)))


def _at(day: date, hour: float, zone: tzinfo) -> datetime:
    whole = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=round(hour * 60))
    return whole.astimezone(UTC)


def _day(night: Night, zone: tzinfo) -> date:
    return night.start.astimezone(zone).date()


def _hour(moment: datetime, zone: tzinfo) -> float:
    local = moment.astimezone(zone)
    return local.hour + local.minute / 60


def _near(hour: float, to: float, *, least: float | None = None) -> float:
    turned = min((hour + turn for turn in (-_DAY, 0, _DAY, 2 * _DAY)), key=lambda value: abs(value - to))
    while least is not None and turned <= least:
        turned += _DAY
    return turned


def _overlap(one: Night, other: Night, zone: tzinfo) -> float:
    """Hours of the local day that two nights share."""
    begin = _hour(one.start, zone)
    length = (one.end - one.start).total_seconds() / 3600 if one.end else _DAY
    there = _near(_hour(other.start, zone), begin)
    reach = (other.end - other.start).total_seconds() / 3600 if other.end else _DAY
    return max(0.0, min(begin + length, there + reach) - max(begin, there))

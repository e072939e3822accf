"""Curfews that are not as plain as one window a day: hours that move, two windows, summer time, leap day, new year."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from rozaneh.observatory.events.curfews import NetworkSettings, find_on_networks
from rozaneh.observatory.events.recurring import Pattern, RecurrenceSettings
from rozaneh.observatory.events.rules import event_rules

_RULES = event_rules()
_DAYS = 36


def _curfews(zone: str, first: dt.date, hours: dict[dt.date, list[range]]) -> list[Pattern]:
    """What is found where nine of ten fail in these local hours, from each day until the next one that is named."""
    local = ZoneInfo(zone)
    start = dt.datetime.combine(first, dt.time(), dt.UTC)
    rng = np.random.default_rng(3)
    n = rng.poisson(12.0, _DAYS * 24)
    share = np.full(len(n), 0.05)
    for hour in range(len(n)):
        moment = (start + dt.timedelta(hours=hour)).astimezone(local)
        since = [day for day in hours if day <= moment.date()]
        if since and any(moment.hour in window for window in hours[max(since)]):
            share[hour] = 0.9
    (found,) = find_on_networks(
        n[None].astype(float),
        rng.binomial(n, share)[None].astype(float),
        start,
        local,
        _RULES["network-states"].numbers(NetworkSettings),
        _RULES["recurring-cuts"].numbers(RecurrenceSettings),
    )
    assert found.cuts == ()
    return sorted(found.curfews, key=lambda each: (each.start, each.hours))


_DAY = dt.date


@pytest.mark.parametrize(
    ("zone", "first", "since"),
    [
        ("Asia/Tehran", _DAY(2022, 8, 28), _DAY(2022, 9, 14)),  # its last summer time ends on 22 September
        ("Africa/Cairo", _DAY(2023, 10, 5), _DAY(2023, 10, 18)),  # ends on 27 October
        ("Africa/Cairo", _DAY(2024, 4, 5), _DAY(2024, 4, 18)),  # begins on 26 April
        ("Asia/Kolkata", _DAY(2024, 2, 5), _DAY(2024, 2, 24)),  # a leap day
        ("Asia/Yangon", _DAY(2022, 12, 10), _DAY(2022, 12, 26)),  # a new year
    ],
)
def test_a_curfew_keeps_its_local_hours_whatever_the_calendar_does(zone: str, first: dt.date, since: dt.date) -> None:
    (one,) = _curfews(zone, first, {since: [range(16, 24)]})
    assert abs(one.hours[0] - 16) <= 1
    assert one.hours[-1] == 23
    wanted = [(since + dt.timedelta(days=day)).isoformat() for day in range(len(one.days))]
    assert list(one.days) == wanted
    assert len(one.days) >= (first + dt.timedelta(days=_DAYS - 1) - since).days
    # The window that is expected is that of the hours which are told, also where those of UTC begin at half past.
    assert one.forecast is not None
    soon = [moment.astimezone(ZoneInfo(zone)) for moment in (one.forecast.start, one.forecast.end)]
    assert [(moment.hour, moment.minute) for moment in soon] == [(one.hours[0], 0), (0, 0)]


@pytest.mark.parametrize("later", [range(18, 24), range(6, 12), range(10, 18)])
def test_a_curfew_whose_hours_move_is_two(later: range) -> None:
    moved = _DAY(2022, 10, 26)
    one, other = _curfews("Asia/Kolkata", _DAY(2022, 10, 1), {_DAY(2022, 10, 16): [range(14, 22)], moved: [later]})
    for found, hours in ((one, range(14, 22)), (other, later)):
        assert abs(found.hours[0] - hours[0]) <= 1
        assert abs(found.hours[-1] - hours[-1]) <= 1
    assert abs((dt.date.fromisoformat(other.days[0]) - moved).days) <= 1
    assert one.end is not None


def test_nights_that_begin_and_end_by_chance_an_hour_early_or_late_are_one_curfew() -> None:
    hours = [range(15 + day % 3, 23 - day % 2) for day in range(18)]
    (one,) = _curfews(
        "Asia/Kolkata", _DAY(2022, 10, 1), {_DAY(2022, 10, 14) + dt.timedelta(days=d): [h] for d, h in enumerate(hours)}
    )
    assert len(one.days) >= 18


@pytest.mark.parametrize("windows", [(range(6, 11), range(17, 23)), (range(8, 13), range(15, 22))])
def test_two_curfews_a_day_are_two_and_neither_has_the_hours_between(windows: tuple[range, range]) -> None:
    found = _curfews("Asia/Kolkata", _DAY(2022, 10, 1), {_DAY(2022, 10, 16): [*windows]})
    assert len(found) == 2
    for one, hours in zip(sorted(found, key=lambda each: each.hours), windows, strict=True):
        assert abs(one.hours[0] - hours[0]) <= 1
        assert abs(one.hours[-1] - hours[-1]) <= 1
        assert len(one.days) >= 18

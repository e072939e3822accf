"""Cuts in simulated signals, of the kinds that were seen in November 2019, June 2025 and January 2026."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rozaneh.observatory.events import Found, signal_events
from rozaneh.observatory.signals.signal import Signal

_START = datetime(2022, 1, 2, tzinfo=UTC)
_HOUR = 3600


def _signal(  # noqa: PLR0917 - a series has many sides
    cuts: Sequence[tuple[float, float]] = (),
    seed: int = 1,
    days: int = 60,
    noise: float = 0.03,
    daily: float = 0.1,
    floor: float = 0.05,
    back: float = 1.0,
    step: int = _HOUR,
    scale: float = 100.0,
    name: str = "x",
) -> Signal:
    """A series in which hours ``cuts`` are cut: falling within half an hour, back within a day."""
    random = np.random.default_rng(seed)
    times = np.arange(0, days * 86400, step).astype(np.float64) + _START.timestamp()
    hours = (times - times[0]) / _HOUR
    values = (1 + daily * np.sin(2 * np.pi * (hours - 15) / 24)) * np.maximum(random.normal(1, noise, len(times)), 0)
    for start, end in cuts:
        fall = np.clip(1 - (hours - start) / 0.5, floor, 1)
        rise = np.clip(floor + (back - floor) * (hours - end) / 24, floor, back)
        values *= np.where(hours < end, fall, rise)
    values[random.random(len(times)) < 0.02] = np.nan
    return Signal(name=name, country="IR", times=times, values=values * scale)


def _hours(found: Found) -> tuple[float, float | None]:
    start, end = found.event.start, found.event.end
    return (start - _START) / timedelta(hours=1), None if end is None else (end - _START) / timedelta(hours=1)


MONTH = (8 * 24 + 18, 38 * 24 + 12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e9])
@pytest.mark.parametrize(("noise", "daily", "step"), [(0.01, 0.0, _HOUR), (0.1, 0.4, _HOUR), (0.1, 0.3, 600)])
def test_a_cut_of_a_month_is_one_event_that_opens_within_an_hour_and_does_not_heal(
    scale: float, noise: float, daily: float, step: int
) -> None:
    (found,) = signal_events([_signal([MONTH], noise=noise, daily=daily, step=step, scale=scale)]).found
    start, end = _hours(found)
    assert found.event.kind == "outage"
    assert abs(start - MONTH[0]) <= 1
    assert end is not None
    assert MONTH[1] <= end <= MONTH[1] + 24


def test_while_a_cut_lasts_it_has_no_end_however_long() -> None:
    (found,) = signal_events([_signal([(MONTH[0], 1e6)], days=200)]).found
    assert _hours(found)[1] is None
    assert found.evidence.state == "down"


def test_what_is_partly_back_is_not_over() -> None:
    (found,) = signal_events([_signal([MONTH], back=0.5)]).found
    assert found.event.end is None
    assert found.evidence.state == "partly back"


def test_two_cuts_with_a_gap_are_two_events() -> None:
    found = signal_events([_signal([(360, 480), (528, 800)], days=50)]).found
    assert [round(_hours(each)[0]) for each in found] == [361, 529]


def test_a_second_cut_after_a_recovery_that_was_not_whole_is_a_second_event() -> None:
    found = signal_events([_signal([(200, 670), (1200, 1900)], days=90, back=0.85)]).found
    assert len(found) == 2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("noise", "daily"), [(0.005, 0.0), (0.06, 0.5), (0.2, 0.3)], ids=["routes", "traffic", "telescope"]
)
def test_quiet_series_give_no_event(seed: int, noise: float, daily: float) -> None:
    assert signal_events([_signal(seed=seed, noise=noise, daily=daily)]).found == []


def test_a_quiet_weekend_is_no_event() -> None:
    signal = _signal(noise=0.05, daily=0.4)
    weekend = (signal.times // 86400) % 7 == 1
    signal.values[weekend] *= 0.7
    assert signal_events([signal]).found == []


def test_a_surge_that_goes_away_again_is_no_outage() -> None:
    signal = _signal()
    signal.values[20 * 24 : 45 * 24] *= 3
    assert signal_events([signal]).found == []


def test_one_missing_day_one_wrong_sample_and_turned_clocks_are_no_event() -> None:
    signal = _signal(daily=0.4)
    signal.values[30 * 24 : 31 * 24] = np.nan
    signal.values[40 * 24] = 0
    turned = Signal(
        name="x",
        country="IR",
        times=np.where(signal.times > signal.times[20 * 24], signal.times + 2 * _HOUR, signal.times),
        values=signal.values,
    )
    assert signal_events([signal]).found == []
    assert signal_events([turned]).found == []


def test_a_fall_into_missing_hours_holds_until_it_is_seen_to_be_back() -> None:
    signal = _signal([(360, 480)])
    signal.values[400:440] = np.nan
    (found,) = signal_events([signal]).found
    assert _hours(found)[1] is not None


def test_a_nightly_cut_is_one_curfew_in_the_hours_of_the_place() -> None:
    # 16:00 to 24:00 in Tehran is 12:30 to 20:30 UTC in winter.
    nights = [(24 * day + 12.5, 24 * day + 20.5) for day in range(15, 27)]
    signal = _signal(noise=0.05)
    for start, end in nights:
        hours = (signal.times - signal.times[0]) / _HOUR
        signal.values[(hours >= start) & (hours < end)] *= 0.05
    (found,) = signal_events([signal]).found
    assert found.event.kind == "curfew"
    assert found.event.hours is not None
    assert abs(found.event.hours[0] - 16) <= 1
    assert len(found.event.hours) in (7, 8, 9)
    assert len(found.evidence.days) == 12
    assert found.evidence.zone == "Asia/Tehran"
    assert found.event.end is not None


def test_a_curfew_in_force_is_forecast_and_the_forecast_is_counted() -> None:
    signal = _signal(days=25, noise=0.05)
    hours = (signal.times - signal.times[0]) / _HOUR
    for day in range(15, 26):
        signal.values[(hours >= 24 * day + 12.5) & (hours < 24 * day + 20.5)] *= 0.05
    (found,) = signal_events([signal]).found
    forecast = found.evidence.forecast
    assert found.event.end is None
    assert forecast is not None
    assert abs((forecast.start - _START) / timedelta(hours=1) - (25 * 24 + 12.5)) <= 1
    assert (forecast.hits, forecast.misses) == (7, 0)


def test_each_signal_votes_and_routes_that_stay_up_do_not_hide_an_outage() -> None:
    down, up = _signal([MONTH], name="probing"), _signal(seed=2, noise=0.005, name="routes")
    (found,) = signal_events([down, up]).found
    assert [(vote.signal, vote.fell) for vote in found.evidence.votes] == [("probing", True), ("routes", False)]
    assert found.event.sources == 1
    assert "other-signals-well" in found.evidence.would_change
    (both,) = signal_events([down, _signal([MONTH], seed=2, name="routes")]).found
    assert both.event.confidence > found.event.confidence


def test_no_event_begins_where_the_measuring_changed_unless_a_second_signal_fell() -> None:
    mark = _START + timedelta(hours=MONTH[0])
    one, two = _signal([MONTH], name="a"), _signal([MONTH], seed=2, name="b")
    assert signal_events([one], marks=[mark]).found == []
    assert len(signal_events([one, two], marks=[mark]).found) == 1


def test_too_little_history_is_said_and_nothing_is_claimed() -> None:
    findings = signal_events([_signal([(30, 40)], days=2)])
    assert findings.found == []
    assert findings.heard == 0
    assert [name for name, _, _ in findings.short] == ["x"]


def test_the_order_of_input_changes_nothing() -> None:
    signals = [_signal([MONTH], seed=seed, name=name) for seed, name in enumerate("abc")]
    assert signal_events(signals).found == signal_events(signals[::-1]).found


@pytest.mark.parametrize("missing", [(699,), (696, 697, 698, 699), (700,)])
def test_a_sample_that_is_missing_where_a_cut_ends_does_not_end_it_earlier(missing: tuple[int, ...]) -> None:
    values = np.ones(50 * 24)
    values[400:700] = 0.1
    values[list(missing)] = np.nan
    times = np.arange(0, len(values) * _HOUR, _HOUR).astype(np.float64) + _START.timestamp()
    (found,) = signal_events([Signal(name="x", country="IR", times=times, values=values)]).found
    assert _hours(found) == (400, 701 if 700 in missing else 700)


@pytest.mark.parametrize("missing", [0.2, 0.3])
def test_nights_of_a_curfew_stay_apart_where_many_samples_between_them_are_missing(missing: float) -> None:
    random = np.random.default_rng(7)
    signal = _signal(days=60)
    hours = (signal.times - signal.times[0]) / _HOUR
    nights = (hours % 24 >= 13) & (hours % 24 < 21) & (hours >= 35 * 24) & (hours < 47 * 24)
    signal.values[nights] *= 0.03
    signal.values[random.random(len(hours)) < missing] = np.nan
    (found,) = signal_events([signal]).found
    assert found.event.kind == "curfew"
    assert len(found.evidence.days) >= 11
    assert found.event.end is not None
    assert (found.event.end - found.event.start) / timedelta(days=1) > 10


def test_what_is_back_for_two_samples_in_a_day_of_missing_ones_is_not_back() -> None:
    signal = _signal([(400, 500)])
    signal.values[502:524] = np.nan
    signal.values[524:] *= 0.05
    (found,) = signal_events([signal]).found
    assert found.event.end is None

from datetime import UTC, datetime, timedelta

import pytest

from rozaneh.core import LocalFault
from rozaneh.net.clock import RunningClock, SystemClock, clock_from_environment


def test_the_systems_clock_knows_its_zone_and_its_error() -> None:
    assert SystemClock().now().tzinfo is not None
    assert SystemClock(3600).now() - datetime.now(UTC) > timedelta(minutes=59)


def test_the_labs_clock_runs_on_from_its_start() -> None:
    clock = clock_from_environment({"ROZANEH_LAB_CLOCK": "2022-09-21T15:50:00+04:30"})
    assert isinstance(clock, RunningClock)
    first, second = clock.now(), clock.now()
    assert clock.start <= first <= second < clock.start + timedelta(minutes=1)
    assert (first.hour, first.utcoffset()) == (15, timedelta(hours=4.5))


def test_without_a_lab_it_is_the_systems() -> None:
    assert clock_from_environment({}) == SystemClock()
    assert clock_from_environment({"ROZANEH_LAB_CLOCK": ""}) == SystemClock()


@pytest.mark.parametrize("text", ["noon", "2022-09-21T15:50:00", "99:99"])
def test_what_is_no_time_with_a_zone_is_named(text: str) -> None:
    with pytest.raises(LocalFault, match="expected a time with its zone"):
        clock_from_environment({"ROZANEH_LAB_CLOCK": text})

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from rozaneh.core import LocalFault
from rozaneh.lab.clock import LabClock
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


def test_it_is_turned_while_a_program_runs(tmp_path: Path) -> None:
    shown = LabClock(datetime(2022, 9, 21, 15, 50, tzinfo=timezone(timedelta(hours=4.5))))
    shown.show_in(tmp_path / "clock")
    environment = {"ROZANEH_LAB_CLOCK": shown.now().isoformat(), "ROZANEH_LAB_CLOCK_FILE": str(tmp_path / "clock")}
    clock = clock_from_environment(environment)
    assert clock.now().hour == 15
    shown.set(shown.start.replace(hour=23, minute=59))
    assert abs(clock.now() - shown.now()) < timedelta(minutes=1)
    for spoilt in (b"soon 7", b"\xff", b"2022-09-21 7"):
        (tmp_path / "clock").write_bytes(spoilt)
        assert clock.now().hour == 23, "what is no time turns nothing"
    (tmp_path / "clock").unlink()
    assert clock.now().hour == 23, "and where the lab has gone it runs on"


def test_without_a_lab_it_is_the_systems() -> None:
    assert clock_from_environment({}) == SystemClock()
    assert clock_from_environment({"ROZANEH_LAB_CLOCK": ""}) == SystemClock()


@pytest.mark.parametrize("text", ["noon", "2022-09-21T15:50:00", "99:99"])
def test_what_is_no_time_with_a_zone_is_named(text: str) -> None:
    with pytest.raises(LocalFault, match="expected a time with its zone"):
        clock_from_environment({"ROZANEH_LAB_CLOCK": text})

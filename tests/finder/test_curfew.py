"""When a cut is usual, and when it is not."""

import datetime as dt

import pytest

from rozaneh.finder.curfew import Hour, expected
from rozaneh.finder.memory import Memory

TEHRAN = dt.timezone(dt.timedelta(hours=4.5))
NOW = dt.datetime(2022, 9, 28, 15, 50, tzinfo=TEHRAN)


def evenings(days: int, *, first: int = 1, hours: range = range(16, 24), cut: bool = True) -> list[Hour]:
    return [
        Hour(day=NOW.date() - dt.timedelta(days=day), hour=hour, open=0 if cut else 3, cut=3 if cut else 0)
        for day in range(first, first + days)
        for hour in hours
    ]


def at(hour: int, minute: int = 0, *, days: int = 0) -> dt.datetime:
    return NOW.replace(hour=hour, minute=minute) + dt.timedelta(days=days)


def test_three_evenings_make_a_rule_and_it_says_on_how_many_it_rests() -> None:
    found = expected(evenings(3) + evenings(3, hours=range(8, 12), cut=False), NOW)
    assert found is not None
    assert (found.start, found.end, found.days, found.of) == (at(16), at(0, days=1), 3, 3)


@pytest.mark.parametrize(
    "hours",
    [
        [],
        evenings(2),
        evenings(3) + evenings(3, first=4, cut=False),  # half of the evenings
        evenings(3, first=4) + evenings(3, cut=False),  # it has ended
        evenings(3, first=8),  # nothing is known of the last week
        evenings(3, first=20),
        evenings(5, hours=range(24)),  # a line that is cut all day has no hour
        evenings(5, hours=range(0, 24, 2)),  # nor has one that is cut whenever it is looked at, every second hour
        [
            Hour(day=NOW.date() + dt.timedelta(days=day), hour=16, cut=9) for day in range(1, 6)
        ],  # a clock that went back
    ],
)
def test_what_is_no_rule_is_not_expected(hours: list[Hour]) -> None:
    assert expected(hours, NOW) is None


def test_while_it_is_on_it_says_when_it_began_and_ends() -> None:
    found = expected(evenings(4), at(23, 10))
    assert found is not None
    assert (found.start, found.end) == (at(16), at(0, days=1))
    after = expected(evenings(4), at(0, 5, days=1))
    assert after is not None
    assert after.start == at(16, days=1)


def test_one_over_midnight_and_an_hour_of_which_nothing_is_known() -> None:
    hours = evenings(4, hours=range(22, 24)) + evenings(4, hours=range(1, 3))
    found = expected(hours, at(0, 30))
    assert found is not None
    assert (found.start, found.end) == (at(22, days=-1), at(3))


def test_the_memory_keeps_hours_by_network_for_a_month() -> None:
    memory = Memory()
    for day in range(40, -1, -1):
        memory.line_was("one", NOW - dt.timedelta(days=day), cut=day % 2 == 0)
    memory.line_was("one", NOW, cut=False)
    memory.line_was("other", NOW, cut=True)
    kept = memory.line("one")
    assert len(kept) == 31
    assert max(kept, key=lambda each: each.day) == Hour(day=NOW.date(), hour=15, open=1, cut=1)
    memory.wipe()
    assert memory.line("one") == []
    assert not memory.kept

"""Where a country begins, and which weeks are read at once."""

import datetime as dt
from collections.abc import Mapping

import ibis
import pyarrow as pa
import pytest

from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.weeks import WeekSettings, weeks_read

_RULE = event_rules()["first-week"].numbers(WeekSettings)
_MONDAY = dt.date(2022, 9, 5)


def _weeks(sources: Mapping[dt.date, int]) -> list[tuple[dt.date, dt.date]]:
    """Weeks of a table with so many sources on these days."""
    rows = [(day, source) for day, many in sources.items() for source in range(many)]
    columns = {"day": [day for day, _ in rows], "source": [source for _, source in rows]}
    connection = ibis.duckdb.connect()
    connection.con.register("hourly", pa.table(columns, schema=pa.schema({"day": pa.date32(), "source": pa.int64()})))
    return weeks_read(connection.table("hourly"), _RULE)


def _days(many: int, weeks: int = 8) -> dict[dt.date, int]:
    return {_MONDAY + dt.timedelta(days=day): many for day in range(weeks * 7)}


@pytest.mark.parametrize(
    ("usual", "before", "dropped"),
    [(40, 1, True), (40, 3, True), (40, 4, False), (9, 2, True), (9, 3, False), (2, 1, True), (1, 1, False)],
)
def test_a_country_begins_with_a_tenth_of_its_usual_sources_or_three(usual: int, before: int, dropped: bool) -> None:
    early = dict.fromkeys((_MONDAY - dt.timedelta(days=28), _MONDAY - dt.timedelta(days=11)), before)
    first = _weeks(early | _days(usual))[0][0]
    assert (first == _MONDAY) is dropped


def test_one_who_measures_for_years_alone_moves_neither_the_beginning_nor_what_is_usual() -> None:
    alone = {_MONDAY - dt.timedelta(days=7 * week): 1 for week in range(1, 200)}
    assert _weeks(alone | _days(40))[0][0] == _MONDAY


def test_the_first_and_the_last_day_of_the_calendar_have_a_week() -> None:
    assert _weeks({dt.date.min: 1}) == [(dt.date.min, dt.date(1, 1, 7))]
    assert _weeks({dt.date.max: 1}) == [(dt.date(9999, 12, 27), dt.date.max)]
    assert _weeks({}) == []

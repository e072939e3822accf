"""The weeks of a country: from which one on they count, and which are read at once.

Theory of operation. What is usual is learnt from the first days. A clock that is years behind, or what is sent weeks
late, puts a few measurements long before all others: the first days would then hold hardly anything, nothing could be
learnt from them, and one measurement would hide every event. So a country begins with the first week in which a part of
the usual number of sources measured. The usual number is that of the middle source: of all sources of all weeks half
measured in weeks with as many or more. Weeks in which one source is alone, however many, do not move it unless they
hold more sources together than the weeks of the others do.
"""

import datetime as dt
from typing import Any

import msgspec
import numpy as np

_DAYS = 7
_EPOCH = dt.date(1970, 1, 1).toordinal()
_ROWS = 1 << 18  # of the table of hours, that are asked for at once where more than a week has so few


class WeekSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    usual_least: float
    sources_least: int


def weeks_read(t: Any, settings: WeekSettings) -> list[tuple[dt.date, dt.date]]:
    """Whole weeks, as many at once as have few rows together: the first day and the last one.

    Measurements years apart would else be hundreds of questions, and a question costs more than its answer.

    Args:
        t: the table of hours of one country.
        settings: the numbers of the rule.
    """
    table = t.group_by(["day", "source"]).aggregate(rows=t.count()).to_pyarrow()
    if not table.num_rows:
        return []
    day = table.column("day").to_numpy().astype("datetime64[D]").astype(np.int64)
    # Day 1 of year 1 was a Monday.
    weeks, of_week = np.unique((day + _EPOCH - 1) // _DAYS, return_inverse=True)
    sources = _sources(of_week, table.column("source").to_numpy())
    rows = np.bincount(of_week, table.column("rows").to_numpy())
    first = int(np.argmax(sources >= _wanted(sources, settings)))
    made: list[tuple[dt.date, dt.date]] = []
    so_far = 0.0
    for week, many in zip(weeks[first:].tolist(), rows[first:].tolist(), strict=True):
        monday = week * _DAYS + 1
        sunday = dt.date.fromordinal(min(monday + _DAYS - 1, dt.date.max.toordinal()))
        if made and so_far + many <= _ROWS:
            made[-1], so_far = (made[-1][0], sunday), so_far + many
        else:
            made.append((dt.date.fromordinal(monday), sunday))
            so_far = many
    return made


def _sources(week: np.ndarray, source: np.ndarray) -> np.ndarray:
    """How many sources measured in each week."""
    names, rank = np.unique(source, return_inverse=True)
    return np.bincount(np.unique(week * len(names) + rank) // len(names))


def _wanted(sources: np.ndarray, settings: WeekSettings) -> float:
    """How many sources a week has to have for the country to begin there."""
    ordered = np.sort(sources)
    usual = int(ordered[np.searchsorted(2 * np.cumsum(ordered), ordered.sum())])
    return min(max(settings.usual_least * usual, settings.sources_least), usual)

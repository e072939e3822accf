"""Counts by hour out of a store: for each network and subject, how many measurements and how many failed how."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from rozaneh.observatory.events.baseline import Array
from rozaneh.observatory.events.weights import WeightSettings, weighed

_WEEK = dt.timedelta(days=7)
_ROWS = 1 << 18  # of the table of hours, that are asked for at once: more would not fit into the memory of an engine
_MOST = 65_535
_TINY = 1e-6
KINDS = ("failed", "refused", "throttled", "compared")
"""What is counted beside ``n``: whatever keeps people from it (blocked, cut, failed without a clearer verdict); turned
away by the service; slowed down; and those that can tell whether it is slowed down."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Counts of one country. Rows are series, columns are hours.

    Attributes:
        country: two capitals.
        start: first hour, UTC.
        series: autonomous system and subject of each row, sorted.
        n: measurements.
        kinds: for each of :data:`KINDS` the counts of them.
    """

    country: str
    start: dt.datetime
    series: list[tuple[int, str]]
    n: NDArray[np.uint16]
    kinds: dict[str, NDArray[np.uint16]]

    @property
    def hours(self) -> int:
        """How many hours there are."""
        return int(self.n.shape[1])


def countries(connection: Any) -> list[str]:
    """The countries of a store."""
    found = connection.table("hourly").select("country").distinct().to_pyarrow()
    return sorted(found.column("country").to_pylist())


def load_counts(connection: Any, country: str, weights: WeightSettings) -> Counts | None:
    """Read the counts of a country; none where it has no hours.

    A source counts in a day no more than :mod:`~rozaneh.observatory.events.weights` lets it, and in an hour at most
    ``loudest`` times the mean of the others, or ``loudest_least`` measurements if that is more: the loudest one is cut
    down to that.
    """
    t = connection.table("hourly")
    t = t.filter(t.country == country)
    bounds = t.aggregate(first=t.hour.min(), last=t.hour.max()).to_pyarrow().to_pylist()[0]
    if bounds["first"] is None:
        return None
    names = t.select("asn", "subject").distinct().to_pyarrow()
    series = sorted(zip(names.column("asn").to_pylist(), names.column("subject").to_pylist(), strict=True))
    places = {key: place for place, key in enumerate(series)}
    start, end = _utc(bounds["first"]), _utc(bounds["last"])
    hours = int((end - start).total_seconds() // 3600) + 1
    made = Counts(
        country=country,
        start=start,
        series=series,
        n=np.zeros((len(series), hours), np.uint16),
        kinds={kind: np.zeros((len(series), hours), np.uint16) for kind in KINDS},
    )
    for first, after in _batches(t):
        _take(made, _grouped(t.filter((t.day >= first) & (t.day < after)), weights), places, weights)
    return made


def _batches(t: Any) -> list[tuple[dt.date, dt.date]]:
    """Whole weeks, as many as have few rows together: the first day, and the one after the last.

    Measurements years apart would else be hundreds of questions, and a question costs more than its answer.
    """
    rows: dict[dt.date, int] = {}
    for row in t.group_by("day").aggregate(rows=t.count()).order_by("day").to_pyarrow().to_pylist():
        monday = row["day"] - dt.timedelta(days=row["day"].weekday())
        rows[monday] = rows.get(monday, 0) + row["rows"]
    made: list[tuple[dt.date, dt.date]] = []
    so_far = 0
    for monday, many in rows.items():
        if made and so_far + many <= _ROWS:
            made[-1], so_far = (made[-1][0], monday + _WEEK), so_far + many
        else:
            made.append((monday, monday + _WEEK))
            so_far = many
    return made


def _grouped(t: Any, weights: WeightSettings) -> Any:
    """One row for each network, subject and hour, with its loudest source beside it."""
    t = t.mutate(failing=t.blocked + t.failed + t.outage + t.domestic_only, week=t.day.truncate("W"))
    of_source = t.group_by(["asn", "subject", "week", "day", "hour", "source"]).aggregate(
        n=(t.n - t.void).sum(), failed=t.failing.sum(), **{kind: t[kind].sum() for kind in KINDS[1:]}
    )
    of_source = weighed(of_source, weights, ("n", *KINDS))
    # The largest of structs, which are compared field by field: of two that are equally loud, the one that says more
    # that something is wrong, on every engine and in every order of rows.
    top = ibis.struct({name: of_source[name] for name in ("n", *KINDS)})
    return of_source.group_by(["asn", "subject", "hour"]).aggregate(
        n=of_source.n.sum(),
        sources=of_source.count(),
        loud=top.max(),
        **{kind: of_source[kind].sum() for kind in KINDS},
    )


def _take(made: Counts, grouped: Any, places: dict[tuple[int, str], int], weights: WeightSettings) -> None:
    rows = grouped.mutate(loud_n=grouped.loud.n, **{f"loud_{kind}": grouped.loud[kind] for kind in KINDS})
    table = rows.drop("loud").to_pyarrow()
    if not table.num_rows:
        return
    column = {
        name: np.asarray(table.column(name).to_numpy(zero_copy_only=False)).astype(np.float64)
        for name in ("n", "sources", "loud_n", *KINDS, *(f"loud_{kind}" for kind in KINDS))
    }
    subject = table.column("subject").dictionary_encode().combine_chunks()
    words = subject.dictionary.to_pylist()
    codes = subject.indices.to_numpy()
    asns, asn_codes = np.unique(table.column("asn").to_numpy(), return_inverse=True)
    lookup = np.array([[places.get((int(asn), word), -1) for word in words] for asn in asns])
    row = lookup[asn_codes, codes]
    moments = table.column("hour").cast("timestamp[s]").to_numpy().astype(np.int64)
    hour = (moments - int(made.start.timestamp())) // 3600
    others = np.maximum(column["sources"] - 1, 1)
    limit = np.maximum(weights.loudest_least, weights.loudest * (column["n"] - column["loud_n"]) / others)
    cut = np.maximum(column["loud_n"] - limit, 0)
    share = cut / np.maximum(column["loud_n"], _TINY)
    order = np.lexsort((hour, row))
    place = row[order], hour[order]
    n = _whole((column["n"] - cut)[order], place[0])
    made.n[place] = n
    for kind in KINDS:
        kept = column[kind] - share * column[f"loud_{kind}"]
        made.kinds[kind][place] = np.minimum(_whole(kept[order], place[0]), n)


def _whole(weighed: Array, row: NDArray[np.int64]) -> Array:
    """Whole numbers: what is lost or won by rounding is made up for by the hours of the same row that follow."""
    if np.array_equal(np.rint(weighed), weighed):
        return np.minimum(weighed, _MOST)
    total = np.cumsum(weighed)
    begins = np.diff(row, prepend=-1) > 0
    before = np.maximum.accumulate(np.where(begins, total - weighed, 0.0))
    # Sums of weights that make a whole number miss it by a little.
    rounded = np.rint(total - before + _TINY)
    whole: Array = np.minimum(rounded - np.where(begins, 0.0, np.concatenate(([0.0], rounded[:-1]))), _MOST)
    return whole


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def as_float(counts: NDArray[np.uint16]) -> Array:
    """Counts for arithmetic."""
    return counts.astype(np.float64)

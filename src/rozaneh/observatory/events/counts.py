"""Counts by hour out of a store: for each network and subject, how many measurements and how many failed how."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from rozaneh.observatory.events.baseline import Array

_BATCH = dt.timedelta(days=7)
_MOST = 65_535
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


def load_counts(connection: Any, country: str, loudest: float, loudest_least: float) -> Counts | None:
    """Read the counts of a country; none where it has no hours.

    A source counts in an hour at most ``loudest`` times the mean of the others, or ``loudest_least`` measurements if
    that is more: the loudest one is cut down to that.
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
    # Weeks in which nobody measured are not asked for: measurements years apart would be hundreds of questions.
    days = sorted(t.select("day").distinct().to_pyarrow().column("day").to_pylist())
    asked = dt.date.min
    for day in days:
        if day >= asked:
            asked = day + _BATCH
            _take(made, _grouped(t.filter((t.day >= day) & (t.day < asked))), places, loudest, loudest_least)
    return made


def _grouped(t: Any) -> Any:
    """One row for each network, subject and hour, with its loudest source beside it."""
    t = t.mutate(failing=t.blocked + t.failed + t.outage + t.domestic_only)
    of_source = t.group_by(["asn", "subject", "hour", "source"]).aggregate(
        n=(t.n - t.void).sum(), failed=t.failing.sum(), **{kind: t[kind].sum() for kind in KINDS[1:]}
    )
    # The largest of structs, which are compared field by field: of two that are equally loud, the one that says more
    # that something is wrong, on every engine and in every order of rows.
    top = ibis.struct({name: of_source[name] for name in ("n", *KINDS)})
    return of_source.group_by(["asn", "subject", "hour"]).aggregate(
        n=of_source.n.sum(),
        sources=of_source.count(),
        loud=top.max(),
        **{kind: of_source[kind].sum() for kind in KINDS},
    )


def _take(made: Counts, grouped: Any, places: dict[tuple[int, str], int], loudest: float, least: float) -> None:
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
    limit = np.maximum(least, loudest * (column["n"] - column["loud_n"]) / others)
    cut = np.maximum(column["loud_n"] - limit, 0)
    share = cut / np.maximum(column["loud_n"], 1)
    made.n[row, hour] = np.minimum(np.rint(column["n"] - cut), _MOST)
    for kind in KINDS:
        kept = np.rint(column[kind] - share * column[f"loud_{kind}"])
        made.kinds[kind][row, hour] = np.minimum(np.minimum(kept, column["n"] - cut), _MOST)


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def as_float(counts: NDArray[np.uint16]) -> Array:
    """Counts for arithmetic."""
    return counts.astype(np.float64)

"""Counts by hour out of a store: for each network and subject, how many measurements and how many failed how."""

import datetime as dt
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rozaneh.core import LocalFault
from rozaneh.observatory.events.baseline import Array
from rozaneh.observatory.events.weeks import WeekSettings, weeks_read
from rozaneh.observatory.events.weights import Said, WeightSettings, weights
from rozaneh.observatory.memory import most_memory
from rozaneh.observatory.signals.signal import HOUR

_MOST = 65_535
_TINY = 1e-6
_BYTES = 7  # of memory, measured with 80,000 series over 120 days
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


class TooLarge(LocalFault):
    """A country whose counts this machine's memory does not hold: so many services on networks, over so many days."""

    def __init__(self, country: str, series: int, days: int) -> None:
        super().__init__(f"{country}: {series} services on networks over {days} days are more than memory holds")
        self.country = country
        self.series = series
        self.days = days


def countries(connection: Any) -> list[str]:
    """The countries of a store."""
    found = connection.table("hourly").select("country").distinct().to_pyarrow()
    return sorted(found.column("country").to_pylist())


def load_counts(connection: Any, country: str, begins: WeekSettings, rule: WeightSettings) -> Counts | None:
    """Read the counts of a country; none where it has no hours.

    It begins where :mod:`~rozaneh.observatory.events.weeks` says. A source counts in a day no more than
    :mod:`~rozaneh.observatory.events.weights` lets it, and in an hour at most ``loudest`` times the mean of the others,
    or ``loudest_least`` measurements if that is more: the loudest one is cut down to that.

    Raises:
        TooLarge: many names over many years, of a stranger or of an archive of decades, would else take all memory.
    """
    t = connection.table("hourly")
    t = t.filter(t.country == country)
    weeks = weeks_read(t, begins)
    if not weeks:
        return None
    t = t.filter(t.day >= weeks[0][0])
    names = t.group_by(["asn", "subject"]).aggregate(first=t.hour.min(), last=t.hour.max()).to_pyarrow()
    series = sorted(zip(names.column("asn").to_pylist(), names.column("subject").to_pylist(), strict=True))
    places = {key: place for place, key in enumerate(series)}
    start, end = _utc(pc.min(names.column("first")).as_py()), _utc(pc.max(names.column("last")).as_py())
    hours = int((end - start).total_seconds() // 3600) + 1
    if len(series) * hours > most_cells():
        raise TooLarge(country, len(series), hours // 24)
    made = Counts(
        country=country,
        start=start,
        series=series,
        n=np.zeros((len(series), hours), np.uint16),
        kinds={kind: np.zeros((len(series), hours), np.uint16) for kind in KINDS},
    )
    # The next rows are asked for while these are counted.
    with ThreadPoolExecutor(1) as pool:
        counting: Future[None] | None = None
        for first, last in weeks:
            rows = _asked(t.filter((t.day >= first) & (t.day <= last)))
            if counting:
                counting.result()
            counting = pool.submit(_take, made, rows, places, rule)
        if counting:
            counting.result()
    return made


def most_cells() -> int:
    """Series times hours that three quarters of this process's memory hold: a cell takes seven bytes."""
    return most_memory() * 3 // 4 // _BYTES


def _asked(t: Any) -> pa.Table:
    """Rows of hours as they are: they are hardly more than their groups, and grouping them here costs a tenth."""
    failing = t.blocked + t.failed + t.outage + t.domestic_only
    rows = t.select("asn", "subject", "hour", "source", *KINDS[1:], n=t.n - t.void, failed=failing)
    found: pa.Table = rows.to_pyarrow()
    return found


def _take(made: Counts, table: pa.Table, places: dict[tuple[int, str], int], rule: WeightSettings) -> None:
    if not table.num_rows:
        return
    cell, source = _places(table, places) * made.hours + _hours(table, made.start), _codes(table, "source")
    order = _order(cell, source)
    cell, source = cell[order], source[order]
    first = np.append(True, cell[1:] != cell[:-1])
    of_source = np.flatnonzero(first | np.append(True, source[1:] != source[:-1]))
    # Most columns of most weeks hold nothing.
    columns = {name: table.column(name).to_numpy() for name in ("n", *KINDS)}
    kinds = [name for name in KINDS if columns[name].any()]
    said = {name: _added(columns[name], order, of_source) for name in ("n", *kinds)}
    cell, source, starts = cell[of_source], source[of_source], np.flatnonzero(first[of_source])
    weight = weights(_said(made, cell, source, said["n"]), rule)
    if np.any(weight < 1):
        said = {name: column * weight for name, column in said.items()}
    sources = np.diff(starts, append=len(cell))
    total = {name: np.add.reduceat(column, starts) for name, column in said.items()}
    loud = _loudest(said, sources, rule.loudest_least)
    limit = np.maximum(rule.loudest_least, rule.loudest * (total["n"] - loud["n"]) / np.maximum(sources - 1, 1))
    cut = np.maximum(loud["n"] - limit, 0)
    share = cut / np.maximum(loud["n"], _TINY)
    at = cell[starts]
    row = at // made.hours
    n = _whole(total["n"] - cut, row)
    made.n.reshape(-1)[at] = n
    for kind in kinds:
        made.kinds[kind].reshape(-1)[at] = np.minimum(_whole(total[kind] - share * loud[kind], row), n)


def _said(made: Counts, cell: NDArray[np.int64], source: NDArray[np.int64], n: Array) -> Said:
    """What is weighed, of rows that each say a cell."""
    service, hour = np.divmod(cell, made.hours)
    network = np.array([asn for asn, _ in made.series], np.int64)[service]
    day, of_day = np.divmod(hour + int(made.start.timestamp()) // HOUR, 24)
    return Said(network, service, day, of_day // 6, source, n)


def _order(cell: NDArray[np.int64], source: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order by cell and source; hours lie in order in files, so that sorting by cell is mostly looking at them."""
    order = np.argsort(cell, kind="stable")
    cell, source = cell[order], source[order]
    mixed = np.any((cell[1:] == cell[:-1]) & (source[1:] < source[:-1]))
    return order[np.lexsort((source, cell))] if mixed else order


def _added(values: NDArray[np.int64], order: NDArray[np.int64], starts: NDArray[np.int64]) -> Array:
    """Sums of stretches of values in an order."""
    return np.add.reduceat(values[order], starts).astype(np.float64)


def _places(table: pa.Table, places: dict[tuple[int, str], int]) -> NDArray[np.int64]:
    """The series of each row."""
    asn, subject = (table.column(name).combine_chunks().dictionary_encode() for name in ("asn", "subject"))
    words = subject.dictionary.to_pylist()
    lookup = np.array([[places.get((number, word), -1) for word in words] for number in asn.dictionary.to_pylist()])
    found: NDArray[np.int64] = lookup[asn.indices.to_numpy(), subject.indices.to_numpy()]
    return found


def _codes(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Numbers from 0 for the values of a column, in their order: sums do not depend on that of rows."""
    encoded = table.column(name).combine_chunks().dictionary_encode()
    ranks = np.argsort(np.argsort(encoded.dictionary.to_numpy()))
    codes: NDArray[np.int64] = ranks[encoded.indices.to_numpy()]
    return codes


def _hours(table: pa.Table, start: dt.datetime) -> NDArray[np.int64]:
    """The hour of each row."""
    seconds = table.column("hour").to_numpy().astype("datetime64[s]").astype(np.int64)
    since: NDArray[np.int64] = (seconds - int(start.timestamp())) // HOUR
    return since


def _loudest(said: dict[str, Array], sources: NDArray[np.int64], least: float) -> dict[str, Array]:
    """What the loudest source of each cell says, where one is louder than any may be; else noughts.

    Of two that are equally loud, the one that says more that something is wrong: on every engine the same, and in every
    order of rows.
    """
    cell = np.repeat(np.arange(len(sources)), sources)
    loud = said["n"] > least
    alone = np.repeat(sources == 1, sources)
    beside = np.flatnonzero(loud & ~alone)
    last = beside[np.lexsort([*(said[name][beside] for name in reversed(said)), cell[beside]])]
    last = last[np.diff(cell[last], append=-1) != 0]
    rows = np.concatenate((np.flatnonzero(loud & alone), last))
    found = {name: np.zeros(len(sources)) for name in said}
    for name, column in said.items():
        found[name][cell[rows]] = column[rows]
    return found


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

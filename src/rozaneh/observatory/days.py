"""Tables of months, of which many days are asked at once: hours counted by day, and cells of all networks together.

A file for each country and month, since opening a file costs more than reading a day of it. Which days have other hours
by now stands in the ledger, from the change that puts those hours in place until the one that puts the month in place;
so a kill between the two leaves a month that is older than its hours, until somebody judges again.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.cells import countrywide
from rozaneh.observatory.engine import compiled, duckdb, expression, show
from rozaneh.observatory.mechanisms import mechanism_column
from rozaneh.observatory.store import Change, Month, Partition, Store, files

_ROWS: Final = 500_000
"""Hours that are counted at once: bounds memory."""
_LAID: Final = {
    schema.DAILY: (("subject", "asn", "day", "source", "mechanism"), 1 << 16),
    schema.COUNTRYWIDE: (("subject", "hour", "bank"), 1 << 14),
}
"""What they are sorted by, and the rows of a group: groups of other services are not read."""
Table = Any
"""An Ibis table."""


def daily(hours: Table) -> Table:
    """Hours counted by day, with the columns of :data:`schema.DAY`.

    Args:
        hours: a table of hours.
    """
    failing = sum((hours[name] for name in schema.TROUBLES[1:]), hours[schema.TROUBLES[0]])
    troubled = (failing + hours.refused) > 0
    named = hours.mutate(
        failing=failing, how=ibis.ifelse(troubled, mechanism_column(hours.mechanism, hours.reading), "")
    )
    keys = ["country", "day", "asn", "subject", "source"]
    sums = {name: named[name].sum() for name in schema.SUMS}
    grouped = named.group_by([*keys, "how"]).aggregate(**sums, first=named.hour.min(), last=named.hour.max())
    return grouped.rename(mechanism="how").select(*schema.DAY.names)


def count_days(store: Store) -> None:
    """Bring the tables of months up to date with the hours."""
    wanted = sorted(store.uncounted(), key=lambda partition: (Month.of(partition), partition.day))
    if not wanted:
        return
    counting = _Counting(store)
    for month, partitions in groupby(wanted, Month.of):
        days = list(partitions)
        put: list[tuple[Path, Path]] = []
        drop: list[Path] = []
        for name, fresh in ((schema.DAILY, counting.days(days)), (schema.COUNTRYWIDE, counting.hours(days))):
            old = files(store.place, name, [month])
            tables = [*(_others(pq.read_table(path, partitioning=None), days) for path in old), *fresh]
            drop += old
            if any(table.num_rows for table in tables):
                table = pa.concat_tables(tables)
                columns, rows = _LAID[name]
                order = pc.sort_indices(table, sort_keys=[(column, "ascending") for column in columns])
                put.append((store.stage(table.take(order), rows), store.new_file(name, month)))
        store.commit(Change(put=put, drop=drop, counted=days))


class _Counting:
    """What the tables of months hold of some days, from the hours and cells of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection = duckdb()
        show(self._connection, schema.HOURLY, [])

    def days(self, days: Sequence[Partition]) -> Iterator[pa.Table]:
        for some in _groups(self._store, days):
            show(self._connection, schema.HOURLY, some)
            yield self._connection.con.sql(_to_days()).to_arrow_table().select(schema.DAY.names).cast(schema.DAY)

    def hours(self, days: Sequence[Partition]) -> Iterator[pa.Table]:
        for day in days:
            if found := files(self._store.place, schema.CELLS, [day]):
                yield countrywide(pa.concat_tables([pq.read_table(path, partitioning=None) for path in found]))


@cache
def _to_days() -> str:
    return compiled(daily(expression(schema.HOURLY)))


def _others(table: pa.Table, days: Sequence[Partition]) -> pa.Table:
    gone = pa.array([partition.day for partition in days], pa.date32())
    return table.filter(pc.invert(pc.is_in(table["day"], gone)))


def _groups(store: Store, days: Sequence[Partition]) -> list[list[Path]]:
    groups: list[list[Path]] = []
    rows = _ROWS  # as of a full group, so that the first day begins one
    for day in days:
        found = files(store.place, schema.HOURLY, [day])
        if not found:
            continue
        here = sum(pq.read_metadata(path).num_rows for path in found)
        if rows + here > _ROWS:
            groups.append([])
            rows = 0
        groups[-1] += found
        rows += here
    return groups

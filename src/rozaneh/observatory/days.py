"""Hours counted by day: what is asked of many days at once is asked of this table, which is much smaller.

A file for each country and month, since opening a file costs more than reading a day of it. Which days have other hours
by now stands in the ledger, from the change that puts those hours in place until the one that puts the month in place;
so a kill between the two leaves a month that is older than its hours, until somebody judges again.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.engine import duckdb, expression, show
from rozaneh.observatory.mechanisms import mechanism_column
from rozaneh.observatory.store import Change, Month, Partition, Store, files

_ROWS: Final = 500_000
"""Hours that are counted at once: bounds memory."""
_ORDER: Final = [(name, "ascending") for name in ("subject", "asn", "day", "source", "mechanism")]
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
    sums = {name: named[name].sum() for name in ("n", "failing", "blocked", "throttled", "refused")}
    grouped = named.group_by([*keys, "how"]).aggregate(**sums, first=named.hour.min(), last=named.hour.max())
    return grouped.rename(mechanism="how").select(*schema.DAY.names)


def count_days(store: Store) -> None:
    """Bring the table of days up to date with the hours."""
    wanted = sorted(store.uncounted(), key=lambda partition: (Month.of(partition), partition.day))
    if not wanted:
        return
    connection = duckdb()
    show(connection, schema.HOURLY, [])
    query = str(connection.compile(daily(expression(schema.HOURLY))))
    for month, partitions in groupby(wanted, Month.of):
        days = list(partitions)
        old = files(store.place, schema.DAILY, [month])
        tables = [_others(pq.read_table(path, partitioning=None), days) for path in old]
        for some in _groups(store, days):
            show(connection, schema.HOURLY, some)
            tables.append(connection.con.sql(query).to_arrow_table().select(schema.DAY.names).cast(schema.DAY))
        table = pa.concat_tables(tables)
        put = []
        if table.num_rows:
            ordered = table.take(pc.sort_indices(table, sort_keys=_ORDER))
            put = [(store.stage(ordered), store.new_file(schema.DAILY, month))]
        store.commit(Change(put=put, drop=old, counted=days))


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

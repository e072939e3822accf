"""Observations become verdicts and hours, partition by partition; whatever was there before is replaced as a whole.

Only observations are read. So the whole of history is judged again by one command, when rules change, and gives the
same whatever the order in which it came in. Where it is judged does not matter either: by DuckDB in this process, or by
a ClickHouse that holds the tables too (:mod:`rozaneh.observatory.warehouse`).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.engine import DUCKDB, clickhouse, duckdb, expression, show
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of
from rozaneh.observatory.verdicts import hourly, judged
from rozaneh.observatory.warehouse import Warehouse

_ROWS: Final = 100_000
"""Observations that are judged at once: bounds memory, and spreads the cost of planning."""
_ORDER: Final = [(name, "ascending") for name in ("country", "day", "asn", "domain", "time", "measurement", "target")]
_HOURS: Final = [(name, "ascending") for name in ("country", "day", "asn", "subject", "hour", "mechanism", "source")]

_IN_HAND: Final = "verdicts_in_hand"

Progress = Callable[[int, int], None]
"""Is told how many partitions are done, and of how many."""


class Bench(Protocol):
    """Where partitions are judged."""

    def judge(self, group: Sequence[Partition]) -> tuple[pa.Table, pa.Table]:
        """The verdicts and the hours of some partitions, from their observations in the store."""


def judge_stale(store: Store, progress: Progress | None = None, engine: str = DUCKDB) -> int:
    """Judge the partitions that have new observations. Gives the number of verdicts.

    Args:
        store: whose.
        progress: is told how far it is.
        engine: where, as :func:`rozaneh.observatory.engine.engine` names it.

    Raises:
        LocalFault: there is no such engine, or the store cannot be written.
    """
    return _judge(store, store.stale(), progress, engine)


def judge_all(store: Store, progress: Progress | None = None, engine: str = DUCKDB) -> int:
    """Judge everything again; the arguments are those of :func:`judge_stale`. Gives the number of verdicts."""
    return _judge(store, partitions_of(store.place, schema.OBSERVATIONS), progress, engine)


def _judge(store: Store, wanted: Sequence[Partition], progress: Progress | None, engine: str) -> int:
    if not wanted:
        return 0
    bench: Bench = _Here(store.place) if engine == DUCKDB else Warehouse(clickhouse(engine), store.place)
    done = total = 0
    for group in _groups(store.place, wanted):
        verdicts, hours = bench.judge(group)
        total += verdicts.num_rows
        _replace(store, group, verdicts, hours)
        done += len(group)
        if progress:
            progress(done, len(wanted))
    return total


class _Here:
    """DuckDB, in this process."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._connection = duckdb()
        show(self._connection, schema.OBSERVATIONS, [])
        # Compiling costs more than a small query does, so it is done once.
        self._to_verdicts = str(self._connection.compile(judged(expression(schema.OBSERVATIONS))))
        self._to_hours = str(self._connection.compile(hourly(expression(schema.VERDICTS, _IN_HAND))))

    def judge(self, group: Sequence[Partition]) -> tuple[pa.Table, pa.Table]:
        show(self._connection, schema.OBSERVATIONS, files(self._place, schema.OBSERVATIONS, group))
        verdicts = self._run(self._to_verdicts, schema.VERDICT)
        # Lent, not given: what Ibis is given it keeps, and history would pile up in memory.
        self._connection.con.register(_IN_HAND, verdicts)
        hours = self._run(self._to_hours, schema.HOUR)
        self._connection.con.unregister(_IN_HAND)
        return verdicts, hours

    def _run(self, query: str, kind: pa.Schema) -> pa.Table:
        return self._connection.con.sql(query).to_arrow_table().select(kind.names).cast(kind)


def _replace(store: Store, group: Sequence[Partition], verdicts: pa.Table, hours: pa.Table) -> None:
    put: list[tuple[Path, Path]] = []
    drop: list[Path] = []
    for name, table, order in ((schema.VERDICTS, verdicts, _ORDER), (schema.HOURLY, hours, _HOURS)):
        drop += files(store.place, name, group)
        ordered = table.take(pc.sort_indices(table, sort_keys=order))
        put += [(store.stage(part), store.new_file(name, partition)) for partition, part in parts(ordered)]
    store.commit(Change(put=put, drop=drop, fresh=group))


def _groups(place: Path, wanted: Sequence[Partition]) -> Iterator[list[Partition]]:
    group: list[Partition] = []
    rows = 0
    for partition in wanted:
        here = sum(pq.read_metadata(path).num_rows for path in files(place, schema.OBSERVATIONS, [partition]))
        if group and rows + here > _ROWS:
            yield group
            group, rows = [], 0
        group.append(partition)
        rows += here
    if group:
        yield group

"""Observations become verdicts and hours, partition by partition; whatever was there before is replaced as a whole.

Only observations are read. So the whole of history is judged again by one command, when rules change, and gives the
same whatever the order in which it came in.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.engine import duckdb, expression, fetch, show
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of
from rozaneh.observatory.verdicts import hourly, judged

_ROWS: Final = 200_000
"""Observations that are judged at once: bounds memory, and spreads the cost of planning."""
_ORDER: Final = [(name, "ascending") for name in ("country", "day", "asn", "domain", "time", "measurement", "target")]
_HOURS: Final = [(name, "ascending") for name in ("country", "day", "asn", "subject", "hour", "mechanism", "source")]


def judge_stale(store: Store, progress: Callable[[int, int], None] | None = None) -> int:
    """Judge the partitions that have new observations. Gives the number of verdicts."""
    return _judge(store, store.stale(), progress)


def judge_all(store: Store, progress: Callable[[int, int], None] | None = None) -> int:
    """Judge everything again. Gives the number of verdicts."""
    return _judge(store, partitions_of(store.place, schema.OBSERVATIONS), progress)


def _judge(store: Store, wanted: Sequence[Partition], progress: Callable[[int, int], None] | None) -> int:
    if not wanted:
        return 0
    connection = duckdb()
    show(connection, schema.OBSERVATIONS, [])
    show(connection, schema.VERDICTS, [])
    # Compiling costs more than a small query does, so it is done once.
    to_verdicts = str(connection.compile(judged(expression(schema.OBSERVATIONS))))
    done = total = 0
    for group in _groups(store.place, wanted):
        show(connection, schema.OBSERVATIONS, files(store.place, schema.OBSERVATIONS, group))
        verdicts = connection.con.sql(to_verdicts).to_arrow_table().select(schema.VERDICT.names).cast(schema.VERDICT)
        total += verdicts.num_rows
        verdicts = verdicts.take(pc.sort_indices(verdicts, sort_keys=_ORDER))
        _replace(store, group, verdicts, _hours(connection, verdicts))
        done += len(group)
        if progress:
            progress(done, len(wanted))
    return total


def _hours(connection: Any, verdicts: pa.Table) -> pa.Table:
    import ibis  # noqa: PLC0415 - the engine is loaded already, its name is needed here alone

    hours = fetch(connection, hourly(ibis.memtable(verdicts)), schema.HOUR)
    return hours.take(pc.sort_indices(hours, sort_keys=_HOURS))


def _replace(store: Store, group: Sequence[Partition], verdicts: pa.Table, hours: pa.Table) -> None:
    put: list[tuple[Path, Path]] = []
    drop: list[Path] = []
    for name, table in ((schema.VERDICTS, verdicts), (schema.HOURLY, hours)):
        drop += files(store.place, name, group)
        put += [(store.stage(part), store.new_file(name, partition)) for partition, part in parts(table)]
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

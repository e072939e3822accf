"""Observations become verdicts and hours, partition by partition; whatever was there before is replaced as a whole.

Only observations are read. So the whole of history is judged again by one command, when rules change, and gives the
same whatever the order in which it came in. Where it is judged does not matter either: by DuckDB in this process, or by
a ClickHouse that holds the tables too (:mod:`rozaneh.observatory.warehouse`).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.cells import cells
from rozaneh.observatory.days import count_days
from rozaneh.observatory.engine import DUCKDB, clickhouse, duckdb, expression, show
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of
from rozaneh.observatory.verdicts import hourly, judged, summed
from rozaneh.observatory.warehouse import Warehouse

_ROWS: Final = 100_000
"""Observations that are judged at once: bounds memory, and spreads the cost of planning."""
_ORDER: Final = [(name, "ascending") for name in ("country", "day", "asn", "domain", "time", "measurement", "target")]
_HOURS: Final = [(name, "ascending") for name in ("country", "day", "asn", "subject", "hour", "mechanism", "source")]

_FEW: Final = 1 << 13
"""Rows of a group of cells: those of other services are not read."""
_PIECE, _IN_HAND = "observations_of_a_piece", "verdicts_in_hand"

Progress = Callable[[int, int], None]
"""Is told how many partitions are done, and of how many."""


class Bench(Protocol):
    """Where partitions are judged."""

    def judge(self, group: Sequence[Partition]) -> Iterator[tuple[pa.Table, pa.Table]]:
        """The verdicts and the hours of some partitions, in one piece or in several, from the store's observations."""


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
    done = total = 0
    if wanted:
        bench: Bench = _Here(store) if engine == DUCKDB else Warehouse(clickhouse(engine), store.place)
        for group in _groups(store.place, wanted):
            total += _replaced(store, group, bench)
            done += len(group)
            if progress:
                progress(done, len(wanted))
    count_days(store)
    return total


def _replaced(store: Store, group: Sequence[Partition], bench: Bench) -> int:
    """Put the verdicts and hours of some partitions in place of those that were there; gives the number of verdicts."""
    put: list[tuple[Path, Path]] = []
    drop = [path for name in (schema.VERDICTS, schema.HOURLY, schema.CELLS) for path in files(store.place, name, group)]
    total = 0

    def keep(name: str, partition: Partition, part: pa.Table, row_group: int = 1 << 16) -> None:
        put.append((store.stage(part, row_group), store.new_file(name, partition)))

    for number, (verdicts, hours) in enumerate(bench.judge(group)):
        total += verdicts.num_rows
        for partition, part in parts(verdicts.take(pc.sort_indices(verdicts, sort_keys=_ORDER))):
            keep(schema.VERDICTS, partition, part)
        for partition, part in parts(hours.take(pc.sort_indices(hours, sort_keys=_HOURS))):
            keep(schema.HOURLY, partition, part)
            keep(schema.CELLS, partition, cells(part, number), _FEW)
    store.commit(Change(put=put, drop=drop, fresh=group))
    return total


class _Piece(NamedTuple):
    """What is judged at once: the measurements of some networks; of one that has too many, those of a bucket.

    Attributes:
        asns: the first network and the last; all where there is none.
        buckets: how many there are of these networks, a power of two.
        bucket: which.
    """

    asns: tuple[int, int] | None = None
    buckets: int = 1
    bucket: int = 0

    def of(self, observations: Any) -> Any:
        """Its rows; all of a measurement are in one piece, since its key is a hash and its network one."""
        there = observations if self.asns is None else observations.filter(observations.asn.between(*self.asns))
        return there.filter((there.measurement & (self.buckets - 1)) == self.bucket) if self.buckets > 1 else there


_ALL: Final = _Piece()


class _Here:
    """DuckDB, in this process."""

    def __init__(self, store: Store) -> None:
        self._place = store.place
        self._connection = duckdb(spill=store.staging)
        self._piece: _Piece | None = None
        # Compiling costs more than a small query does, so it is done once.
        self._to_verdicts = str(self._connection.compile(judged(expression(schema.OBSERVATIONS, _PIECE))))
        self._to_hours = str(self._connection.compile(hourly(expression(schema.VERDICTS, _IN_HAND))))
        self._summed = str(self._connection.compile(summed(expression(schema.HOURLY, _IN_HAND))))

    def judge(self, group: Sequence[Partition]) -> Iterator[tuple[pa.Table, pa.Table]]:
        paths = files(self._place, schema.OBSERVATIONS, group)
        show(self._connection, schema.OBSERVATIONS, paths)
        pieces = _pieces(paths) if len(group) == 1 else []
        if len(pieces) <= 1:
            yield self._judge(_ALL)
            return
        for _, some in groupby(pieces, key=lambda piece: piece.asns):
            halves: list[pa.Table] = []
            for piece in some:
                verdicts, hours = self._judge(piece)
                if piece.buckets == 1:
                    yield verdicts, hours
                else:
                    halves.append(hours)
                    yield verdicts, hours.slice(0, 0)
            if halves:
                yield schema.VERDICT.empty_table(), self._run(self._summed, schema.HOUR, pa.concat_tables(halves))

    def _judge(self, piece: _Piece) -> tuple[pa.Table, pa.Table]:
        if piece != self._piece:
            rows = piece.of(self._connection.table(schema.OBSERVATIONS))
            self._connection.create_view(_PIECE, rows, overwrite=True)
            self._piece = piece
        verdicts = self._run(self._to_verdicts, schema.VERDICT)
        return verdicts, self._run(self._to_hours, schema.HOUR, verdicts)

    def _run(self, query: str, kind: pa.Schema, given: pa.Table | None = None) -> pa.Table:
        # Lent, not given: what Ibis is given it keeps, and history would pile up in memory.
        if given is not None:
            self._connection.con.register(_IN_HAND, given)
        found = self._connection.con.sql(query).to_arrow_table().select(kind.names).cast(kind)
        if given is not None:
            self._connection.con.unregister(_IN_HAND)
        return found


def _pieces(paths: Sequence[Path]) -> list[_Piece]:
    """A partition in pieces of no more rows than are judged at once."""
    found = [pq.read_table(path, columns=["asn"], partitioning=None)["asn"].to_numpy() for path in paths]
    asns, counts = np.unique(np.concatenate(found), return_counts=True)
    pieces: list[_Piece] = []
    first, rows = 0, _ROWS
    for asn, here in zip(asns.tolist(), counts.tolist(), strict=True):
        if here > _ROWS:
            buckets = 1 << (here // _ROWS).bit_length()
            pieces += [_Piece((asn, asn), buckets, bucket) for bucket in range(buckets)]
            rows = _ROWS
        elif rows + here > _ROWS:
            pieces.append(_Piece((asn, asn)))
            first, rows = asn, here
        else:
            pieces[-1] = _Piece((first, asn))
            rows += here
    return pieces


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

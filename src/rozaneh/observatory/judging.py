"""Observations become verdicts and hours, partition by partition; whatever was there before is replaced as a whole.

Only observations are read. So the whole of history is judged again by one command, when rules change, and gives the
same whatever the order in which it came in. Where it is judged does not matter either: by DuckDB in this process, or by
a ClickHouse that holds the tables too (:mod:`rozaneh.observatory.warehouse`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.diagnosis import rules
from rozaneh.observatory import schema
from rozaneh.observatory.cells import cells
from rozaneh.observatory.damage import told
from rozaneh.observatory.days import count_days
from rozaneh.observatory.engine import DUCKDB, clickhouse, compiled, duckdb, expression, show
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of
from rozaneh.observatory.verdicts import decided, hourly, summed
from rozaneh.observatory.warehouse import Warehouse
from rozaneh.observatory.window import much_memory
from rozaneh.observatory.wording import REPEATED, TAKEN, Wording

_ROWS: Final = 200_000
"""Observations that are judged at once: bounds memory, and spreads the cost of planning."""
_HOURS: Final = [(name, "ascending") for name in ("country", "day", "asn", "subject", "hour", "mechanism", "source")]

_FEW: Final = 1 << 13
"""Rows of a group of cells: those of other services are not read."""
_PIECE, _IN_HAND = "observations_of_a_piece", "verdicts_in_hand"

Judged = Callable[[], tuple[pa.Table, pa.Table]]
"""Gives verdicts and hours; asked once, in the order in which they came, maybe on another thread."""
Progress = Callable[[int, int], None]
"""Is told how many partitions are done, and of how many."""


class Bench(Protocol):
    """Where partitions are judged."""

    def judge(self, group: Sequence[Partition]) -> Iterator[Judged]:
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
    total = 0
    with told(store.place):
        if wanted:
            bench: Bench = _Here(store) if engine == DUCKDB else Warehouse(clickhouse(engine), store.place)
            with much_memory(), ThreadPoolExecutor(1) as pool:
                total = _judged(store, wanted, bench, pool, progress)
        count_days(store)
    return total


def _judged(store: Store, wanted: Sequence[Partition], bench: Bench, pool: Executor, progress: Progress | None) -> int:
    """Judge, and write what was judged last while the next is judged; gives the number of verdicts."""
    done = total = 0
    before: _Replacing | None = None
    writing: Future[int] | None = None
    for group in grouped(store.place, wanted):
        replacing = _Replacing(store, group)
        for number, piece in enumerate(bench.judge(group)):
            if writing:
                total += writing.result()
            writing = pool.submit(replacing.write, number, piece)
        if before:
            before.commit()
        before = replacing
        done += len(group)
        if progress:
            progress(done, len(wanted))
    if writing and before:
        total += writing.result()
        before.commit()
    return total


class _Replacing:
    """Verdicts, hours and cells of some partitions, on their way to stand in place of those that were there."""

    def __init__(self, store: Store, group: Sequence[Partition]) -> None:
        self._store, self._group = store, group
        self._put: list[tuple[Path, Path]] = []

    def write(self, number: int, piece: Judged) -> int:
        """Write a piece of them into staging; gives the number of verdicts."""
        verdicts, hours = piece()
        for partition, part in parts(verdicts):
            self._stage(schema.VERDICTS, partition, part)
        for partition, part in parts(hours.take(pc.sort_indices(hours, sort_keys=_HOURS))):
            self._stage(schema.HOURLY, partition, part)
            self._stage(schema.CELLS, partition, cells(part, number), _FEW)
        return int(verdicts.num_rows)

    def _stage(self, name: str, partition: Partition, part: pa.Table, row_group: int = 1 << 16) -> None:
        self._put.append((self._store.stage(part, row_group), self._store.new_file(name, partition)))

    def commit(self) -> None:
        """Put them in place."""
        derived = (schema.VERDICTS, schema.HOURLY, schema.CELLS)
        drop = [path for name in derived for path in files(self._store.place, name, self._group)]
        self._store.commit(Change(put=self._put, drop=drop, fresh=self._group))


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

    def first_of(self, paths: Sequence[Path]) -> pa.Table:
        """The first observation of each of its targets, with what a verdict takes from there."""
        of = None if self.asns is None else [("asn", ">=", self.asns[0]), ("asn", "<=", self.asns[1])]
        tables = [
            pq.read_table(
                path, columns=[*TAKEN, "dial"], filters=of, read_dictionary=REPEATED, partitioning=None,
                use_threads=False,
            )
            for path in paths
        ]  # fmt: skip
        if not tables:
            return schema.OBSERVATION.empty_table().select(TAKEN)
        found = pa.concat_tables(tables)
        mine = (found["measurement"].to_numpy() & (self.buckets - 1)) == self.bucket
        return found.filter(pa.array(mine & (found["dial"].to_numpy() == 0)))


_ALL: Final = _Piece()


class _Here:
    """DuckDB, in this process: one thread asks what rules decide, and another one makes verdicts and hours of that."""

    def __init__(self, store: Store) -> None:
        self._place = store.place
        self._connection = duckdb(spill=store.staging, threads=1)
        self._other = self._connection.con.cursor()
        self._piece: _Piece | None = None
        self._wording = Wording(rules())

    def judge(self, group: Sequence[Partition]) -> Iterator[Judged]:
        paths = files(self._place, schema.OBSERVATIONS, group)
        show(self._connection, schema.OBSERVATIONS, paths)
        pieces = _pieces(paths) if len(group) == 1 else []
        if not pieces:
            yield self._judge(paths, _ALL)
            return
        for _, some in groupby(pieces, key=lambda piece: piece.asns):
            halves: list[pa.Table] = []
            for piece in some:
                judged = self._judge(paths, piece)
                yield judged if piece.buckets == 1 else partial(_half, judged, halves)
                if piece.bucket == piece.buckets - 1 > 0:
                    yield partial(self._together, halves)

    def _judge(self, paths: Sequence[Path], piece: _Piece) -> Judged:
        if piece != self._piece:
            rows = piece.of(self._connection.table(schema.OBSERVATIONS))
            self._connection.create_view(_PIECE, rows, overwrite=True)
            self._piece = piece
        numbers = self._connection.con.sql(_to_decide()).to_arrow_table()
        return partial(self._worded, paths, piece, numbers)

    def _worded(self, paths: Sequence[Path], piece: _Piece, numbers: pa.Table) -> tuple[pa.Table, pa.Table]:
        verdicts = self._wording.verdicts(piece.first_of(paths), numbers)
        return verdicts, self._counted(_to_hours(), verdicts)

    def _together(self, halves: Sequence[pa.Table]) -> tuple[pa.Table, pa.Table]:
        """The hours of a network that was judged in buckets."""
        return schema.VERDICT.empty_table(), self._counted(_to_sum(), pa.concat_tables(halves))

    def _counted(self, query: str, given: pa.Table) -> pa.Table:
        # Lent, not given: what Ibis is given it keeps, and history would pile up in memory.
        self._other.register(_IN_HAND, given)
        found = self._other.sql(query).to_arrow_table().select(schema.HOUR.names).cast(schema.HOUR)
        self._other.unregister(_IN_HAND)
        return found


# Compiling costs a second, more than a small query does, so it is done once.


@cache
def _to_decide() -> str:
    return compiled(decided(expression(schema.OBSERVATIONS, _PIECE)))


@cache
def _to_hours() -> str:
    return compiled(hourly(expression(schema.VERDICTS, _IN_HAND)))


@cache
def _to_sum() -> str:
    return compiled(summed(expression(schema.HOURLY, _IN_HAND)))


def _half(judged: Judged, halves: list[pa.Table]) -> tuple[pa.Table, pa.Table]:
    """A bucket's verdicts; its hours wait for those of the others."""
    verdicts, hours = judged()
    halves.append(hours)
    return verdicts, hours.slice(0, 0)


def _pieces(paths: Sequence[Path]) -> list[_Piece]:
    """A partition in pieces of no more rows than are judged at once; none where it is one."""
    if sum(pq.read_metadata(path).num_rows for path in paths) <= _ROWS:
        return []
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


def grouped(place: Path, wanted: Sequence[Partition], name: str = schema.OBSERVATIONS) -> Iterator[list[Partition]]:
    """Partitions of a table together, as long as they have no more rows than are judged at once."""
    group: list[Partition] = []
    rows = 0
    for partition in wanted:
        here = sum(pq.read_metadata(path).num_rows for path in files(place, name, [partition]))
        if group and rows + here > _ROWS:
            yield group
            group, rows = [], 0
        group.append(partition)
        rows += here
    if group:
        yield group

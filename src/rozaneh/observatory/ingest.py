"""Files into observations: read, deduplicated, sorted by partition, and put in place as a whole or not at all.

A window of rows is held in memory. When it is full, whatever came twice leaves, the rest is sorted by partition, and
one file for each partition enters the store together with the names of the inputs that are complete by now. An input
that was cut off by a kill is read again from its start, and what it had given already is recognised as double; so no
position inside a file has to be remembered.
"""

import datetime as dt
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.core import LocalFault
from rozaneh.observatory import schema
from rozaneh.observatory.batches import Reader, opened
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.rows import Rows
from rozaneh.observatory.store import Change, Input, Partition, Store, files

WINDOW = 120_000
"""Rows that are held before they are written: about 100 MB."""
_SEEN = 4_000_000
"""Keys of measurements that are remembered for finding doubles; more are read again from the store when needed."""
_ORDER = [(name, "ascending") for name in ("country", "day", "asn", "domain", "time", "measurement", "target", "dial")]
_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".jsonl.zst")
_CLOCKS_DIFFER = dt.timedelta(days=1)


@dataclass
class Summary:
    """What an ingest did.

    Attributes:
        files: inputs that were read.
        skipped: inputs that an earlier run had done.
        lines: lines that were read.
        kept: measurements that are new in the store.
        doubled: measurements that were there already.
        rows: rows that were written.
        rejected: lines that were set aside, by reason.
    """

    files: int = 0
    skipped: int = 0
    lines: int = 0
    kept: int = 0
    doubled: int = 0
    rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


Progress = Callable[[int, Summary], None]
"""Is told how many bytes of the inputs were read since the last time, and the summary so far."""


def inputs(paths: Sequence[Path]) -> list[Path]:
    """The files below some paths, in order; a file that is named is taken whatever it is called.

    Raises:
        LocalFault: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(x for x in path.rglob("*") if x.is_file() and x.name.endswith(_SUFFIXES))
        elif path.exists():
            found.append(path)
        else:
            raise LocalFault(f"there is no file or directory {path}")
    return list(dict.fromkeys(found))


def ingest(paths: Sequence[Path], store: Store, now: dt.datetime, progress: Progress | None = None) -> Summary:
    """Read files into a store.

    Args:
        paths: files, and directories of files.
        store: where to.
        now: the time; what claims to be of a later day than tomorrow is set aside.
        progress: is told how far it is.

    Raises:
        LocalFault: an input cannot be read or the store not be written.
    """
    with _without_collector():
        return _ingest(paths, store, now, progress)


@contextmanager
def _without_collector() -> Iterator[None]:
    """What is read holds no cycles, and a collector that walks through it all the time costs a fifth."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _ingest(paths: Sequence[Path], store: Store, now: dt.datetime, progress: Progress | None) -> Summary:
    summary = Summary()
    window = _Window(store, summary)
    for path in inputs(paths):
        name, status = str(path.absolute()), path.stat()
        if store.is_done(name, status.st_size, status.st_mtime_ns):
            summary.skipped += 1
            if progress:
                progress(status.st_size, summary)
            continue
        reader = Reader(path.name, now + _CLOCKS_DIFFER)
        with opened(path) as file:
            for rows in reader.batches(file, (lambda n: progress(n, summary)) if progress else None):
                window.add(rows)
        summary.files += 1
        summary.lines += reader.lines
        for reason, count in reader.quarantine.counts.items():
            summary.rejected[reason] = summary.rejected.get(reason, 0) + count
        window.end(name, status.st_size, status.st_mtime_ns, reader)
    window.flush()
    return summary


class _Window:
    """What was read and is not yet in the store."""

    def __init__(self, store: Store, summary: Summary) -> None:
        self._store = store
        self._summary = summary
        self._doubles = _Doubles(store)
        self._tables: list[pa.Table] = []
        self._owners: list[np.ndarray] = []
        self._keys: list[tuple[int, str, dt.date]] = []
        self._rows = 0
        self._done: list[Input] = []
        self._rejected: list[tuple[Path, Path]] = []

    def add(self, rows: Rows) -> None:
        self._tables.append(rows.table())
        self._owners.append(rows.owners() + len(self._keys))
        self._keys += rows.keys()
        self._rows += len(rows)
        if self._rows >= WINDOW:
            self.flush()

    def end(self, name: str, size: int, changed: int, reader: Reader) -> None:
        """An input is complete."""
        rejected = reader.quarantine.total
        if rejected:
            staged = self._store.stage(reader.quarantine.table())
            self._rejected.append((staged, self._store.new_file(schema.QUARANTINE)))
        self._done.append(Input(name, size, changed, reader.lines, reader.kept, rejected))

    def flush(self) -> None:
        """Put everything in place."""
        put = list(self._rejected)
        touched: list[Partition] = []
        if self._tables:
            new = self._doubles.new(self._keys)
            owners = np.concatenate(self._owners)
            table = pa.concat_tables(self._tables).filter(pa.array(new[owners]))
            self._summary.kept += int(new.sum())
            self._summary.doubled += int((~new).sum())
            self._summary.rows += table.num_rows
            for partition, part in parts(table.take(pc.sort_indices(table, sort_keys=_ORDER))):
                put.append((self._store.stage(part), self._store.new_file(schema.OBSERVATIONS, partition)))
                touched.append(partition)
        if put or self._done:
            self._store.commit(Change(put=put, done=self._done, stale=touched))
        self._tables, self._owners, self._keys, self._rows = [], [], [], 0
        self._done, self._rejected = [], []


class _Doubles:
    """Which measurements a store has: the keys of the partitions that were touched last, as sorted arrays."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, dt.date], np.ndarray] = {}

    def new(self, keys: Sequence[tuple[int, str, dt.date]]) -> np.ndarray:
        """For each measurement whether it is seen for the first time; those that are count as seen from now on."""
        fresh = np.zeros(len(keys), dtype=bool)
        by_place: dict[tuple[str, dt.date], list[int]] = {}
        for index, (_, country, day) in enumerate(keys):
            by_place.setdefault((country, day), []).append(index)
        for place, indices in by_place.items():
            known = self._known.pop(place, None)
            if known is None:
                known = self._stored(Partition(*place))
            here = np.fromiter((keys[index][0] for index in indices), np.int64, len(indices))
            different, first = np.unique(here, return_index=True)
            unseen = ~np.isin(different, known, assume_unique=True)
            fresh[np.asarray(indices)[first[unseen]]] = True
            self._known[place] = np.union1d(known, different)
        self._forget()
        return fresh

    def _stored(self, partition: Partition) -> np.ndarray:
        found = [
            pq.read_table(path, columns=["measurement"], partitioning=None).column(0).to_numpy()
            for path in files(self._store.place, schema.OBSERVATIONS, [partition])
        ]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def _forget(self) -> None:
        total = sum(map(len, self._known.values()))
        while total > _SEEN and len(self._known) > 1:
            total -= len(self._known.pop(next(iter(self._known))))

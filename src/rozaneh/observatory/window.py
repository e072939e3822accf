"""What was read and is not yet in the store: a window of rows, which enters the store as a whole.

When it is full, whatever came twice leaves, the rest is sorted by partition, and one file for each partition enters the
store together with the names of the inputs that are complete by now. Who holds the store answers through a
:class:`Door`; it may be another process.
"""

import ctypes
import datetime as dt
import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa

from rozaneh.observatory import schema
from rozaneh.observatory.batches import Reader, Unreadable, opened
from rozaneh.observatory.columns import Batch
from rozaneh.observatory.doubles import Keys
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.rows import Key, Rows
from rozaneh.observatory.simulated import holds_simulated, note_simulated
from rozaneh.observatory.store import Change, Input, Partition, new_file, staged

WINDOW = 60_000
"""Rows that are held before they are written: with sorting and writing them about 150 MB."""
_LARGEST_REUSED = (32 << 20) - (1 << 16)
_SET_NO_HUGE_PAGES, _GET_NO_HUGE_PAGES = 41, 42
"""``PR_SET_THP_DISABLE`` and ``PR_GET_THP_DISABLE`` of ``linux/prctl.h``."""
_CLOCKS_DIFFER = dt.timedelta(days=1)


class Summary(msgspec.Struct):
    """What an ingest did.

    Attributes:
        files: inputs that were read.
        skipped: inputs that an earlier run had done.
        lines: lines that were read.
        kept: measurements that are new in the store.
        doubled: measurements that were there already.
        rows: rows that were written.
        rejected: lines that were set aside, by reason.
        unread: inputs that could not be read, not to their ends, or not yet, each with the reason. They are not done.
    """

    files: int = 0
    skipped: int = 0
    lines: int = 0
    kept: int = 0
    doubled: int = 0
    rows: int = 0
    rejected: dict[str, int] = {}
    unread: list[str] = []

    def add(self, other: "Summary") -> None:
        """Count what another one did as well."""
        for name in ("files", "skipped", "lines", "kept", "doubled", "rows"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.unread += other.unread


class Found(msgspec.Struct, frozen=True):
    """An input as it was when the ingest began: what it is called, how large it is, when it was changed."""

    path: str
    size: int
    changed: int


@contextmanager
def much_memory() -> Iterator[None]:
    """What suits a process that makes and forgets millions of things, and some large ones over and over.

    They hold no cycles, and a collector that walks through them all the time costs a fifth. And pages that the kernel
    has to hand out cost more than what is done with them. Therefore glibc is asked for what Arrow needs as well, whose
    own allocator gives back what it has as soon as a window is written; and glibc, which gives a thing of more than
    128 KiB pages of its own, does so for larger ones only, up to 32 MiB, from the first such thing on that is given
    back. Nor are there huge pages meanwhile: what writes Parquet asks for them and fills a corner of each, and the
    kernel has to clear two megabytes every time.
    """
    was, pool = gc.isenabled(), pa.default_memory_pool()
    gc.disable()
    pa.set_memory_pool(pa.system_memory_pool())
    huge = _no_huge_pages(None)
    _no_huge_pages(1)
    np.empty(_LARGEST_REUSED, np.uint8)  # and given back at once, without being touched
    try:
        yield
    finally:
        _no_huge_pages(huge)
        pa.set_memory_pool(pool)
        if was:
            gc.enable()


def _no_huge_pages(wanted: int | None) -> int:
    """Whether the kernel may give this process huge pages: 1 for no; 0 everywhere but on Linux.

    Args:
        wanted: what is to hold from now on; none to leave it as it is.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return 0
    return int(prctl(_GET_NO_HUGE_PAGES, 0, 0, 0, 0) if wanted is None else prctl(_SET_NO_HUGE_PAGES, wanted, 0, 0, 0))


class Door(Protocol):
    """What a window asks of who holds the store."""

    def new(self, keys: Keys) -> np.ndarray:
        """For each measurement whether it is new."""

    def commit(self, change: Change) -> None:
        """Make a change true; with it whatever was told to be new is in the store."""

    def read(self, size: int) -> None:
        """So many bytes of the inputs were read since the last time."""


@dataclass
class Window:
    """Rows on their way into a store.

    Attributes:
        place: the store.
        door: who holds it.
        now: the time; what claims to be of a later day than tomorrow is set aside.
        summary: what was done so far.
    """

    place: Path
    door: Door
    now: dt.datetime
    summary: Summary = field(default_factory=Summary)
    _batches: list[Batch] = field(default_factory=list)
    _keys: list[Key] = field(default_factory=list)
    _rows: int = 0
    _done: list[Input] = field(default_factory=list)
    _rejected: list[pa.Table] = field(default_factory=list)

    def read(self, inputs: Iterable[Found]) -> None:
        """Read inputs to their ends, and put everything in place. One that cannot be read costs no other.

        Raises:
            LocalFault: the store cannot be written.
        """
        for found in inputs:
            path = Path(found.path)
            reader = Reader(path.name, self.now + _CLOCKS_DIFFER)
            try:
                with opened(path) as file:
                    for rows in reader.batches(file, self.door.read):
                        self._add(rows)
            except Unreadable as fault:
                self.summary.add(Summary(unread=[f"{path}: {fault}"]))
            else:
                self._end(found, reader)
        self._flush()

    def _add(self, rows: Rows) -> None:
        self._batches.append(rows.batch())
        self._keys += rows.keys()
        self._rows += len(rows)
        if self._rows >= WINDOW:
            self._flush()

    def _end(self, found: Found, reader: Reader) -> None:
        """An input is complete.

        One that is all of the future is not done: it is this machine's clock that is wrong, and will be set right.
        """
        if reader.not_yet and not reader.kept:
            why = f"what it holds began later than it is now, which is {self.now:%Y-%m-%d} by this machine's clock"
            self.summary.add(Summary(unread=[f"{found.path}: {why}"]))
            return
        rejected = reader.quarantine.total
        if rejected:
            self._rejected.append(reader.quarantine.table())
        self._done.append(Input(found.path, found.size, found.changed, reader.lines, reader.kept, rejected))
        self.summary.add(Summary(files=1, lines=reader.lines, rejected=dict(reader.quarantine.counts)))

    def _flush(self) -> None:
        put: list[tuple[Path, Path]] = []
        touched: list[Partition] = []
        if self._rejected:
            rejected = pa.concat_tables(self._rejected)
            put.append((staged(self.place, rejected), new_file(self.place, schema.QUARANTINE)))
        if self._batches:
            new = self.door.new(Keys.make(self._keys))
            table, kept = Batch.joined(self._batches).table(new), int(new.sum())
            self.summary.add(Summary(kept=kept, doubled=len(new) - kept, rows=table.num_rows))
            for partition, part in parts(table):
                put.append((staged(self.place, part), new_file(self.place, schema.OBSERVATIONS, partition)))
                touched.append(partition)
            if holds_simulated(table):
                note_simulated(self.place)
        if put or self._done:
            self.door.commit(Change(put=put, done=self._done, stale=touched))
        self._batches, self._keys, self._rows = [], [], 0
        self._done, self._rejected = [], []

"""The store: a directory of Parquet files that are put in place as a whole or not at all.

Theory of operation. Whoever writes, writes into ``ledger/staging``. A *change* says which of those files go where,
which files go away, and which inputs are done with that. It becomes true in one SQLite transaction in
``ledger/ledger.sqlite``; only then are files renamed and removed, which may be repeated without harm. When a store is
opened, a change that was noted and not finished is finished, and staging is emptied. So ``kill -9`` at any point leaves
either the state before or, after the next opening, the state behind a change.

One process writes at a time, held by a lock on the ledger; any number read.
"""

import datetime as dt
import fcntl
import os
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Final, NamedTuple, Self
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from rozaneh.core import LocalFault
from rozaneh.observatory import schema
from rozaneh.words import later

_TABLES = """
CREATE TABLE IF NOT EXISTS input (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, lines INTEGER, read INTEGER,
                                  rejected INTEGER, done TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (number INTEGER PRIMARY KEY, staged TEXT, final TEXT);
CREATE TABLE IF NOT EXISTS stale (country TEXT, day TEXT, PRIMARY KEY (country, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uncounted (country TEXT, day TEXT, PRIMARY KEY (country, day)) WITHOUT ROWID;
"""
_FORMAT_FILE: Final = "format"
_FORMAT: Final = "5"
"""Changes with the meaning of a column; rules may change without."""
_FEW: Final = 1024
"""Rows of a table that is written as fast with less packing: zstd and dictionaries make a state of their own for each
of ninety columns, more than half of the time for so few. Such files are 2 % larger at 100 rows and 40 % at 500.
"""


class Partition(NamedTuple):
    """A country and a day (UTC): what tables are divided by."""

    country: str
    day: dt.date

    def inside(self, table: Path) -> Path:
        """Its directory below that of a table."""
        return table / f"country={self.country}" / f"day={self.day.isoformat()}"


class Month(NamedTuple):
    """A country and a month, by its first day: what tables of many days are divided by."""

    country: str
    first: dt.date

    @classmethod
    def of(cls, partition: Partition) -> Self:
        """The month of a day."""
        return cls(partition.country, partition.day.replace(day=1))

    def inside(self, table: Path) -> Path:
        """Its directory below that of a table."""
        return table / f"country={self.country}" / f"month={self.first:%Y-%m}"


class Input(NamedTuple):
    """A file that was read to its end: of its lines, how many were measurements, and how many were set aside."""

    path: str
    size: int
    changed: int
    lines: int
    read: int
    rejected: int


class Change(NamedTuple):
    """What becomes true at once.

    Attributes:
        put: files in staging, and where they go.
        drop: files that go away.
        done: inputs that are whole in the store with this.
        stale: partitions whose verdicts no longer fit their observations.
        fresh: partitions whose verdicts fit again. Their hours are others than those that the tables of months hold.
        counted: partitions whose hours are in the tables of months.
    """

    put: Sequence[tuple[Path, Path]] = ()
    drop: Sequence[Path] = ()
    done: Sequence[Input] = ()
    stale: Sequence[Partition] = ()
    fresh: Sequence[Partition] = ()
    counted: Sequence[Partition] = ()


class Store:
    """A store that is open for writing. Use it as a context manager, or :meth:`close` it."""

    def __init__(self, place: Path) -> None:
        """Open a store, making it where there is none, and finish what an earlier process had noted.

        Raises:
            LocalFault: it cannot be written, or another process writes it.
        """
        self.place = place
        self.staging = staging_of(place)
        with _faults_named(place), ExitStack() as undo:
            check_format(place)
            self.staging.mkdir(parents=True, exist_ok=True)
            _say_format(place)
            self._lock = undo.enter_context(_locked(place / schema.LEDGER / "lock", place))
            ledger = sqlite3.connect(place / schema.LEDGER / "ledger.sqlite", isolation_level=None)
            self._ledger = undo.enter_context(closing(ledger))
            self._ledger.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_TABLES}")
            self._finish()
            for left in self.staging.iterdir():
                left.unlink() if left.is_file() else shutil.rmtree(left)
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        self._ledger.close()
        self._lock.close()

    def stage(self, table: pa.Table, row_group: int = 1 << 16) -> Path:
        """Write a table into staging, durably; a change can put it in its place."""
        return staged(self.place, table, row_group)

    def commit(self, change: Change) -> None:
        """Make a change true.

        Raises:
            LocalFault: it cannot be written. Then the store is as it was, or the change is finished when it is opened.
        """
        with _faults_named(self.place):
            self._commit(change)

    def _commit(self, change: Change) -> None:
        moves: list[tuple[str | None, str]] = [(self._name(staged), self._name(final)) for staged, final in change.put]
        moves += [(None, self._name(path)) for path in change.drop]
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._ledger.execute("BEGIN IMMEDIATE")
        with _rolled_back(self._ledger):
            self._ledger.executemany("INSERT INTO pending (staged, final) VALUES (?, ?)", moves)
            self._ledger.executemany(
                "INSERT OR REPLACE INTO input VALUES (?, ?, ?, ?, ?, ?, ?)", [(*done, now) for done in change.done]
            )
            for statement, partitions in (
                ("INSERT OR IGNORE INTO stale VALUES (?, ?)", change.stale),
                ("DELETE FROM stale WHERE country = ? AND day = ?", change.fresh),
                ("INSERT OR IGNORE INTO uncounted VALUES (?, ?)", change.fresh),
                ("DELETE FROM uncounted WHERE country = ? AND day = ?", change.counted),
            ):
                self._ledger.executemany(statement, [(p.country, p.day.isoformat()) for p in partitions])
            self._ledger.execute("COMMIT")
        self._finish()

    def is_done(self, path: str, size: int, changed: int) -> bool:
        """Whether this input was read to its end, and has not changed since."""
        with _faults_named(self.place):
            found = self._ledger.execute("SELECT size, changed FROM input WHERE path = ?", (path,)).fetchone()
        return bool(found == (size, changed))

    def stale(self) -> list[Partition]:
        """The partitions whose verdicts are missing or older than their observations, in order."""
        with _faults_named(self.place):
            return _partitions(self._ledger.execute("SELECT country, day FROM stale ORDER BY day, country"))

    def uncounted(self) -> list[Partition]:
        """The partitions whose hours are not yet in the tables of months, in order."""
        with _faults_named(self.place):
            return _partitions(self._ledger.execute("SELECT country, day FROM uncounted ORDER BY day, country"))

    def inputs(self) -> Iterator[Input]:
        """Every input that is done."""
        columns = "path, size, changed, lines, read, rejected"
        for row in self._ledger.execute(f"SELECT {columns} FROM input ORDER BY path"):  # noqa: S608 - constant names
            yield Input(*row)

    def new_file(self, table: str, partition: Partition | Month | None = None) -> Path:
        """A free name for a file of a table."""
        return new_file(self.place, table, partition)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.place))

    def _finish(self) -> None:
        """Do what is noted. Doing it twice is the same as doing it once."""
        todo = self._ledger.execute("SELECT staged, final FROM pending ORDER BY number").fetchall()
        if not todo:
            return
        touched: set[Path] = set()
        for name in (name for move in todo for name in move if name is not None):
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise LocalFault(
                    later(
                        "the ledger of the store {place} names a file outside of it: {name}",
                        place=self.place,
                        name=name,
                    )
                )
        for staged, final in todo:
            target = self.place / final
            if staged is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # renamed before we were killed
                    (self.place / staged).replace(target)
            else:
                target.unlink(missing_ok=True)
            touched.add(target.parent)
        for directory in touched:
            _sync(directory)
        self._ledger.execute("DELETE FROM pending")


@contextmanager
def _faults_named(place: Path) -> Iterator[None]:
    """A full disk, one that may not be written, or a broken ledger becomes a line that names the store."""
    try:
        yield
    except OSError as error:
        raise LocalFault(
            later("cannot write the store {place}: {why}", place=place, why=error.strerror or error)
        ) from None
    except (sqlite3.Error, ValueError) as error:
        raise LocalFault(
            later("cannot write the store {place}: its ledger: {error}", place=place, error=error)
        ) from None


class _rolled_back:  # noqa: N801 - reads as what it does, like contextlib's own
    """Leaves no transaction open behind an error."""

    def __init__(self, ledger: sqlite3.Connection) -> None:
        self._ledger = ledger

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._ledger.in_transaction:
            self._ledger.execute("ROLLBACK")


def staging_of(place: Path) -> Path:
    """Where files of a store are written before they are put in place."""
    return place / schema.LEDGER / "staging"


def staged(place: Path, table: pa.Table, row_group: int = 1 << 16) -> Path:
    """Write a table into the staging of a store, durably; a process that does not hold the store may do so as well.

    Dictionaries are written as such, and are the texts that they stand for to whoever reads the file.

    Raises:
        LocalFault: it cannot be written.
    """
    path = staging_of(place) / f"{uuid4().hex}.parquet"
    plain = pa.schema([_plain(field) for field in table.schema])
    with _faults_named(place):
        many = table.num_rows >= _FEW
        codec, level = ("zstd", 1) if many else ("snappy", None)
        with pq.ParquetWriter(
            path, table.schema, compression=codec, compression_level=level, use_dictionary=many, store_schema=False
        ) as writer:
            # What Arrow would say here itself, if it were not that a column is a dictionary.
            writer.add_key_value_metadata({"ARROW:schema": b64encode(plain.serialize())})
            writer.write_table(table, row_group_size=row_group)
        _sync(path)
    return path


def _plain(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field


def new_file(place: Path, table: str, partition: Partition | Month | None = None) -> Path:
    """A free name for a file of a table."""
    where = place / table
    return (partition.inside(where) if partition else where) / f"{uuid4().hex}.parquet"


def files(place: Path, table: str, partitions: Iterable[Partition | Month] | None = None) -> list[Path]:
    """The files of a table, for reading: all of them, or those of some partitions."""
    root = place / table
    if partitions is None:
        return sorted(root.rglob("*.parquet"))
    return [path for partition in partitions for path in sorted(partition.inside(root).glob("*.parquet"))]


def partitions_of(place: Path, table: str) -> list[Partition]:
    """The partitions that a table has, by day and country."""
    found = []
    for path in (place / table).glob("country=*/day=*"):
        with suppress(ValueError):  # somebody else's directory
            found += _partitions([(path.parent.name.removeprefix("country="), path.name.removeprefix("day="))])
    return sorted(found, key=lambda p: (p.day, p.country))


def check_format(place: Path) -> None:
    """Refuse a store whose columns mean something else than they do now.

    Raises:
        LocalFault: an earlier or a later version made it, or its name cannot be told to an engine.
    """
    try:
        str(place).encode()
    except UnicodeEncodeError:
        raise LocalFault(later("{place}: the name of a store has to be text in UTF-8", place=place)) from None
    path = place / schema.LEDGER / _FORMAT_FILE
    told = path.read_bytes() if path.is_file() else b""
    if told != _FORMAT.encode() and (told or (place / schema.OBSERVATIONS).is_dir()):
        raise LocalFault(
            later("another version of Rozaneh made the store {place}: ingest the files into a new one", place=place)
        )


def check_store(place: Path) -> None:
    """Refuse what is no store of this version, for whoever reads one.

    Raises:
        LocalFault: there is none, or another version made it.
    """
    check_format(place)
    if not (place / schema.LEDGER / _FORMAT_FILE).is_file():
        raise LocalFault(
            later(
                "{place}: there is no store; make one with: {command}",
                place=place,
                command=f"rozaneh observe ingest FILES --store {place}",
            )
        )


def _say_format(place: Path) -> None:
    path = place / schema.LEDGER / _FORMAT_FILE
    if not path.exists():
        fresh = staging_of(place) / uuid4().hex
        fresh.write_text(_FORMAT)
        fresh.replace(path)


def _partitions(rows: Iterable[tuple[str, str]]) -> list[Partition]:
    found = [Partition(country, dt.date.fromisoformat(day)) for country, day in rows]
    if not all(len(each.country) == 2 and each.country.isascii() and each.country.isalpha() for each in found):
        raise ValueError("a country that is none")
    return found


def _locked(path: Path, place: Path) -> IO[bytes]:
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise LocalFault(later("another process writes the store {place}", place=place)) from None
    return lock


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

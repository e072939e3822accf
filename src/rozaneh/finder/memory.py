"""What worked, on which network and at which hour: a small file that may be deleted at any moment.

It holds counts for network x hour x obstacle x way, and in which hours a line was cut; no host name and no address. Who
takes the device learns which kinds of tricks worked on some network, not what was visited. The network is a salted
digest (:mod:`rozaneh.finder.place`), and so is an upstream server. Counts fade with a half-life, because what worked
last month is a guess today.

The store is SQLite with a write-ahead log. A file that cannot be read is set aside under another name; where no file
can be had at all the memory lives in RAM. Neither is ever an error.
"""

import math
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from rozaneh.core import Context
from rozaneh.core.private import private_folder
from rozaneh.finder.curfew import Hour

__all__ = ["Memory"]

_HALF_LIFE = 3 * 86400.0
_FORGOTTEN = 10 * _HALF_LIFE
_OTHER_HOURS = 0.25
"""What an outcome at another hour of the day weighs."""
_VERSION = 1
_COLUMNS = ("network", "hour", "obstacle", "way", "good", "bad", "at")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outcome (
    network TEXT NOT NULL, hour INTEGER NOT NULL, obstacle TEXT NOT NULL, way TEXT NOT NULL,
    good REAL NOT NULL, bad REAL NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (network, hour, obstacle, way)
) WITHOUT ROWID
"""
_LINE = """
CREATE TABLE IF NOT EXISTS line (
    network TEXT NOT NULL, day TEXT NOT NULL, hour INTEGER NOT NULL, open INTEGER NOT NULL, cut INTEGER NOT NULL,
    PRIMARY KEY (network, day, hour)
) WITHOUT ROWID
"""
_LINE_DAYS = 30
_MOST_OUTCOMES = 5000
"""Rows that are kept, the newest: half a megabyte. A year of one network and a few obstacles takes some hundred."""
# A column of SQLite holds whatever is put into it, and a file that somebody has written into is not damaged for that.
_NUMBERS = "typeof(good) = 'real' AND typeof(bad) = 'real' AND typeof(at) = 'real'"
_COUNTS = "typeof(hour) = 'integer' AND typeof(open) = 'integer' AND typeof(cut) = 'integer'"


class Memory:
    """The memory of one device.

    Args:
        path: the file; none keeps everything in RAM.
        warn: told, in one line, when the file could not be used and what was done about it.
    """

    def __init__(self, path: Path | None = None, *, warn: Callable[[str], None] = lambda _: None) -> None:
        self._warn = warn
        self._store = self._open(path)

    @property
    def kept(self) -> bool:
        """Whether anything is on disk."""
        return bool(self._store.execute("PRAGMA database_list").fetchone()[2])

    def seen(self, context: Context, obstacle: str, way: str, now: float) -> tuple[float, float]:
        """Decayed counts of successes and failures.

        Args:
            context: which network, and the hour that counts most.
            obstacle: what was in the way.
            way: how it was tried.
            now: seconds since the epoch.
        """
        good = bad = 0.0
        query = f"SELECT hour, good, bad, at FROM outcome WHERE network = ? AND obstacle = ? AND way = ? AND {_NUMBERS}"  # noqa: S608 - a constant
        for hour, its_good, its_bad, at in self._read(query, (context.network, obstacle, way)):
            weight = _fading(now - at) * (1.0 if hour == context.hour else _OTHER_HOURS)
            good += weight * its_good
            bad += weight * its_bad
        return good, bad

    def record(self, context: Context, obstacle: str, way: str, *, worked: bool, now: float) -> None:
        """Remember one outcome. An interrupted attempt is none."""
        key = (context.network, context.hour, obstacle, way)
        same = "network = ? AND hour = ? AND obstacle = ? AND way = ?"
        query = f"SELECT good, bad, at FROM outcome WHERE {same} AND {_NUMBERS}"  # noqa: S608 - constants
        good, bad, at = next(iter(self._read(query, key)), (0.0, 0.0, now))
        left = _fading(now - at)
        row = (*key, good * left + worked, bad * left + (not worked), now)
        self._write("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if self._read("SELECT count(*) > ? FROM outcome", (_MOST_OUTCOMES,)) == [(1,)]:
            newest = "SELECT at FROM outcome ORDER BY at DESC LIMIT 1 OFFSET ?"
            self._write(f"DELETE FROM outcome WHERE at < ({newest})", (_MOST_OUTCOMES * 9 // 10,))  # noqa: S608 - constants

    def line_was(self, network: str, now: datetime, *, cut: bool) -> None:
        """Remember that the line abroad was open, or cut, in an hour of a network.

        Args:
            network: its identity.
            now: the moment, in the user's zone.
            cut: which of both.
        """
        oldest = (now.date() - timedelta(days=_LINE_DAYS)).isoformat()
        self._write("DELETE FROM line WHERE day < ?", (oldest,))
        self._write(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET open = open + excluded.open,"
            " cut = cut + excluded.cut",
            (network, now.date().isoformat(), now.hour, int(not cut), int(cut)),
        )

    def line(self, network: str) -> list[Hour]:
        """The hours of a network of which something is remembered."""
        query = f"SELECT day, hour, open, cut FROM line WHERE network = ? AND {_COUNTS} LIMIT 1000"  # noqa: S608 - a constant
        rows = self._read(query, (network,))
        with suppress(ValueError, TypeError):
            return [Hour(day=date.fromisoformat(day), hour=hour, open=open_, cut=cut) for day, hour, open_, cut in rows]
        return []

    def wipe(self) -> None:
        """Forget everything, and keep nothing on disk any more. The file is not removed by this."""
        with suppress(sqlite3.Error):
            self._store.close()
        self._store = _connect(":memory:")

    def forget(self, now: float) -> None:
        """Remove what has faded away."""
        self._write("DELETE FROM outcome WHERE at < ?", (now - _FORGOTTEN,))

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if path is None:
            return _connect(":memory:")
        try:
            private_folder(path.parent)
            with suppress(FileExistsError), open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)):  # noqa: PTH123 - only open takes a descriptor
                pass
            return _connect(str(path))
        except (OSError, sqlite3.OperationalError) as error:
            self._warn(f"cannot keep what works in {path} ({error}): it is kept until this program ends")
            return _connect(":memory:")
        except sqlite3.DatabaseError as error:
            return self._set_aside(path, error)

    def _set_aside(self, path: Path, error: sqlite3.Error) -> sqlite3.Connection:
        aside = path.with_name(path.name + ".unreadable")
        try:
            path.replace(aside)
            for tail in ("-wal", "-shm"):
                path.with_name(path.name + tail).unlink(missing_ok=True)
        except OSError:
            self._warn(f"cannot read {path} ({error}): what works is kept until this program ends")
            return _connect(":memory:")
        self._warn(f"cannot read {path} ({error}): set aside as {aside.name}, beginning anew")
        return self._open(path)

    def _read(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._store.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._lose(error)
            return []

    def _write(self, query: str, values: tuple[object, ...]) -> None:
        try:
            self._store.execute(query, values)
        except sqlite3.Error as error:
            self._lose(error)

    def _lose(self, error: sqlite3.Error) -> None:
        """A disk that is full or a file that broke while in use: go on in RAM."""
        self._warn(f"what works can no longer be kept on disk ({error}): it is kept until this program ends")
        with suppress(sqlite3.Error):
            self._store.close()
        self._store = _connect(":memory:")


def _connect(name: str) -> sqlite3.Connection:
    """Open a store and make sure that it can be read and is one of ours, before anything in it is changed."""
    store = sqlite3.connect(name, isolation_level=None, timeout=0.2)
    try:
        version = store.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"its version is {version}, expected {_VERSION}")
        columns = tuple(row[1] for row in store.execute("PRAGMA table_info(outcome)"))
        if columns not in ((), _COLUMNS):
            raise sqlite3.DatabaseError("its columns are not ours")
        if store.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages are damaged")
        with closing(store.execute("PRAGMA journal_mode = WAL")):
            store.execute("PRAGMA synchronous = NORMAL")
        store.execute(_SCHEMA)
        store.execute(_LINE)
        store.execute(f"PRAGMA user_version = {_VERSION}")
    except sqlite3.Error:
        store.close()
        raise
    return store


def _fading(age: float) -> float:
    """What an outcome of this age weighs. A clock that jumped back makes it young, never younger than now."""
    return math.exp2(-max(age, 0.0) / _HALF_LIFE)

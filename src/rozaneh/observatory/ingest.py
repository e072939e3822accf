"""Files into observations: read, deduplicated, sorted by partition, and put in place as a whole or not at all.

A window of rows is held in memory and enters the store as a whole (:mod:`rozaneh.observatory.window`), together with
the names of the inputs that are complete by then. An input that was cut off by a kill is read again from its start, and
what it had given already is recognised as double; so no position inside a file has to be remembered. Several processes
may read side by side (:mod:`rozaneh.observatory.jobs`).
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rozaneh.core import LocalFault
from rozaneh.observatory.compaction import compact
from rozaneh.observatory.damage import told
from rozaneh.observatory.doubles import Doubles, Keys
from rozaneh.observatory.jobs import read_side_by_side
from rozaneh.observatory.store import Change, Store
from rozaneh.observatory.window import Found, Summary, Window, much_memory
from rozaneh.words import later
from rozaneh.words.foreign import shown

__all__ = ["Progress", "Summary", "ingest", "inputs"]

_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".ndjson", ".ndjson.gz")

_LATEST = (1 << 63) - 1
"""What a ledger can hold: file systems know times of later centuries."""

Progress = Callable[[int, Summary], None]
"""Is told how many bytes of the inputs were read since the last time, and the summary so far."""


def inputs(paths: Sequence[Path]) -> list[Found]:
    """The files below some paths, in order; a file that is named is taken whatever it is called.

    What goes away meanwhile is not there. What cannot be looked at or into is among them, for whoever reads it is told
    why it cannot be read.

    Raises:
        LocalFault: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(_below(path))
        elif path.exists():
            found.append(path)
        else:
            raise LocalFault(later("there is no file or directory {path}", path=path))
    return [seen for path in dict.fromkeys(found) if (seen := _seen(path))]


def _below(folder: Path) -> Iterator[Path]:
    """What is called as files of measurements are, and folders that cannot be looked into, however deep they lie."""
    left = [folder]
    while left:
        at = left.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(Path(entry.path))
                    elif entry.name.endswith(_SUFFIXES):
                        yield Path(entry.path)
        except FileNotFoundError:
            continue
        except OSError:
            yield at


def _seen(path: Path) -> Found | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return Found(str(path.absolute()), 0, 0)
    return Found(str(path.absolute()), status.st_size, min(status.st_mtime_ns, _LATEST))


def ingest(
    paths: Sequence[Path], store: Store, now: dt.datetime, progress: Progress | None = None, jobs: int = 1
) -> Summary:
    """Read files into a store.

    Args:
        paths: files, and directories of files.
        store: where to.
        now: the time; what claims to be of a later day than tomorrow is set aside.
        progress: is told how far it is.
        jobs: how many processes read; each reads whole files.

    Raises:
        LocalFault: a path does not exist, or the store cannot be written.
    """
    summary = Summary()
    tell = progress or _untold
    left: list[Found] = []
    for found in inputs(paths):
        if not _is_text(found.path):
            summary.unread.append(f"{shown(found.path)}: the name is not text in UTF-8")
        elif store.is_done(found.path, found.size, found.changed):
            summary.skipped += 1
            tell(found.size, summary)
        else:
            left.append(found)
    with told(store.place):
        if jobs > 1 and len(left) > 1:
            summary.add(read_side_by_side(jobs, store, now, left, tell))
        else:
            window = Window(store.place, _Here(store, tell, summary), now, summary)
            with much_memory():
                window.read(left)
        compact(store)
    return summary


def _is_text(name: str) -> bool:
    """Whether a name can be written into tables: bytes that are no UTF-8 come as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _untold(_: int, __: Summary) -> None:
    """Nobody wants to know how far it is."""


class _Here:
    """A door to a store that this process holds."""

    def __init__(self, store: Store, progress: Progress, summary: Summary) -> None:
        self._store = store
        self._progress = progress
        self._summary = summary
        self._doubles = Doubles(store)

    def new(self, keys: Keys) -> np.ndarray:
        return self._doubles.new(keys)

    def commit(self, change: Change) -> None:
        self._store.commit(change)
        self._doubles.settled()

    def read(self, size: int) -> None:
        self._progress(size, self._summary)

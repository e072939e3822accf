"""Folders and files that nobody else on this machine looks into."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["private_folder", "turn", "write_in_turn", "write_private"]


def private_folder(folder: Path) -> None:
    """Make a folder for its owner alone, and whatever is missing above it; those that are there keep their modes.

    ``Path.mkdir(parents=True, mode=…)`` gives the mode to the last folder alone, so that the names of what lies in
    between could be read.

    Raises:
        OSError: it cannot be made.
    """
    for part in reversed((folder, *folder.parents)):
        part.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Write a file for its owner alone: beside its place, moved there once it is on the disk; one process at a time.

    An end at any moment, or a disk that is full, leaves what was there before, and no half of what is new.

    Raises:
        OSError: it cannot be written.
    """
    with turn(path.parent):
        write_in_turn(path, data)


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a folder of its owner's, which is made. Not to be taken twice.

    Whoever reads a file and writes what follows from it takes it around both, or the change of another is lost.
    """
    with ExitStack() as held:
        # Some file systems know no locks, some folders may be written and not read, or cannot be made, which reading or
        # writing says better: then it is as if there were no other process.
        with suppress(OSError):
            private_folder(folder)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def write_in_turn(path: Path, data: bytes) -> None:
    """:func:`write_private` for who holds the folder's :func:`turn`.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_suffix(".new")
    private_folder(path.parent)
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):  # what went wrong before is what is told
            fresh.unlink(missing_ok=True)
        raise

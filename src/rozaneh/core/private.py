"""Folders and files that nobody else on this machine looks into."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["private_folder", "write_private"]


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
    fresh = path.with_suffix(".new")
    private_folder(path.parent)
    turn = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some file systems know no locks; then it is as if there were no other process
            fcntl.flock(turn, fcntl.LOCK_EX)  # or two would have the same file beside it, and move half of one
        _write(path, fresh, data)
    finally:
        os.close(turn)


def _write(path: Path, fresh: Path, data: bytes) -> None:
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

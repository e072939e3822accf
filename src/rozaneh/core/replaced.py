"""Files that take the place of others as a whole: written beside them, and moved there once they are on the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from rozaneh.core.errors import LocalFault

__all__ = ["replaced"]


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a name beside a file; what is written there takes the file's place when all of it is on the disk.

    An end at any moment, or a disk that is full, leaves what was there before, and no half of what is new. Of several
    that write the same file, the last one counts. The name is short, so that whatever the file may be called fits.

    Args:
        path: the file, which may be there or not.

    Raises:
        LocalFault: it cannot be written. So it is for whatever the system refuses until the end, such as a folder that
            is made for it.
    """
    fresh = path.with_name(f".{uuid4().hex}")
    try:
        yield fresh
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise LocalFault(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):  # it was moved, or what went wrong before is what is told
            fresh.unlink()

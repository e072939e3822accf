"""Files that somebody names, or that lie in a folder: read only if they are files, and only so much of them.

A named pipe without a writer keeps whoever opens it waiting for ever, a device may have no end, and of a file that is
cut off at a bound the rest would be lost with the next writing. Each is an ``OSError`` that says so in a line.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_ordinary", "read_ordinary"]

_PASSED = (Path("/dev/fd"), Path("/proc/self/fd"))
"""Where a shell puts what it has opened for a program, as for ``--ways-file <(pass show ways)``."""
_STANDARD = Path("/dev/stdin")


def open_ordinary(path: Path) -> BinaryIO:
    """Open a file for reading; it never waits.

    Args:
        path: the file. A pipe is read only where a shell has opened it for this program.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = os.fstat(descriptor).st_mode
    passed = stat.S_ISFIFO(kind) and (path.parent in _PASSED or path == _STANDARD)
    if not stat.S_ISREG(kind) and not passed:
        os.close(descriptor)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    os.set_blocking(descriptor, passed)
    return os.fdopen(descriptor, "rb")


def read_ordinary(path: Path, most: int) -> bytes:
    """All of a file.

    Args:
        path: the file, as for :func:`open_ordinary`.
        most: bytes that it may hold.

    Raises:
        OSError: it cannot be read, is none, or holds more.
    """
    with open_ordinary(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return data

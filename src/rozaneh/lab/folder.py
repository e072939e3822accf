"""The private folder of a lab, which goes with the lab even if nobody was left alive to remove it."""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "rozaneh-lab-"
_LOCK = "lock"
_STALE_AFTER = 60.0
_READABLE_BY_SERVERS = 0o711


class Folder:
    """A new folder with a lock in it, held as long as any process has the lock's file descriptor.

    Making one also removes those of labs whose every process was killed at once.

    Attributes:
        path: where it is.
    """

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.path.chmod(_READABLE_BY_SERVERS)
        self._lock = (self.path / _LOCK).open("w", encoding="ascii")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def fileno(self) -> int:
        """The lock's file descriptor; a child that inherits it keeps the folder alive."""
        return self._lock.fileno()

    def remove(self) -> None:
        """Remove it with all that is in it, and let go of the lock; harmless when that is done."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.stat()
            # A folder that has just been made may not have its lock yet.
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _STALE_AFTER and _is_free(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True

"""Removing what the gateway and the probe have kept on this device.

Files are named one by one; a folder with something else in it is left where it is. What a disk has set aside, and
copies in backups or in swap, are out of reach of any program.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from rozaneh.gateway.stored import FILE

__all__ = ["Wiped", "wipe"]

_LEARNT = (
    "memory.sqlite",
    "memory.sqlite-wal",
    "memory.sqlite-shm",
    "memory.sqlite.unreadable",
    "key",
    "log",
    "open.html",
    "controls.json",
    "controls.new",
)
_SERVERS = (FILE, "ways.new")
_FOLDERS = ("share", "lists")
"""Measurements that wait, and the test lists that are kept."""


class Wiped(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the files.

    Attributes:
        removed: how many.
        left: those that could not be removed, with the reason.
    """

    removed: int = 0
    left: tuple[str, ...] = ()


def wipe(folder: Path | None, *, servers: bool) -> Wiped:
    """Remove what is kept in a state folder: what worked where, the device's key, lists, and measurements that wait.

    Args:
        folder: the state folder; none where nothing is kept.
        servers: whether the user's own servers go too.
    """
    removed, left = 0, []
    for path in _files(folder, servers=servers) if folder is not None else ():
        try:
            path.unlink()
            removed += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            left.append(f"{path}: {error.strerror}")
    if folder is not None:
        for name in _FOLDERS:
            with suppress(PermissionError):
                _remove_empty(folder / name)
    return Wiped(removed=removed, left=tuple(left))


def _remove_empty(top: Path) -> None:
    for empty in (*sorted(top.glob("*")), top):
        with suppress(OSError):  # what holds something else stays
            empty.rmdir()


def _files(folder: Path, *, servers: bool) -> Iterator[Path]:
    for name in (*_LEARNT, *(_SERVERS if servers else ())):
        yield folder / name
    for name in _FOLDERS:
        # What a folder that may not be looked into holds is told by the files above, which cannot be removed either.
        with suppress(PermissionError):
            yield from _within(folder / name)


def _within(top: Path) -> Iterator[Path]:
    # Links are removed, never followed: what they lead to is somebody else's.
    for path in (top,) if top.is_symlink() else sorted(top.rglob("*")):
        if path.is_symlink() or path.is_file():
            yield path

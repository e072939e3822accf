"""Writes the site into a directory, for any host, a mirror or a USB stick."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from rozaneh.core import LocalFault
from rozaneh.observatory.dashboard.site import Site
from rozaneh.words import later

_MARK: Final = ".rozaneh-observatory"
"""Lies in what was published, and lists its files; so whatever else lies there is somebody's."""
_LONGEST_MARK: Final = 64 << 20


def publish(site: Site, place: Path, progress: Callable[[int, int], None]) -> tuple[int, int]:
    """Write every page. What was there is replaced as a whole, once all is written.

    What a run that was killed has left beside the directory is swept away by the next one.

    Args:
        site: the pages.
        place: a directory that is absent, empty, or was written by this and holds nothing else; a link leads to it.
        progress: is told how many pages are written, and of how many.

    Returns:
        The number of files, and of bytes.

    Raises:
        LocalFault: the directory holds something else, or cannot be written.
    """
    try:
        whole = place.resolve()
        _check(whole, place)
        paths = site.paths()
        fresh = whole.with_name(f".{whole.name}-{uuid4().hex[:8]}")
        fresh.mkdir(parents=True)
        with _held(fresh):
            try:
                (fresh / _MARK).write_text("\n".join(paths), encoding="utf-8")
                size = _write(site, paths, fresh, progress)
                _put(fresh, whole)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)  # gone already, or half of a site
            _sweep(whole)
    except OSError as error:
        raise LocalFault(
            later("{place}: cannot be written: {why}", place=place, why=error.strerror or error)
        ) from error
    except RuntimeError:  # what Python 3.11 and 3.12 say of links that lead to each other
        raise LocalFault(
            later("{place}: cannot be written: {why}", place=place, why=os.strerror(errno.ELOOP))
        ) from None
    return len(paths), size


def _check(whole: Path, place: Path) -> None:
    """Refuse to replace what was not published by this."""
    if not os.path.lexists(whole):
        return
    ours = _listed(whole) if whole.is_dir() else frozenset()
    for path in whole.rglob("*") if whole.is_dir() else (whole,):
        name = path.relative_to(whole).as_posix()
        if (path.is_symlink() or not path.is_dir()) and name != _MARK and name not in ours:
            raise LocalFault(
                later(
                    "{place}: holds something else, {name}; name a directory that is empty or does not exist",
                    place=place,
                    name=name,
                )
            )


def _listed(whole: Path) -> frozenset[str]:
    """The files that were published there."""
    mark = whole / _MARK
    if mark.is_symlink() or not mark.is_file():
        return frozenset()
    with mark.open("rb") as file:
        return frozenset(file.read(_LONGEST_MARK).decode(errors="replace").split("\n"))


def _write(site: Site, paths: list[str], fresh: Path, progress: Callable[[int, int], None]) -> int:
    size = 0
    for number, path in enumerate(paths, 1):
        page = site.page(path)
        if page is not None:
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(page.body)
            size += len(page.body)
        progress(number, len(paths))
    return size


def _put(fresh: Path, whole: Path) -> None:
    """Put what was written in place of what was there."""
    if not whole.exists():
        fresh.rename(whole)
        return
    old = whole.with_name(f"{fresh.name}-old")
    whole.rename(old)
    try:
        fresh.rename(whole)
    except OSError:
        old.rename(whole)
        raise
    shutil.rmtree(old, ignore_errors=True)  # another run may be sweeping it away; what stays is swept by the next one


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Nobody sweeps a directory away while it is held."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sweep(whole: Path) -> None:
    """Remove what runs that were killed have left: only what bears the mark, and what no other run holds."""
    for left in _beside(whole):
        try:
            with _held(left):
                shutil.rmtree(left)
        except BlockingIOError:
            continue


def _beside(whole: Path) -> list[Path]:
    name, digits = f".{whole.name}-", 8
    return [
        path
        for path in whole.parent.iterdir()
        if path.name.startswith(name)
        and len(path.name.removesuffix("-old")) == len(name) + digits
        and not path.is_symlink()
        and (path / _MARK).is_file()
    ]

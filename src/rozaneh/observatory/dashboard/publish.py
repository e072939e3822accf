"""Writes the site into a directory, for any host, a mirror or a USB stick."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from rozaneh.core import LocalFault
from rozaneh.observatory.dashboard.site import Site

_MARK = ".rozaneh-observatory"


def publish(site: Site, place: Path, progress: Callable[[int, int], None]) -> tuple[int, int]:
    """Write every page. What was there is replaced as a whole, once all is written.

    Args:
        site: the pages.
        place: a directory that is absent, empty, or was written by this.
        progress: is told how many pages are written, and of how many.

    Returns:
        The number of files, and of bytes.

    Raises:
        LocalFault: the directory holds something else, or cannot be written.
    """
    if place.exists() and (not place.is_dir() or (any(place.iterdir()) and not (place / _MARK).exists())):
        raise LocalFault(f"{place}: holds something else; name a directory that is empty or does not exist")
    paths = list(site.paths())
    fresh = place.with_name(f".{place.name}-{uuid4().hex[:8]}")
    try:
        size = 0
        for number, path in enumerate(paths, 1):
            page = site.page(path)
            if page is not None:
                target = fresh / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(page.body)
                size += len(page.body)
            progress(number, len(paths))
        (fresh / _MARK).touch()
        if place.exists():
            old = place.with_name(f"{fresh.name}-old")
            place.rename(old)
            fresh.rename(place)
            shutil.rmtree(old)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh.rename(place)
    except OSError as error:
        raise LocalFault(f"{place}: cannot be written: {os.strerror(error.errno or 0)}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return len(paths), size

"""How much memory this process may have: the machine's, or less where a container or a service is held to less.

Limits are those of control groups, of the group that this process is in and of all above it (Linux,
``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

_GROUPS: Final = Path("/proc/self/cgroup")
_MOUNTED: Final = Path("/sys/fs/cgroup")


def most_memory(groups: Path = _GROUPS, mounted: Path = _MOUNTED) -> int:
    """Bytes of memory that there are for this process, at most.

    Args:
        groups: says of which control groups it is.
        mounted: where these are found.
    """
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([whole, *_limits(groups, mounted)])


def _limits(groups: Path, mounted: Path) -> Iterator[int]:
    try:
        lines = groups.read_text(errors="replace").splitlines()
    except OSError:  # not a Linux, or one without control groups
        return
    for line in lines:
        number, kinds, place = (*line.split(":", 2), "", "")[:3]
        if (number, kinds) == ("0", ""):
            root, name = mounted, "memory.max"
        elif "memory" in kinds.split(","):
            root, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path is that of the machine outside, and what is mounted begins at the group itself.
        within = PurePosixPath(place.lstrip("/"))
        for group in (within, *within.parents):
            with suppress(OSError, ValueError):  # "max" is no limit
                yield int((root / group / name).read_text(errors="replace"))

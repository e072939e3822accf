"""What ``rozaneh watch --store FILE`` has seen of this line: in which hours it was open, in which cut."""

from datetime import datetime
from pathlib import Path

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.finder.curfew import Hour
from rozaneh.words import later

__all__ = ["hours_of", "read_watched"]

_TAIL = 4 << 20
_LONGEST_LINE = 1 << 16
_MOST_HOURS = 24 * 60


class _Line(msgspec.Struct, frozen=True):
    """A round, of all that a line may be."""

    event: str
    time: datetime
    reach: str = ""


def read_watched(path: Path) -> list[Hour]:
    """The hours in a file; of a long one, those at its end.

    Raises:
        LocalFault: it cannot be read.
    """
    try:
        with open_ordinary(path) as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - _TAIL))
            data = file.read(_TAIL)
    except OSError as error:
        raise LocalFault(
            later("cannot read what was watched in {path}: {why}", path=path, why=error.strerror)
        ) from error
    return hours_of(data)


def hours_of(data: bytes) -> list[Hour]:
    """The hours in such lines. What is no round is passed over."""
    found: dict[tuple[datetime, int], list[int]] = {}
    for line in data.splitlines():
        try:
            read = msgspec.json.decode(line[:_LONGEST_LINE], type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if read.event != "round" or read.time.tzinfo is None or read.reach not in ("open", "domestic_only", "offline"):
            continue
        day = read.time.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        seen = found.setdefault((day, read.time.hour), [0, 0])
        seen[read.reach != "open"] += 1
        if len(found) > _MOST_HOURS:
            del found[next(iter(found))]
    return [Hour(day=day.date(), hour=hour, open=open_, cut=cut) for (day, hour), (open_, cut) in found.items()]

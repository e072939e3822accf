"""The lab's time of day: one clock that censors, clients and programs share, and that can be turned."""

import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rozaneh.core import LocalFault

_TEHRAN = timezone(timedelta(hours=3, minutes=30), "Asia/Tehran")
_NOON = 12


class LabClock:
    """A clock that shows what it was set to and runs on from there.

    It runs on the monotonic clock, which all processes of a machine share, so that a message can carry it.

    Attributes:
        start: what it showed, aware of its zone.
        at: the monotonic time, in seconds, at which it showed that.
    """

    _path: Path | None = None

    def __init__(self, start: datetime, at: float | None = None) -> None:
        self.set(start, at)

    def set(self, start: datetime, at: float | None = None) -> None:
        """Turn it; backwards is allowed.

        Raises:
            LocalFault: the time has no zone.
        """
        if start.tzinfo is None:
            raise LocalFault(f"the lab's clock needs a time with a zone, not {start.isoformat()}")
        self.start = start
        self.at = time.monotonic() if at is None else at
        self._write()

    def show_in(self, path: Path) -> None:
        """From now on a file shows it as well, for programs that run while it is turned."""
        self._path = path
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            fresh = self._path.with_suffix(".new")
            with suppress(FileNotFoundError):  # the lab has ended, and nobody looks any more
                fresh.write_text(f"{self.start.isoformat()} {self.at}\n", encoding="ascii")
                fresh.replace(self._path)

    def now(self) -> datetime:
        """What it shows."""
        return self.start + timedelta(seconds=time.monotonic() - self.at)


def country_zone(name: str) -> tzinfo:
    """A time zone by its name; that of Tehran is known even on a machine without a time zone database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if name == "Asia/Tehran":
            return _TEHRAN
        raise LocalFault(f"this machine knows no time zone {name!r}") from None


def usual_start(zone: tzinfo) -> datetime:
    """Where a lab's clock starts unless told otherwise: noon of today, whatever the hour at which it is started."""
    return datetime.now(zone).replace(hour=_NOON, minute=0, second=0, microsecond=0)


def moment(text: str | datetime, now: datetime) -> datetime:
    """A time of day, or a date and time, in words.

    Args:
        text: ``HH:MM``, ``HH:MM:SS`` (of the day of ``now``), or ISO 8601; without a zone it is in that of ``now``.
        now: what the clock shows.

    Raises:
        LocalFault: it is none of these.
    """
    if isinstance(text, datetime):
        return text if text.tzinfo is not None else text.replace(tzinfo=now.tzinfo)
    try:
        if len(text) <= len("HH:MM:SS"):
            of_day = datetime.strptime(text, "%H:%M" if text.count(":") == 1 else "%H:%M:%S")  # noqa: DTZ007 - zone below
            return now.replace(hour=of_day.hour, minute=of_day.minute, second=of_day.second, microsecond=0)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise LocalFault(f"{text!r} is no time: expected HH:MM, or a date and time as in 2022-09-21T15:50") from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=now.tzinfo)

"""Times as files have them: ISO 8601, or seconds or milliseconds since 1970. UTC unless the file says otherwise."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rozaneh.core import LocalFault
from rozaneh.words import later

_EARLIEST, _LATEST = 631_152_000.0, 4_102_444_800.0  # 1990 and 2100
_MILLISECONDS = 1e11  # seconds since 1970 stay below until the year 5138
_NAMED_ZONE = re.compile(r"[(\[]\s*([A-Za-z_+\-0-9:/ ]+?)\s*[)\]]\s*$")
_TIME_WORDS = re.compile(
    r"\b(time|times|timestamp|timestamps|date|datetime|ts|hour|day|from|epoch|t|utc)\b|time|date", re.IGNORECASE
)


def zone_of(header: str) -> tuple[tzinfo, str]:
    """The zone that a column's name gives, as in ``Time (Asia/Tehran)``; else UTC.

    Raises:
        LocalFault: it names a zone that this machine does not know.
    """
    named = _NAMED_ZONE.search(header)
    name = named[1] if named else "UTC"
    if name.upper() in ("UTC", "GMT", "Z", "S", "MS", "SEC", "SECONDS", "MILLISECONDS"):
        return UTC, "UTC"
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-]\d{1,2}(?::?\d{2})?)", name)
    if offset:
        sign, digits = offset[1][0], offset[1][1:].replace(":", "")
        hours = digits.zfill(4) if len(digits) > 2 else f"{digits:0>2}00"
        try:
            return datetime.strptime(f"{sign}{hours}", "%z").tzinfo or UTC, f"UTC{offset[1]}"
        except ValueError:
            raise LocalFault(
                later("column {header!r}: {name!r} is no distance from UTC", header=header, name=name)
            ) from None
    if "/" not in name:
        return UTC, "UTC"  # a unit or a remark
    try:
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LocalFault(
            later("column {header!r}: this machine knows no time zone {name!r}", header=header, name=name)
        ) from None


def looks_like_time(header: str) -> bool:
    """Whether a column's name speaks of time."""
    return bool(_TIME_WORDS.search(header))


def instant(cell: object, zone: tzinfo) -> float | None:
    """Seconds since 1970, or none where the cell is no time between 1990 and 2100."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return _epoch(cell)
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if not text or len(text) > 40:
        return None
    try:
        if text[0].isdigit() and text.replace(".", "", 1).isdigit() and len(text) >= 9:
            return _epoch(float(text))
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if _EARLIEST <= seconds < _LATEST else None


def _epoch(number: float) -> float | None:
    try:
        seconds = float(number) / 1000 if abs(number) >= _MILLISECONDS else float(number)
    except OverflowError:
        return None
    return seconds if _EARLIEST <= seconds < _LATEST else None

"""The values a scenario is written with: durations, rates, sets of numbers, addresses, bytes.

A person may write ``60``, ``"60s"`` or ``"1m"``; the structs hold one form only (seconds as a float). Each sort of
value has one :class:`Kind`: how it is read, how the reference describes it, and its JSON Schema. A struct names the
kind of a field in its annotation, so that reader, reference and schema cannot drift apart.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import msgspec

FOREVER = 3.2e8
"""The longest duration that can be written, in seconds: ten years."""
LARGEST = 1e15
"""The upper end of an open range such as ``">=10"``; finite, so that JSON can carry it."""

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_DURATION = re.compile(rf"({_NUMBER})\s*(us|ms|s|min|m|h|d)?\Z")
_RATE = re.compile(rf"({_NUMBER})\s*([kMG]?)(i?)(bit|bps|B|b)?(?:/s|ps)?\Z")
_SIZE = re.compile(rf"({_NUMBER})\s*([kKMG]?)(i?)(?:B|bytes?)?\Z")
_PREFIX = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3}


class Misread(ValueError):
    """A value that is not of its kind; the text says what was expected, without the path."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of leaf value.

    Attributes:
        read: turns what stands in the file into the stored form; gets the value and the field's options.
        says: how the reference describes what may be written.
        schema: JSON Schema of what may be written.
    """

    read: Callable[[Any, Mapping[str, Any]], Any]
    says: str
    schema: dict[str, Any]


def shown(value: object) -> str:
    """A value as an error message quotes it: short, and like TOML."""
    if isinstance(value, str):
        return '"' + (value if len(value) <= 40 else value[:37] + "...") + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def number(value: Any, expected: str, low: float = 0.0, high: float = LARGEST) -> float:
    """A finite number within bounds.

    Raises:
        Misread: it is no number, or outside of the bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Misread(f"expected {expected}, got {shown(value)}")
    if not low <= value <= high:
        raise Misread(f"expected {expected} between {_plain(low)} and {_plain(high)}, got {shown(value)}")
    return float(value)


def _plain(value: float) -> str:
    return f"{value:.15g}"


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def seconds(value: Any, options: Mapping[str, Any]) -> float:
    """A duration in seconds, from a number or a text such as ``"250ms"``, ``"2m"``."""
    expected = 'a duration (seconds, or text such as "250ms", "60s", "2m", "1h")'
    if isinstance(value, str):
        found = _DURATION.match(value.strip())
        if not found:
            raise Misread(f"expected {expected}, got {shown(value)}")
        value = float(found[1]) * _UNITS[found[2] or "s"]
    return number(value, expected, options.get("low", 0.0), options.get("high", FOREVER))


def span(value: Any, options: Mapping[str, Any]) -> tuple[float, float]:
    """A duration, or two of them between which one is drawn."""
    if isinstance(value, str) and re.match(r"\s*[\d.]+\s*[a-z]*\s*-\s*\d", value):
        first, _, last = value.partition("-")
        unit = re.sub(r"[\d.\s]", "", last)
        value = [first.strip() + ("" if re.search("[a-z]", first) else unit), last.strip()]
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise Misread("expected a duration, or [least, most]")
        low, high = (seconds(item, options) for item in value)
        if low > high:
            raise Misread(f"expected [least, most], got [{_plain(low)}, {_plain(high)}]")
        return low, high
    fixed = seconds(value, options)
    return fixed, fixed


def rate(value: Any, _options: Mapping[str, Any]) -> float:
    """A rate in bytes per second; text may give bits: ``"128kbit"``, ``"1Mbit"``, ``"20kB"``."""
    expected = 'a rate (bytes per second, or text such as "128kbit", "1Mbit", "20kB")'
    if isinstance(value, str):
        found = _RATE.match(value.strip())
        if not found:
            raise Misread(f"expected {expected}, got {shown(value)}")
        base = 1024 if found[3] else 1000
        value = float(found[1]) * base ** _PREFIX[found[2]] / (8 if found[4] in ("bit", "bps", "b") else 1)
    return number(value, expected, 1.0, 1e12)


def size(value: Any, options: Mapping[str, Any]) -> int:
    """A number of bytes; text may use ``kB`` (1000) or ``KiB`` (1024)."""
    expected = 'a number of bytes (or text such as "16KiB", "15kB")'
    if isinstance(value, str):
        found = _SIZE.match(value.strip())
        if not found:
            raise Misread(f"expected {expected}, got {shown(value)}")
        value = float(found[1]) * (1024 if found[3] else 1000) ** _PREFIX[found[2]]
    return round(number(value, expected, options.get("low", 0), options.get("high", 1e12)))


def numbers(value: Any, options: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """A set of numbers: one, a list of them, ranges ``"a-b"``, bounds ``">=a"``, or ``{ at_least, at_most }``."""
    found = tuple(_range(item, options) for item in _items(value))
    if not found:
        raise Misread("expected at least one number or range, got an empty list")
    return found


def _range(item: Any, options: Mapping[str, Any]) -> tuple[float, float]:
    unit, low, high = options.get("unit", "number"), options.get("low", 0.0), options.get("high", LARGEST)
    names: Mapping[str, int] = options.get("names", {})
    expected = f'{unit}: a number, a range such as "10-20", or a bound such as ">=10"'
    whole = options.get("whole", True)
    if isinstance(item, Mapping):
        extra = sorted(set(item) - {"at_least", "at_most"})
        if extra:
            raise Misread(f"{extra[0]}: unknown key; expected one of: at_least, at_most")
        ends = [
            number(_literal(given, unit) if isinstance(given, str) else given, f"{unit} ({key})", low, high)
            for key, given in (("at_least", item.get("at_least", low)), ("at_most", item.get("at_most", high)))
        ]
        return _ordered(*ends)
    if isinstance(item, str):
        text = item.strip().replace(" ", "")
        if text.lower() in names:
            item = names[text.lower()]
        elif bound := re.match(r"(>=|<=|>|<)(\S+)\Z", text):
            return _bound(bound[1], number(_literal(bound[2], unit), expected, low, high), (low, high), whole=whole)
        elif between := re.match(r"(\w[\w.]*)-(\w[\w.]*)\Z", text):
            ends = [number(_literal(between[at], unit), expected, low, high) for at in (1, 2)]
            return _ordered(*ends)
        else:
            item = _literal(text, unit)
    if names and isinstance(item, str):
        raise Misread(f"expected {unit}: a number or one of {', '.join(sorted(names))}; got {shown(item)}")
    single = number(item, expected, low, high)
    return single, single


def _literal(text: str, unit: str) -> Any:
    """A number from text; bytes and seconds may have their units (``15kB``, ``2m``)."""
    for read in (lambda: int(text, 0), lambda: float(text)):
        try:
            return read()
        except ValueError:
            continue
    try:
        return {"bytes": size, "seconds": seconds}[unit](text, {})
    except (KeyError, Misread):
        return text


def _ordered(low: float, high: float) -> tuple[float, float]:
    if low > high:
        raise Misread(f"expected the smaller number first, got {_plain(low)}-{_plain(high)}")
    return low, high


def _bound(sign: str, at: float, limits: tuple[float, float], *, whole: bool) -> tuple[float, float]:
    low, high = limits
    if sign in (">=", ">"):
        return (at if sign == ">=" else (at + 1 if whole else math.nextafter(at, math.inf))), high
    return low, (at if sign == "<=" else (at - 1 if whole else math.nextafter(at, -math.inf)))


def octets(value: Any, options: Mapping[str, Any]) -> bytes:
    """Bytes, from plain text or from ``"hex:16 03 01"``."""
    if not isinstance(value, str):
        raise Misread(f'expected text, or bytes as "hex:16 03 01", got {shown(value)}')
    if value.startswith("hex:"):
        try:
            found = bytes.fromhex(value[4:])
        except ValueError:
            raise Misread(f'expected pairs of hexadecimal digits after "hex:", got {shown(value)}') from None
    else:
        found = value.encode()
    if not len(found) <= options.get("most", 65535):
        raise Misread(f"expected at most {options.get('most', 65535)} bytes, got {len(found)}")
    if not found and not options.get("empty", False):
        raise Misread("expected at least one byte, got an empty text")
    return found


def clock_time(value: Any, _options: Mapping[str, Any]) -> float:
    """A time of day, ``"HH:MM"`` or ``"HH:MM:SS"`` up to ``"24:00"``, as seconds after midnight."""
    if isinstance(value, time):
        value = value.isoformat()
    found = re.match(r"(\d{1,2}):(\d\d)(?::(\d\d))?\Z", value.strip()) if isinstance(value, str) else None
    at = (
        sum(int(part or 0) * weight for part, weight in zip(found.groups(), (3600, 60, 1), strict=True))
        if found
        else -1
    )
    if found is None or at > 86400 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        raise Misread(f'expected a time of day such as "16:00" or "24:00", got {shown(value)}')
    return float(at)


def calendar_day(value: Any, _options: Mapping[str, Any]) -> str:
    """A date ``YYYY-MM-DD``; TOML's own dates are accepted."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Misread(f'expected a date such as "2022-09-21", got {shown(value)}') from None


def loose_date(value: Any, options: Mapping[str, Any]) -> str:
    """When a source was written: ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``."""
    if isinstance(value, int) and not isinstance(value, bool) and 1900 < value < 2200:
        return str(value)
    if isinstance(value, str) and re.match(r"(19|20|21)\d\d(-(0[1-9]|1[0-2]))?\Z", value):
        return value
    try:
        return calendar_day(value, options)
    except Misread:
        raise Misread(f'expected a date such as "2022", "2022-09" or "2022-09-21", got {shown(value)}') from None


def moment(value: Any, _options: Mapping[str, Any]) -> str:
    """A date with a time, ISO 8601; TOML's own date-times are accepted."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Misread(f'expected a date and time such as "2022-09-21T15:00", got {shown(value)}') from None
    return found.isoformat()


def time_or_moment(value: Any, options: Mapping[str, Any]) -> str:
    """``HH:MM`` on the scenario's own day, or a date with a time."""
    if isinstance(value, time) or (isinstance(value, str) and re.match(r"\d{1,2}:\d\d", value)):
        at = int(clock_time(value, options))
        return f"{at // 3600:02}:{at // 60 % 60:02}" + (f":{at % 60:02}" if at % 60 else "")
    return moment(value, options)

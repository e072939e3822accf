"""The table of kinds: for each sort of value how it is read, described and put into a JSON Schema."""

from collections.abc import Mapping
from typing import Any

from rozaneh.core import Failure
from rozaneh.lab.scenario import names, quantity
from rozaneh.lab.scenario.quantity import Kind, Misread, shown

OUTCOMES = (
    "ok",
    "block_page",
    "degraded",
    "failure",
    "forged",
    "intercepted",
    "refused_by_service",
    "throttled",
    "wrong_content",
)
"""What an expectation may name besides OONI's failure strings; ``failure`` is any failure."""

_TEXT = {"type": "string"}
_NUMBER_OR_TEXT = {"type": ["number", "string"]}
_MARKS = {"r": "r", "m": "m", "1": "1", "?": "?"}


def _outcome(value: Any, _options: Mapping[str, Any]) -> str:
    known = {*OUTCOMES, *map(str, Failure)}
    if isinstance(value, str) and value in known:
        return value
    raise Misread(f"expected {', '.join(OUTCOMES)} or a failure such as connection_reset; got {shown(value)}")


def _source_mark(value: Any, _options: Mapping[str, Any]) -> str:
    text = str(value).strip("[]")
    if text not in _MARKS or isinstance(value, bool):
        raise Misread(f'expected "r", "m", "1" or "?", got {shown(value)}')
    return text


KINDS: Mapping[str, Kind] = {
    "address": Kind(
        read=names.address,
        says='an address, a block (`"104.16.0.0/13"`), a host name of the lab (all its addresses), or `"@set"`',
        schema=_TEXT,
    ),
    "asn": Kind(read=names.asn, says='an AS number, `197207` or `"AS197207"`', schema={"type": ["integer", "string"]}),
    "clock_time": Kind(
        read=quantity.clock_time, says='a time of day, `"HH:MM"` or `"HH:MM:SS"`, up to `"24:00"`', schema=_TEXT
    ),
    "day": Kind(read=quantity.calendar_day, says='a date, `"YYYY-MM-DD"`', schema=_TEXT),
    "host_name": Kind(read=names.host_name, says='a host name, or `"@set"` for the names of a set', schema=_TEXT),
    "ip_address": Kind(read=names.ip_address, says="an IPv4 or IPv6 address", schema=_TEXT),
    "label": Kind(read=names.label, says="a name: lower-case letters, digits, `-` and `_`", schema=_TEXT),
    "loose_date": Kind(
        read=quantity.loose_date,
        says='a date: `"YYYY"`, `"YYYY-MM"` or `"YYYY-MM-DD"`',
        schema={"type": ["string", "integer"]},
    ),
    "member": Kind(
        read=names.member,
        says='an address or block, a host name, a pattern of names (`"*.example"`), or another `"@set"`',
        schema=_TEXT,
    ),
    "moment": Kind(read=quantity.moment, says='a date and time, `"2022-09-21T15:00"`', schema=_TEXT),
    "numbers": Kind(
        read=quantity.numbers,
        says='a number; a list of numbers (any of them); a range `"10-20"`; a bound `">=10"`, `">10"`, `"<=10"`, '
        '`"<10"`; '
        "or `{ at_least = 10, at_most = 20 }`",
        schema={
            "anyOf": [
                {"type": ["number", "string"]},
                {"type": "array", "items": {"type": ["number", "string", "object"]}, "minItems": 1},
                {
                    "type": "object",
                    "properties": {"at_least": {"type": "number"}, "at_most": {"type": "number"}},
                    "additionalProperties": False,
                },
            ]
        },
    ),
    "octets": Kind(read=quantity.octets, says='bytes: text, or `"hex:16 03 01"`', schema=_TEXT),
    "outcome": Kind(read=_outcome, says="`ok`, a failure in OONI's words, or what the answer shows", schema=_TEXT),
    "protocol": Kind(
        read=names.protocol,
        says="IP protocols by number or name ("
        + ", ".join(f"`{name}`" for name in names.PROTOCOLS)
        + "); one or a list",
        schema={
            "anyOf": [
                {"type": ["integer", "string"]},
                {"type": "array", "items": {"type": ["integer", "string"]}, "minItems": 1},
            ]
        },
    ),
    "rate": Kind(
        read=quantity.rate,
        says='bytes per second, or text: `"128kbit"`, `"1Mbit"`, `"20kB"`',
        schema=_NUMBER_OR_TEXT,
    ),
    "seconds": Kind(
        read=quantity.seconds,
        says='seconds, or text: `"250ms"`, `"60s"`, `"2m"`, `"1h"`, `"1d"`',
        schema=_NUMBER_OR_TEXT,
    ),
    "size": Kind(read=quantity.size, says='a number of bytes, or text: `"16KiB"`, `"15kB"`', schema=_NUMBER_OR_TEXT),
    "source_mark": Kind(read=_source_mark, says='`"r"`, `"m"`, `"1"` or `"?"`', schema={"type": ["string", "integer"]}),
    "span": Kind(
        read=quantity.span,
        says='seconds (or `"250ms"`, `"2m"`), or `[least, most]` between which a value is drawn',
        schema={
            "anyOf": [
                _NUMBER_OR_TEXT,
                {"type": "array", "items": _NUMBER_OR_TEXT, "minItems": 2, "maxItems": 2},
            ]
        },
    ),
    "time_or_moment": Kind(
        read=quantity.time_or_moment, says='a time of day `"16:30"`, or a date and time', schema=_TEXT
    ),
    "weekday": Kind(read=names.weekday, says='`"mon"`, `"tue"`, ... `"sun"`', schema=_TEXT),
}

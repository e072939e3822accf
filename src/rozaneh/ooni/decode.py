"""One line of a file -> one measurement, or one line of text that says what is wrong with it and where."""

from collections.abc import Hashable
from functools import cache
from typing import Any, Optional, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from rozaneh.core import RemoteFault
from rozaneh.ooni.records import Measurement
from rozaneh.ooni.webkeys import WebKeys

LONGEST_LINE = 32 << 20
"""Bytes of one measurement. OONI's probe truncates bodies at 512 KiB; the largest real lines are of a few MB."""

_LONGEST_TEXT = 200

Keys = TypeVar("Keys", bound=msgspec.Struct)


class BadMeasurement(RemoteFault):
    """A line that is no measurement; the text is one line that names the place, as in ``$.test_keys.queries[0].t``."""


class _Summary(msgspec.Struct, frozen=True, gc=False):
    test_keys: Raw | UnsetType = UNSET
    scores: Raw | UnsetType = UNSET
    measurement_url: Raw | UnsetType = UNSET


_SUMMARY = msgspec.json.Decoder(_Summary)
_ENVELOPE = msgspec.json.Decoder(Measurement)
_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def decode(line: bytes | bytearray | memoryview) -> Measurement:
    """Read one line of a file.

    Of a key that stands twice the last one counts, as in OONI's own readers. The result refers to the bytes of the line
    as long as it lives.

    Raises:
        BadMeasurement: it is no measurement.
    """
    if len(line) > LONGEST_LINE:
        raise BadMeasurement(f"not a measurement: longer than {LONGEST_LINE} bytes")
    try:
        return _ENVELOPE.decode(line)
    except _ERRORS as error:
        raise _bad(error, "$") from None


def at_once(line: bytes, kind: type[Keys]) -> Keys | None:
    """A line as a struct that has everything that is wanted of it, decoded in one pass.

    Twice as fast as :func:`decode` and its parts, and stricter: one odd part makes it none, and then those tell what is
    wrong, or read it all the same.

    Args:
        line: the bytes.
        kind: an :class:`rozaneh.ooni.records.Envelope` with typed test keys.
    """
    try:
        found: Keys = _exact_decoder(kind).decode(line)
    except _ERRORS:
        return None
    return found


def sums_up(line: bytes) -> bool:
    """Whether a line is what OONI's interface says about a measurement in its lists, and not the measurement."""
    try:
        told = _SUMMARY.decode(line)
    except _ERRORS:
        return False
    return told.test_keys is UNSET and not (told.scores is UNSET and told.measurement_url is UNSET)


def web_keys(measurement: Measurement) -> WebKeys:
    """The raw records of a measurement, without any verdict. Empty where there are none.

    Raises:
        BadMeasurement: they are not what OONI's format says.
    """
    return keys_of(measurement, WebKeys)


def keys_of(measurement: Measurement, kind: type[Keys]) -> Keys:
    """The test keys as any struct whose fields all have defaults; an empty one where they are null or missing.

    Raises:
        BadMeasurement: they do not fit; the text names the place.
    """
    return decode_part(measurement.test_keys, kind, "$.test_keys")


def decode_part(raw: msgspec.Raw, kind: type[Keys], place: str) -> Keys:
    """A raw part as any type that can be made without arguments; a null gives an empty one.

    Args:
        raw: the bytes.
        kind: a struct whose fields all have defaults.
        place: where in the measurement they stand, for the error.

    Raises:
        BadMeasurement: they do not fit.
    """
    try:
        found: Keys = _decoder(kind).decode(raw) or kind()
    except _ERRORS as error:
        raise _bad(error, place) from None
    return found


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Optional[kind])  # noqa: UP045 - a type that is only known at run time


@cache
def _exact_decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _bad(error: Exception, place: str) -> BadMeasurement:
    if isinstance(error, RecursionError):
        return BadMeasurement(f"not a measurement: nested too deeply - below `{place}`")
    if isinstance(error, UnicodeDecodeError):
        return BadMeasurement(f"not a measurement: text that is not UTF-8 - below `{place}`")
    text = str(error)[:_LONGEST_TEXT]
    if "`$" in text:
        return BadMeasurement("not a measurement: " + text.replace("`$", f"`{place}", 1))
    return BadMeasurement(f"not a measurement: {text} - below `{place}`")

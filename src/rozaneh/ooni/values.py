"""Parts of a measurement that are decoded only when somebody asks for them.

None of these functions raises for what a stranger wrote: a part that cannot be read counts as absent, because one odd
header must not cost the measurement.
"""

import binascii
from base64 import b64decode
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from rozaneh.ooni.records import NetworkEvent, NetworkEvents, Queries, Query


class Binary(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no UTF-8 text, as OONI writes them: base64 beside the name of the format."""

    data: str = ""
    format: str = "base64"

    def decoded(self) -> bytes:
        """The bytes; empty where they cannot be read."""
        try:
            return b64decode(self.data, validate=True) if self.format == "base64" else b""
        except (binascii.Error, ValueError):
            return b""


MaybeBinary = str | Binary | None
_Pair = Annotated[list[MaybeBinary], Meta(max_length=2)]
_LONGEST_ESCAPE = 12
"""Bytes that stand for one character in JSON at most: two escapes, for one beyond the first plane."""

_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)

_value = msgspec.json.Decoder(MaybeBinary)
_pairs = msgspec.json.Decoder(Annotated[list[_Pair], Meta(max_length=10_000)] | None)
_mapping = msgspec.json.Decoder(dict[str, MaybeBinary | list[MaybeBinary]] | None)
_certificates = msgspec.json.Decoder(list[MaybeBinary] | None)
_events = msgspec.json.Decoder(NetworkEvents | None)
_queries = msgspec.json.Decoder(Queries | None)
_annotations = msgspec.json.Decoder(dict[str, str | int | float | bool | None] | None)


def content(raw: Raw) -> bytes:
    """A body: the bytes of a text in UTF-8, or what base64 stands for; empty where there is none."""
    try:
        return to_bytes(_value.decode(raw))
    except _ERRORS:
        return b""


def text(raw: Raw) -> str:
    """As :func:`content`, as text; bytes that are no UTF-8 become replacement characters."""
    try:
        value = _value.decode(raw)
    except _ERRORS:
        return ""
    return value if isinstance(value, str) else to_bytes(value).decode("utf-8", "replace")


def head(raw: Raw, most: int) -> str:
    """As :func:`text`, but no more than so many characters, and without decoding the rest."""
    data = bytes(raw)
    longest = _LONGEST_ESCAPE * (most + 1) + 1
    if len(data) <= longest or not data.startswith(b'"'):
        return text(raw)[:most]
    # Where the cut falls into an escape or a character, a few bytes less are whole.
    for stop in range(longest, longest - _LONGEST_ESCAPE, -1):
        try:
            return str(_value.decode(data[:stop] + b'"'))[:most]
        except _ERRORS:
            continue
    return ""


def to_bytes(value: MaybeBinary) -> bytes:
    """The bytes that a text or a binary value stands for."""
    if isinstance(value, Binary):
        return value.decoded()
    return value.encode() if value else b""


def header_pairs(listed: Raw, mapped: Raw) -> list[tuple[str, str]]:
    """Headers as name and value: from the list where there is one, because a mapping loses repeated names.

    Args:
        listed: ``headers_list``.
        mapped: ``headers``.
    """
    try:
        pairs = _pairs.decode(listed)
    except _ERRORS:
        pairs = None
    if pairs:
        return [(_shown(pair[0]), _shown(pair[1])) for pair in pairs if len(pair) == 2]
    return list(header_map(mapped).items())


def header_map(mapped: Raw) -> dict[str, str]:
    """Headers as OONI's mapping has them; of a list of values the first."""
    try:
        found = _mapping.decode(mapped) or {}
    except _ERRORS:
        return {}
    return {
        name: _shown(value[0] if value else None) if isinstance(value, list) else _shown(value)
        for name, value in found.items()
    }


def certificates(raw: Raw) -> list[bytes]:
    """Certificates in DER, the server's own first."""
    try:
        return [der for value in _certificates.decode(raw) or () if (der := to_bytes(value))]
    except _ERRORS:
        return []


def leaf_certificate(raw: Raw) -> bytes:
    """The first of :func:`certificates`, without reading the others; empty where there is none."""
    try:
        return next((der for value in _certificates.decode(raw) or () if (der := to_bytes(value))), b"")
    except _ERRORS:
        return b""


def network_events(raw: Raw) -> list[NetworkEvent]:
    """The operations on sockets; empty where they cannot be read."""
    try:
        return _events.decode(raw) or []
    except _ERRORS:
        return []


def late_answers(raw: Raw) -> list[Query]:
    """``x_dns_duplicate_responses``; empty where they cannot be read."""
    try:
        return _queries.decode(raw) or []
    except _ERRORS:
        return []


def annotations(raw: Raw) -> dict[str, str]:
    """The annotations, each value as text; empty where they cannot be read."""
    try:
        return {name: "" if value is None else str(value) for name, value in (_annotations.decode(raw) or {}).items()}
    except _ERRORS:
        return {}


def depth(tags: list[str] | None) -> int | None:
    """How many redirects were followed before, from the tag ``depth=N``; none where it is not said."""
    told = tagged(tags, "depth")
    digits = told.removeprefix("-")
    return int(told) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def fetches_body(tags: list[str] | None) -> bool:
    """Whether this connection was meant to fetch the page, from the tag ``fetch_body=true``."""
    return tagged(tags, "fetch_body") == "true"


def tagged(tags: list[str] | None, name: str) -> str:
    """The value of the last tag ``name=value``; empty where there is none."""
    for tag in reversed(tags or ()):
        if tag.startswith(name) and tag[len(name) : len(name) + 1] == "=":
            return tag[len(name) + 1 :]
    return ""


def _shown(value: MaybeBinary) -> str:
    return value if isinstance(value, str) else to_bytes(value).decode("utf-8", "replace")

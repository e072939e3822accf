"""Finding private things in texts and bytes, in whatever form they stand there.

A text is searched as it is, and then as what it becomes when percent signs, HTML entities and backslashes are undone,
when runs of base64 and of hexadecimal digits are decoded at every alignment, and when what comes out is compressed. In
the text as it is, the place is found, so that only it need be replaced; in any other view it is only found that there
is something, and the whole text has to go.

The forms of an address: decimal with dots or other separators, with leading zeros, octal or hexadecimal parts, in
Persian, Arabic or full-width digits, backwards (as in ``in-addr.arpa``), as one number, as hexadecimal digits in both
orders; IPv6 in any spelling, backwards in nibbles (``ip6.arpa``), carrying an IPv4 address; and as its bytes.
"""

import base64
import binascii
import html
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address

from rozaneh.probe.share.private import Private

_DEEPEST = 4
"""Layers of encoding that are undone. A text that has more is not vouched for: it counts as holding something."""

_SHORTEST = 4
_MOST_KNOWN = 1 << 16
_FEWEST_COLONS = 6
_SHORT, _APART = 96, b"\xff\n\xff"
_URLSAFE = str.maketrans("-_", "+/")
_LARGEST_UNPACKED = 1 << 22
_WORD = "_"
_DIGITS = str.maketrans(
    "۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩０１２３４５６７８９．：",  # Persian, Arabic, full-width
    "012345678901234567890123456789.:",
)
_ESCAPE = re.compile(r"%u([0-9a-f]{4})|%([0-9a-f]{2})|\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\([0-7]{3})", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :,-]?){8,}")
_PART = r"(?:0x[0-9a-f]{1,2}|[0-9]{1,4})"
_DOT = r" ?[\[(]?[.\-_,][\])]? ?"
# Runs of the characters that an address is written with are found first, which is fast. Within a run an address is
# looked for at every place, because what stands before it can look like a part of it.
_V4_RUN = re.compile(r"[0-9][0-9A-Fa-fxX.\-_,\[\]() ]{6,}")
_V4 = re.compile(rf"(?<![0-9])(?=({_PART}(?:{_DOT}{_PART}){{3}})(?![0-9]))", re.IGNORECASE)
_V6_RUN = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
_V6 = re.compile(r"(?=([0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?))", re.IGNORECASE)
_DASHED_RUN = re.compile(r"(?:[0-9A-Fa-f]{1,4}-){7,}[0-9A-Fa-f]{1,4}")
_DASHED = re.compile(r"(?=((?:[0-9a-f]{1,4}-){7}[0-9a-f]{1,4}))", re.IGNORECASE)
_NIBBLE_RUN = re.compile(r"(?:[0-9A-Fa-f][.\-]){15,}[0-9A-Fa-f]")
_NIBBLES = re.compile(r"(?=((?:[0-9a-f][.\-]){15,31}[0-9a-f])(?![0-9a-zA-Z]))", re.IGNORECASE)
_ASCII = re.compile(rb"[\t\n\r\x20-\x7e]{4,}")
_WIDE = re.compile(rb"(?:[\t\n\r\x20-\x7e]\0){4,}|(?:\0[\t\n\r\x20-\x7e]){4,}")
_FOREIGN_DIGITS = re.compile(rb"(?:\xdb[\xb0-\xb9]|\xd9[\xa0-\xa9]|\xef\xbc[\x8e-\x9a]|[.:0-9]){6,}")
_GZIP, _DEFLATED = re.compile(rb"\x1f\x8b\x08"), (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


class Finder:
    """Looks for private things.

    Args:
        private: what to look for.
    """

    def __init__(self, private: Private) -> None:
        self._private = private
        self._known: dict[str, bool] = {}

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in a text, as it stands, something private is; in order, without overlaps."""
        folded = text.translate(_DIGITS) if not text.isascii() else text
        found = sorted((*self._candidates(folded), *self._literals(folded)))
        merged: list[tuple[int, int]] = []
        for start, end in found:
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def hidden(self, text: str, depth: int = 0) -> bool:
        """Whether something private appears in a text, as it is or when it is decoded."""
        if len(text) < _SHORTEST:
            return False
        if depth > _DEEPEST or self.spans(text):
            return True
        opened = _unescaped(text)
        if opened != text and (self._has_bytes(opened.encode("latin-1", "replace")) or self.hidden(opened, depth + 1)):
            return True
        return any(self.holds(data, depth + 1) for data in _decoded(text))

    def holds(self, data: bytes, depth: int = 0) -> bool:
        """Whether something private appears in bytes: as bytes, as text, or in what they unpack to."""
        if depth > _DEEPEST:
            return True
        if self._has_bytes(data) or any(self.hidden(text, depth) for text in _readable(data)):
            return True
        return any(unpacked is None or self.holds(unpacked, depth + 1) for unpacked in _unpacked(data))

    def number(self, value: int) -> bool:
        """Whether a number is one of the addresses, in either order of bytes."""
        return value in self._numbers

    @cached_property
    def _numbers(self) -> frozenset[int]:
        packed = [ip.packed for ip in self._private.addresses]
        return frozenset(int.from_bytes(data, order) for data in packed for order in ("big", "little"))

    def _has_bytes(self, data: bytes) -> bool:
        return any(form in data for form in self._packed)

    @cached_property
    def _packed(self) -> tuple[bytes, ...]:
        """The bytes of addresses, of IPv6 networks and of MACs, in both orders."""
        things = [ip.packed for ip in self._private.addresses]
        things += [ip.packed[:8] for ip in self._private.addresses if ip.version == 6 and not ip.is_link_local]
        things += [bytes.fromhex(mac.replace(":", "")) for mac in self._private.hardware]
        return tuple({form for thing in things for form in (thing, thing[::-1])})

    def _literals(self, text: str) -> Iterator[tuple[int, int]]:
        """What is found as it is written: numbers, hexadecimal digits, MACs, names; base64 whose case matters."""
        lower = text.lower()
        if len(lower) != len(text):  # a letter that has no lower case of one character: places would not agree
            lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        for forms, searched, apart in (
            (self._anywhere, lower, ""),
            (self._numerals, lower, "0123456789"),
            (self._private.names, lower, _WORD),
            (self._in_base64, text, ""),
        ):
            for form in forms:
                at = searched.find(form)
                while at >= 0:
                    around = searched[max(at - 1, 0) : at] + searched[at + len(form) : at + len(form) + 1]
                    if not any(c in apart or (apart is _WORD and c.isalnum()) for c in around):
                        yield at, at + len(form)
                    at = searched.find(form, at + 1)

    @cached_property
    def _written(self) -> frozenset[str]:
        forms = {str(number) for number in self._numbers if number > 0xFFFF}
        for ip in self._private.addresses:
            for packed in (ip.packed, ip.packed[::-1]):
                forms |= {packed.hex(), packed.hex(":"), packed.hex(" "), packed.hex("-")}
            forms |= {str(ip).encode().hex(), ip.exploded.encode().hex(), f"{int(ip):x}"}
        for mac in self._private.hardware:
            digits = mac.replace(":", "")
            forms |= {mac, mac.replace(":", "-"), digits, f"{digits[:4]}.{digits[4:8]}.{digits[8:]}"}
        return frozenset(forms)

    @cached_property
    def _numerals(self) -> frozenset[str]:
        """Forms of digits alone: a longer number that holds one is another number."""
        return frozenset(form for form in self._written if form.isdigit())

    @cached_property
    def _anywhere(self) -> frozenset[str]:
        return self._written - self._numerals

    @cached_property
    def _in_base64(self) -> frozenset[str]:
        return frozenset(self._base64_forms())

    def _base64_forms(self) -> set[str]:
        """What of an address's base64 does not depend on what stands around it, at the three alignments."""
        found: set[str] = set()
        for ip in self._private.addresses:
            texts = {str(ip), ip.exploded, str(ip).upper(), ip.exploded.upper()}
            for plain in (*(text.encode() for text in texts), *((ip.packed,) if isinstance(ip, IPv6Address) else ())):
                for shift in range(3):
                    coded = base64.b64encode(bytes(shift) + plain)
                    start = (8 * shift + 5) // 6
                    certain = coded[start : 8 * (shift + len(plain)) // 6].decode()
                    found |= {certain, certain.replace("+", "-").replace("/", "_")}
        return {form for form in found if len(form) >= 6}

    def _candidates(self, text: str) -> Iterator[tuple[int, int]]:
        """Texts that read as an address, forwards or backwards, and are one of ours."""
        for start, end in _within(text, _V4_RUN, _V4):
            if self._is_ours(text[start:end], _as_v4):
                yield start, end
        for start, end in (*_within(text, _V6_RUN, _V6), *_within(text, _DASHED_RUN, _DASHED)):
            if self._is_ours(text[start:end].replace("-", ":"), _as_v6):
                yield start, end
        for start, end in _within(text, _NIBBLE_RUN, _NIBBLES):
            if self._is_ours(text[start:end], _as_nibbles):
                yield start, end

    def _is_ours(self, text: str, read: Callable[[str], Iterator[IPv4Address | IPv6Address]]) -> bool:
        """Whether a text reads as an address of ours. One that stands there often is read once."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[text] = any(map(self._private.owns, read(text)))
        return known


def _within(text: str, run: re.Pattern[str], wanted: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where something is wanted, at every place of every run."""
    for match in run.finditer(text):
        for found in wanted.finditer(text, *match.span()):
            yield found.span(1)


def _readable(data: bytes) -> Iterator[str]:
    """The texts in bytes: the whole where it is UTF-8, else runs of ASCII; runs of UTF-16, and of other digits."""
    try:
        yield data.decode()
    except UnicodeDecodeError:
        yield "\n".join(run.decode() for run in _ASCII.findall(data))
        yield "\n".join(run.decode("utf-8", "ignore") for run in _FOREIGN_DIGITS.findall(data))
    yield "\n".join(run.replace(b"\0", b"").decode() for run in _WIDE.findall(data))


def _as_v4(text: str) -> Iterator[IPv4Address]:
    """What four parts can mean: decimal or octal, forwards or backwards."""
    parts = re.split(_DOT, text)
    for octal in (False, True):
        try:
            numbers = [_part(part, octal=octal) for part in parts]
        except ValueError:
            continue
        if all(number < 256 for number in numbers):
            yield IPv4Address(bytes(numbers))
            yield IPv4Address(bytes(numbers[::-1]))


def _part(text: str, *, octal: bool) -> int:
    if text[:2].lower() == "0x":
        return int(text, 16)
    return int(text, 8) if octal and text[0] == "0" else int(text)


def _as_v6(text: str) -> Iterator[IPv6Address]:
    if "::" not in text and text.count(":") < _FEWEST_COLONS:
        return
    for candidate in (text, text.rstrip(":"), text.lstrip(":"), text.removesuffix(":").removeprefix(":")):
        try:
            yield IPv6Address(candidate)
        except ValueError:
            continue
        return


def _as_nibbles(text: str) -> Iterator[IPv6Address]:
    """An address or the beginning of one, nibble by nibble, forwards or backwards."""
    digits = re.sub(r"[.\-]", "", text)
    for order in (digits, digits[::-1]):
        yield IPv6Address(int(order.ljust(32, "0"), 16))


def _unescaped(text: str) -> str:
    """A text with one layer of escapes undone."""

    def character(match: re.Match[str]) -> str:
        *digits, octal = match.groups()
        return chr(int(octal, 8)) if octal else chr(int(next(filter(None, digits)), 16))

    return html.unescape(_ESCAPE.sub(character, text))


def _decoded(text: str) -> Iterator[bytes]:
    """What runs of base64 and of hexadecimal digits in a text decode to.

    Most words are such runs, so the short pieces are handed out together, with a byte between them that ends a text.
    """
    short = bytearray()
    for run in set(_BASE64.findall(text)):
        for piece in _from_base64(run):
            if len(piece) > _SHORT:
                yield piece
            else:
                short += piece + _APART
    for run in set(_HEX.findall(text)):
        digits = re.sub(r"[ :,-]", "", run)
        for start in (0, 1):
            yield bytes.fromhex(digits[start : start + (len(digits) - start) // 2 * 2])
    yield bytes(short)


def _from_base64(run: str) -> Iterator[bytes]:
    """A run of base64 decoded at its four alignments, because it may begin with something else."""
    usual = run.translate(_URLSAFE)
    for start in range(4):
        rest = (len(usual) - start) % 4
        piece = usual[start : len(usual) - rest] if rest < 2 else usual[start:] + "=" * (4 - rest)
        try:
            yield base64.b64decode(piece)
        except binascii.Error:
            continue


def _unpacked(data: bytes) -> Iterator[bytes | None]:
    """What compressed pieces of bytes unpack to; none for one that is too large to look into."""
    starts = [(match.start(), 31) for match in _GZIP.finditer(data)]
    if data[:2] in _DEFLATED:
        starts.append((0, 15))
    for start, bits in starts[:16]:
        unpacker = zlib.decompressobj(bits)
        try:
            out = unpacker.decompress(data[start:], _LARGEST_UNPACKED)
        except zlib.error:
            continue
        yield None if unpacker.unconsumed_tail else out
    if len(starts) > 16:
        yield None

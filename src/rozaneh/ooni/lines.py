"""From the bytes of a file to its lines, with bounded memory: packed or not, broken or not.

Theory of operation. Feed chunks; each gives the lines that it completed. A gzip stream is unpacked in bounded steps; a
line that grows too long is dropped up to its end and reported, and the next one is read as usual, so that a bomb costs
its own line and no more. How far it opens says nothing: deflate ends at about 1,032 to 1, and real measurements are
packed by 5 to 30; a stream is given up as a whole where it opens to more than anybody has. What was whole before a
broken place is kept; after a broken gzip member nothing more can be read, and that is reported once.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from rozaneh.ooni.decode import LONGEST_LINE

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"(?:[ \t\r]{0,16}\n)++")
_STEP = 1 << 18


class Decompressor(Protocol):
    """As ``zlib.decompressobj`` makes them; ``isal.isal_zlib`` makes faster ones."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end of the member."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was not unpacked yet, because ``max_length`` was reached."""

    @property
    def eof(self) -> bool:
        """Whether a member has ended."""

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes:
        """Unpack at most so many bytes; the rest of the input stays in ``unconsumed_tail``."""


def _zlib() -> Decompressor:
    return zlib.decompressobj(wbits=31)


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line, without its end.

    Attributes:
        number: 1 for the first.
        data: its bytes.
        offset: where it begins, in bytes of the file after unpacking.
    """

    number: int
    data: bytes
    offset: int = 0


class BadLine(msgspec.Struct, frozen=True, gc=False):
    """A place that could not be read.

    Attributes:
        number: which line.
        reason: one line of text.
        offset: where the line begins, in bytes of the file after unpacking.
        last: whether nothing after it could be read either.
    """

    number: int
    reason: str
    offset: int = 0
    last: bool = False


class Lines:
    """The lines of one file, as its bytes come in.

    Args:
        longest: the longest line that is kept, in bytes.
        largest: the most bytes that the whole may open to; a TiB takes about an hour.
        decompressor: makes one for each gzip member.
    """

    def __init__(
        self,
        *,
        longest: int = LONGEST_LINE,
        largest: int = 1 << 40,
        decompressor: Callable[[], Decompressor] = _zlib,
    ) -> None:
        self._longest = longest
        self._largest = largest
        self._make = decompressor
        self._member: Decompressor | None = None
        self._head = b""
        self._plain: bool | None = None
        self._parts: list[bytes | memoryview] = []
        self._held = 0
        self._number = 1
        self._offset = 0
        self._passed = 0
        self._skipping = False
        self._over = False
        self._opened = 0

    def feed(self, chunk: bytes) -> Iterator[Line | BadLine]:
        """The lines that are completed by these bytes. Must be read to its end before the next chunk is fed."""
        if self._over:
            return
        if self._plain is None:
            self._head += chunk
            if len(self._head) < len(_GZIP):
                return
            chunk, self._head = self._head, b""
            self._plain = not chunk.startswith(_GZIP)
        if self._plain:
            yield from self._split(chunk)
        else:
            yield from self._unpack(chunk)

    def end(self) -> Iterator[Line | BadLine]:
        """What is left when the file has ended."""
        if self._over:
            return
        if self._plain is None:
            yield from self._split(self._head)
        yield from self._last()
        if self._member is not None:
            yield from self._give_up("the gzip file is cut off here")
        elif self._plain is False and self._head:
            yield from self._give_up("trailing bytes that are no gzip")

    def _last(self) -> Iterator[Line]:
        """The line that no line feed ends."""
        data = b"".join(self._parts)
        self._parts, self._held = [], 0
        if data.strip():
            yield self._line(data)

    def _line(self, data: bytes) -> Line:
        """A line; the mark that some programs begin a file of UTF-8 with is no part of the first one."""
        mark = len(_MARK) if self._number == 1 and data.startswith(_MARK) else 0
        return Line(self._number, data[mark:], self._offset + mark)

    def _unpack(self, chunk: bytes) -> Iterator[Line | BadLine]:
        while chunk:
            if self._member is None:
                # Zero padding after a member is what tape and some copying programs leave; it holds nothing.
                self._head = (self._head + chunk).lstrip(b"\0")
                if len(self._head) < len(_GZIP):
                    return
                chunk, self._head = self._head, b""
                if not chunk.startswith(_GZIP):
                    yield from self._last()
                    yield from self._give_up("trailing bytes that are no gzip")
                    return
                self._member = self._make()
            try:
                data = self._member.decompress(chunk, _STEP)
            except (zlib.error, OSError) as error:
                yield from self._give_up(f"broken gzip: {error}")
                return
            chunk = self._member.unconsumed_tail
            if self._member.eof:
                chunk = self._member.unused_data
                self._member = None
            self._opened += len(data)
            if self._opened > self._largest:
                yield from self._give_up("the file opens to more than is read")
                return
            yield from self._split(data)

    def _give_up(self, reason: str) -> Iterator[BadLine]:
        self._over = True
        self._parts, self._held = [], 0
        yield BadLine(self._number, reason, self._offset, last=True)

    def _split(self, data: bytes) -> Iterator[Line | BadLine]:
        start, before = 0, self._passed
        self._passed += len(data)
        while (stop := data.find(b"\n", start)) >= 0:
            if not self._parts and not self._skipping and (blank := _BLANK.match(data, start)):
                # A small file opens to millions of them; one by one they would take hours.
                self._number += blank[0].count(b"\n")
                start = blank.end()
                self._offset = before + start
                continue
            # What is joined to what came before is copied then, and not before.
            whole = self._take(memoryview(data)[start:stop] if self._parts else data[start:stop])
            if whole is not None:
                if whole.strip():
                    yield self._line(whole)
            elif not self._skipping:
                yield self._too_long()
            self._number += 1
            self._skipping = False
            start = stop + 1
            self._offset = before + start
        rest = memoryview(data)[start:]
        if self._skipping or not rest:
            return
        if self._held + len(rest) > self._longest:
            yield self._too_long()
            self._parts, self._held, self._skipping = [], 0, True
            return
        self._parts.append(rest)
        self._held += len(rest)

    def _take(self, last: bytes | memoryview) -> bytes | None:
        """The line that ends with these bytes; none when it is too long."""
        if self._skipping or self._held + len(last) > self._longest:
            self._parts, self._held = [], 0
            return None
        if not self._parts:
            return bytes(last)
        self._parts.append(last)
        whole = b"".join(self._parts)
        self._parts, self._held = [], 0
        return whole

    def _too_long(self) -> BadLine:
        return BadLine(self._number, f"longer than {self._longest} bytes", self._offset)

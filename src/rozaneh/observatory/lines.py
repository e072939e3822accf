"""Lines of a packed or plain file, one at a time, whatever the file tries: everything about it is bounded.

Theory of operation. A file is read in blocks of fixed size; a block is unpacked into pieces of bounded size; lines are
cut from the pieces. A line that is too long is dropped while it goes by, never held, so a bomb costs its own length in
time and nothing in memory, and the line after it is read as if nothing had been. When a packed stream breaks, the lines
that were whole stay, and what was lost is said.

Lines are handed out as slices of the piece that they stand in: no line is copied unless it crosses two pieces.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

try:
    from isal import isal_zlib
except ImportError:  # no wheel for this platform: the standard library does the same at half the speed
    isal_zlib = None

BLOCK: Final = 1 << 17
PIECE: Final = 1 << 20
_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Bounds:
    """What a file may cost.

    Attributes:
        line: bytes of one line; OONI's largest measurements have some megabytes.
        unpacked: bytes of one file after unpacking.
        ratio: unpacked bytes for each packed one, above the first ``free`` bytes; JSON of pages reaches 20, and the
            format's limit is 1032.
        free: bytes before the ratio is looked at.
    """

    line: int = 32 << 20
    unpacked: int = 64 << 30
    ratio: float = 400.0
    free: int = 1 << 30


class Line:
    """One line: its number from 1, its offset after unpacking, and its bytes without the line's end."""

    __slots__ = ("data", "number", "offset")

    def __init__(self, number: int, offset: int, data: memoryview | bytes) -> None:
        self.number = number
        self.offset = offset
        self.data = data


class _Unpacker(Protocol):
    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


Reject = Callable[[int, int, str, str], None]
"""Called with line (0 for the file), offset, reason and detail."""


def lines(file: BinaryIO, reject: Reject, bounds: Bounds | None = None, *, fast: bool = True) -> Iterator[Line]:
    """The lines of a file that are whole and within bounds; blank ones are left out.

    Args:
        file: a file opened for reading bytes; gzip is told by its first two bytes, not by its name.
        reject: is told what was not handed out, and why.
        bounds: what the file may cost.
        fast: use ``isal`` where there is one.
    """
    limits = bounds or Bounds()
    head = file.read(BLOCK)
    packed = head.startswith(_MAGIC)
    pieces = _unpacked(file, head, reject, limits, fast=fast) if packed else _plain(file, head)
    yield from _cut(pieces, reject, limits)


def _plain(file: BinaryIO, head: bytes) -> Iterator[bytes]:
    while head:
        yield head
        head = file.read(PIECE)


def _unpacked(file: BinaryIO, head: bytes, reject: Reject, limits: Bounds, *, fast: bool) -> Iterator[bytes]:
    """Pieces of one or several gzip members; stops at what is no gzip, at what breaks, and at a bound."""
    module = isal_zlib if fast and isal_zlib is not None else zlib
    broken = (zlib.error, module.error)
    unpacker: _Unpacker = module.decompressobj(_GZIP)
    taken, given, fed = len(head), 0, head
    while True:
        try:
            piece = unpacker.decompress(fed, PIECE)
        except broken as error:
            reject(0, given, "broken gzip", str(error)[:80])
            return
        given += len(piece)
        if piece:
            yield piece
        if given > limits.unpacked or (given > limits.free and given > taken * limits.ratio):
            reject(0, given, "unpacks to too much", f"{taken} packed bytes")
            return
        if unpacker.eof:
            rest = unpacker.unused_data or file.read(BLOCK)
            rest = rest if len(rest) > 1 else rest + file.read(BLOCK)
            taken += len(rest)
            if not rest.lstrip(b"\0"):
                return
            if not rest.startswith(_MAGIC):
                reject(0, given, "trailing bytes", f"{len(rest)} or more bytes after the last gzip member")
                return
            unpacker, fed = module.decompressobj(_GZIP), rest
            continue
        fed = unpacker.unconsumed_tail
        if not fed and len(piece) < PIECE:
            fed = file.read(BLOCK)
            taken += len(fed)
            if not fed:
                reject(0, given, "truncated gzip", "the file ends in the middle of a member")
                return


def _cut(pieces: Iterator[bytes], reject: Reject, limits: Bounds) -> Iterator[Line]:
    number, begins, held, dropping = 1, 0, bytearray(), False
    at = 0  # offset of the piece
    for piece in pieces:
        view = memoryview(piece)
        start = 0
        end = piece.find(b"\n")
        while end >= 0:
            if dropping:
                reject(number, begins, "line too long", f"over {limits.line} bytes")
                dropping = False
            elif held:
                held += view[start:end]
                yield from _whole(Line(number, begins, bytes(held)), reject, limits)
            else:
                yield from _whole(Line(number, begins, view[start:end]), reject, limits)
            held.clear()
            number += 1
            start = end + 1
            begins = at + start
            end = piece.find(b"\n", start)
        if not dropping:
            held += view[start:]
            if len(held) > limits.line:
                held, dropping = bytearray(), True
        at += len(piece)
    if dropping:
        reject(number, begins, "line too long", f"over {limits.line} bytes")
    elif held:
        yield from _whole(Line(number, begins, bytes(held)), reject, limits)


def _whole(line: Line, reject: Reject, limits: Bounds) -> Iterator[Line]:
    if len(line.data) > limits.line:
        reject(line.number, line.offset, "line too long", f"over {limits.line} bytes")
    elif len(line.data) > 2 or bytes(line.data).strip():
        yield line

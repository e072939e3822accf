"""The measurements of a file, however it is written: one on a line, one spread over many lines, or many in one list.

Theory of operation. OONI publishes a measurement on each line. What people keep is often written otherwise: for eyes,
with every value on a line of its own; or as one list, bare or under ``results``, as programming interfaces answer. A
line that begins an object or a list and does not end it is held, with those that follow, until as many brackets are
closed as were opened. Where an object begins in a place in which JSON allows none, or too much is held, each of the
lines is given as it came: so a line that was cut off costs itself and no other.

Each element of a list has the number and the place of the line that it begins on.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from rozaneh.ooni.decode import LONGEST_LINE
from rozaneh.ooni.lines import BadLine, Line

MOST_LINES: Final = 1 << 19
"""Lines of one document, at most; what is longer is taken line by line."""

MOST_COMMAS: Final = 1 << 21
"""Commas in a list, at most: measurements have one in some dozen bytes; a list of single digits would fill memory."""

_OPEN, _CLOSED, _BEFORE_AN_OBJECT = b"{[", b"}]", b"[,:"
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A text, to the end where nothing ends it: looked through once, however many quotes it holds."""
_ANSWER = re.compile(rb'\{\s*"(?:metadata|results)"\s*:')


class _Answer(msgspec.Struct, frozen=True, gc=False):
    results: list[msgspec.Raw]


_listed = msgspec.json.Decoder(list[msgspec.Raw])
_answered = msgspec.json.Decoder(_Answer)
_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def documents(lines: Iterator[Line | BadLine]) -> Iterator[Line | BadLine]:
    """The measurements of a file, each as one line.

    Args:
        lines: of the file, in order.
    """
    held = _Held()
    for line in lines:
        if isinstance(line, BadLine):
            yield from held.let_go()
            yield line
            continue
        if not held.lines and line.data[:1] == b"{" and line.data[-1:] == b"}":
            if _ANSWER.match(line.data):
                yield from _elements([line])
            else:
                yield line  # nearly all are
            continue
        text = line.data.strip()
        if held.lines and not (held.goes_on_with(text) and held.is_open()):
            yield from held.let_go()
        if held.lines or (text[:1] in _OPEN and text[-1:] not in _CLOSED):
            held.hold(line, text)
            if held.is_ended:
                yield from _elements(held.taken())
            elif held.is_too_much:
                yield from held.let_go()
        else:
            yield from _elements([line])
    yield from held.let_go()


class _Held:
    """Lines that may be one document together."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._depth = 0
        self._uncounted = b""
        self._size = 0
        self._last = b""

    @property
    def is_too_much(self) -> bool:
        return self._size > LONGEST_LINE or len(self.lines) > MOST_LINES

    @property
    def is_ended(self) -> bool:
        """Whether as many brackets are closed as were opened, as far as they were counted."""
        return self._depth <= 0 and not self._uncounted

    def is_open(self) -> bool:
        """Whether brackets are open, all of them counted."""
        if self._uncounted:
            self._count(self._uncounted)
            self._uncounted = b""
        return self._depth > 0

    def goes_on_with(self, text: bytes) -> bool:
        """Whether what is held may go on with this: an object stands in a list, or behind a name, and nowhere else."""
        return text[:1] != b"{" or self._last in _BEFORE_AN_OBJECT

    def hold(self, line: Line, text: bytes) -> None:
        if not self.lines and text[:1] == b"{" and not _ANSWER.match(text):
            self._uncounted = text  # most such lines were cut off and nothing goes on with them, and counting is dear
        else:
            self._count(text)
        self.lines.append(line)
        self._size += len(line.data)
        self._last = text[-1:]

    def _count(self, text: bytes) -> None:
        bare = _TEXT.sub(b"", text)
        self._depth += bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")

    def taken(self) -> list[Line]:
        taken, self.lines, self._depth, self._uncounted, self._size = self.lines, [], 0, b"", 0
        return taken

    def let_go(self) -> Iterator[Line | BadLine]:
        """What belongs to no document that ends; one error where no line of it is a measurement by itself."""
        lines = self.taken()
        if len(lines) > 1 and not any(_is_object(line.data) for line in lines):
            yield BadLine(lines[0].number, "a document that is broken, or too long", lines[0].offset)
        else:
            yield from lines


def _is_object(data: bytes) -> bool:
    """Whether a line is an object by itself, and no part of a larger one such as ``}`` or ``{},``."""
    if not data.startswith(b"{") or len(data) <= len(b"{}"):
        return False
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except _ERRORS:
        return False
    return True


def _elements(lines: Sequence[Line]) -> Iterator[Line | BadLine]:
    """A document: itself, or what is in its list."""
    first = lines[0]
    text = first.data if len(lines) == 1 else b"\n".join(line.data for line in lines)
    begins = text.lstrip()
    is_list = begins[:1] == b"["
    answer = not is_list and _ANSWER.match(begins) is not None
    if (is_list or answer) and text.count(b",") > MOST_COMMAS:
        yield BadLine(first.number, "a list of too many parts", first.offset)
        return
    try:
        found = _listed.decode(text) if is_list else _answered.decode(text).results if answer else []
    except _ERRORS as error:
        yield BadLine(first.number, f"not a list of measurements: {error}"[:300], first.offset)
        return
    if not found:
        yield Line(first.number, text, first.offset)
        return
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line.data) + 1)
    at = 0
    for raw in found:
        element = bytes(raw)
        at = text.index(element, at)
        index = bisect_right(starts, at) - 1
        yield Line(lines[index].number, element, lines[index].offset + at - starts[index])
        at += len(element)

"""A file becomes batches of rows, with every bad line set aside and counted."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, NamedTuple

import pyarrow as pa
from msgspec import UNSET, Meta, Raw, UnsetType

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.observatory import schema
from rozaneh.observatory.rows import NotYet, Refused, Rows, head_of
from rozaneh.ooni import BadLine, BadMeasurement, Line, Lines, classic, decode, flatten, web_keys
from rozaneh.ooni.decode import at_once, keys_of, sums_up
from rozaneh.ooni.documents import documents
from rozaneh.ooni.own import Own, own
from rozaneh.ooni.records import MOST_RECORDS, NOTHING, Envelope, HttpResponse, HttpTransaction
from rozaneh.ooni.sights import WEB, sights
from rozaneh.ooni.targets import Sight, sights_of_web
from rozaneh.ooni.values import MaybeBinary
from rozaneh.ooni.webkeys import WebKeys

# The standard library does the same at half the speed, where there is no wheel.
_UNPACKING: Any = import_module("isal.isal_zlib" if find_spec("isal") else "zlib")

ROWS: Final = 8192
"""Rows of a batch."""
HELD: Final = 24 << 20
"""Bytes of lines, less those of bodies, after which a batch ends, however few its rows are."""

_BLOCK: Final = 1 << 15
"""Bytes that are read at once: they open to what the nearest caches of a processor hold."""
_LINES: Final = 16
"""Lines that go through the stages together."""
_TOGETHER: Final = 1 << 18
"""Bytes of lines that do, unless one alone is longer."""
_GZIP: Final = 31
_TOLD: Final = 100
"""Lines of one reason that are named one by one; the rest are counted."""
MOST_BAD: Final = 1_000_000
"""Lines that are set aside before a file that has little else is given up: what opens to billions would take days."""
_FEW_GOOD: Final = 10
MOST_DAYS: Final = 4096
"""Partitions that one file may write to: more is no archive, but somebody who wants many small files."""


class _Unpacker:
    """As :mod:`zlib` has it, but faster; errors are given the type that is expected."""

    def __init__(self) -> None:
        self._inner = _UNPACKING.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        """Whether a member has ended."""
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        """What follows the member."""
        return bytes(self._inner.unused_data)

    @property
    def unconsumed_tail(self) -> bytes:
        """What was not looked at yet."""
        return bytes(self._inner.unconsumed_tail)

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        """Unpack at most so many bytes."""
        try:
            return bytes(self._inner.decompress(data, max_length))
        except _UNPACKING.error as broken:
            raise OSError(str(broken)) from None


class _Keys(WebKeys, frozen=True, gc=False, kw_only=True):
    """The raw records with the verdict that the probe wrote, which is copied beside ours and decides nothing."""

    blocking: bool | str | UnsetType | None = UNSET
    accessible: bool | None = None
    dns_consistency: str | None = None
    x_rozaneh: Raw = NOTHING


class _Response(HttpResponse, frozen=True, gc=False, kw_only=True):
    body: MaybeBinary = None  # type: ignore[assignment]  # decoded with the rest, which costs less than twice skipping it


class _Transaction(HttpTransaction, frozen=True, gc=False, kw_only=True):
    response: _Response | None = None


class _KeysAtOnce(_Keys, frozen=True, gc=False, kw_only=True):
    requests: Annotated[list[_Transaction], Meta(max_length=MOST_RECORDS)] | None = None  # type: ignore[assignment]  # nobody appends to it


class _WebAtOnce(Envelope, frozen=True, gc=False, kw_only=True):
    """A whole measurement of Web Connectivity."""

    test_keys: _KeysAtOnce | None = None


@dataclass
class Quarantine:
    """The lines of one file that were set aside."""

    file: str
    counts: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[str, int, int, str, str, int]] = field(default_factory=list)

    def add(self, line: Line | BadLine, reason: str, detail: str) -> None:
        """Set one line aside."""
        self.counts[reason] += 1
        if self.counts[reason] <= _TOLD:
            self.rows.append((self.file, line.number, line.offset, reason, detail[:300], 1))

    @property
    def total(self) -> int:
        """How many lines."""
        return self.counts.total()

    def table(self) -> pa.Table:
        """As the table of the store."""
        rest = [(self.file, 0, 0, reason, "", n - _TOLD) for reason, n in sorted(self.counts.items()) if n > _TOLD]
        rows = [*self.rows, *rest]
        columns = zip(*rows, strict=True) if rows else [()] * len(schema.REJECTED)
        return pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, schema.REJECTED, strict=True)], schema=schema.REJECTED
        )


class Reader:
    """One file on its way into rows.

    Attributes:
        quarantine: what was set aside.
        lines: how many lines were read.
        kept: how many of them became rows.
        not_yet: how many say that they began later than it is now.
        read: bytes of the file that were read.
    """

    def __init__(self, name: str, latest: dt.datetime) -> None:
        self.quarantine = Quarantine(name)
        self.lines = 0
        self.kept = 0
        self.not_yet = 0
        self.read = 0
        self._latest = latest.astimezone(dt.UTC).replace(tzinfo=None)
        self._days: set[tuple[object, object]] = set()

    def batches(self, file: BinaryIO, progress: Callable[[int], None] | None = None) -> Iterator[Rows]:
        """The rows of a file, some thousands at a time.

        Args:
            file: opened for reading bytes.
            progress: is told how many bytes were read, now and then.

        Raises:
            Unreadable: the file cannot be read on.
        """
        rows, held = Rows(), 0
        chunk: list[Line] = []
        size = 0
        for line in documents(self._lines(file, progress)):
            self.lines += 1
            if isinstance(line, BadLine):
                self.quarantine.add(line, "unreadable", line.reason)
                continue
            if self.quarantine.total >= MOST_BAD and self.quarantine.total > _FEW_GOOD * self.kept:
                self.quarantine.add(
                    line, "unreadable", "nearly all lines before are no measurements; the rest is not read"
                )
                break
            chunk.append(line)
            size += len(line.data)
            if len(chunk) >= _LINES or size >= _TOGETHER:
                self._take(chunk, rows)
                held += size
                chunk, size = [], 0
                if len(rows) >= ROWS or held - rows.bodies >= HELD:
                    yield rows
                    rows, held = Rows(), 0
        self._take(chunk, rows)
        if len(rows):
            yield rows

    def _lines(self, file: BinaryIO, progress: Callable[[int], None] | None) -> Iterator[Line | BadLine]:
        lines = Lines(decompressor=_Unpacker)
        while block := _block(file):
            self.read += len(block)
            yield from lines.feed(block)
            if progress:
                progress(len(block))
        yield from lines.end()

    def _take(self, chunk: list[Line], rows: Rows) -> None:
        """Some lines, stage by stage: what a stage needs is near for the first line only, and for all others then."""
        at_first = [at_once(line.data, _WebAtOnce) for line in chunk]
        seen = [self._seen(line, web) for line, web in zip(chunk, at_first, strict=True)]
        heads = [self._head(line, one) for line, one in zip(chunk, seen, strict=True) if one is not None]
        for one, head in zip(filter(None, seen), heads, strict=True):
            if head is None:
                continue
            self.kept += 1
            if one.own is None:
                rows.add(one.measurement, one.sights, head)
            else:
                rows.add_ours(one.measurement, one.own, head)

    def _seen(self, line: Line, web: _WebAtOnce | None) -> "_Seen | None":
        try:
            return _seen(line.data, web)
        except BadMeasurement as error:
            self.quarantine.add(line, "not a measurement", str(error).removeprefix("not a measurement: "))
            return None

    def _head(self, line: Line, one: "_Seen") -> tuple[object, ...] | None:
        try:
            head = head_of(one.measurement, line.data, (self.quarantine.file, line.number), self._latest)
        except Refused as error:
            self.not_yet += isinstance(error, NotYet)
            self.quarantine.add(line, error.reason, error.detail)
            return None
        place = (head[2], head[3])
        if place not in self._days:
            if len(self._days) >= MOST_DAYS:
                self.quarantine.add(line, "too many days", f"the file spreads over more than {MOST_DAYS} partitions")
                return None
            self._days.add(place)
        return head + (_NO_CLASSIC if one.keys is None else _classic_of(one.keys, line.data, one.measurement.address))


class _Seen(NamedTuple):
    """A measurement, its records if it is one of Web Connectivity, its targets, and what our own probe wrote there."""

    measurement: Envelope
    keys: _Keys | None
    sights: list[Sight]
    own: Own | None


def _seen(data: bytes, web: _WebAtOnce | None) -> _Seen:
    if web is not None and web.test_name == WEB and web.test_keys is not None:
        keys = web.test_keys
        if bytes(keys.x_rozaneh) == b"null":
            return _Seen(web, keys, sights_of_web(web.address, keys), None)
    measurement = decode(data)
    if bytes(measurement.test_keys) == b"null" and sums_up(data):
        raise BadMeasurement("not a measurement: what an interface says about one, without its test_keys")
    told = keys_of(measurement, _Keys) if measurement.test_name == WEB else None
    mine = own(measurement)
    return _Seen(measurement, told, sights(measurement, told) if mine is None else [], mine)


_NO_CLASSIC: Final = (None, None, None, False)


def _classic_of(told: _Keys, data: bytes, address: str) -> tuple[object, ...]:
    """OONI's result: the one that the probe wrote or, where it wrote none, the one that follows from its records."""
    if told.blocking is not UNSET:
        return _written(told.blocking), told.accessible, told.dns_consistency and told.dns_consistency[:40], False
    try:
        # Decoded once more, with the bodies raw, as those rules want them.
        found = classic(flatten(web_keys(decode(data)), address))
    except BadMeasurement:
        return _NO_CLASSIC
    return _written(found.blocking), found.accessible, found.dns_consistency, True


def _written(blocking: bool | str | None) -> str | None:
    return blocking[:40] if isinstance(blocking, str) else None if blocking is None else str(blocking).lower()


class Unreadable(LocalFault):
    """An input that cannot be opened, or not be read to its end; the text says why."""


def opened(path: Path) -> BinaryIO:
    """Open an input, which is a file: a pipe without a writer would be waited for, and a device has no end.

    Raises:
        Unreadable: it cannot be read.
    """
    try:
        return open_ordinary(path)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None


def _block(file: BinaryIO) -> bytes:
    try:
        return file.read(_BLOCK)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None

"""Files of series as tables: CSV, JSON records, JSON columns, lines of JSON, IODA's and Radar's answers, in gzip too.

Everything is bounded.
"""

import csv
import io
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.observatory.signals.signal import Rejected
from rozaneh.words import later

LARGEST = 64 << 20
ROWS = 1_000_000
COLUMNS = 200
_LONGEST_LINE = 64 << 10
_SAID = 1000  # rejected rows that are kept with their reasons
_DELIMITERS = ",;\t|"
_GZIP = b"\x1f\x8b"
_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", _GZIP, b"BZh", b"\xfd7zXZ", b"%PDF", b"PAR1")  # zip and xlsx, xls
_QUOTE = '"'
_MOST_LINES = 16  # of one row of CSV
_LINES = 4 * ROWS  # of a file: comments, empty and bad ones among them
_COMMAS = 8 << 20  # of a JSON document: each stands between two values, and a value takes ten times its bytes of memory
_DEPTH = 6


@dataclass
class Table:
    """Rows under a header.

    Attributes:
        header: names of the columns.
        rows: cells of each row; as many as columns.
        lines: the line, or the number of the record, of each row; from 1.
        rejected: the first rows that do not fit the header.
        set_aside: how many do not.
    """

    header: list[str] = field(default_factory=list)
    rows: list[Sequence[object]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    set_aside: int = 0

    def reject(self, line: int, reason: str) -> None:
        """Set a row aside."""
        self.set_aside += 1
        if len(self.rejected) < _SAID:
            self.rejected.append(Rejected(line, reason))

    def add(self, line: int, cells: Sequence[object], place: str) -> None:
        """Take a row in.

        Raises:
            LocalFault: there are too many.
        """
        if len(self.rows) >= ROWS:
            raise LocalFault(later("{place}:{line!s}: more than {rows} rows", place=place, line=line, rows=ROWS))
        self.rows.append(cells)
        self.lines.append(line)


def read_table(path: Path) -> Table:
    """Read a file.

    Raises:
        LocalFault: it cannot be read, is too large, or is neither CSV nor JSON.
    """
    try:
        with open_ordinary(path) as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise LocalFault(later("cannot read {path}: {why}", path=path, why=error.strerror)) from None
    return parse_table(data, path.name)


def parse_table(data: bytes, place: str) -> Table:
    """Read the bytes of a file.

    Raises:
        LocalFault: as :func:`read_table`.
    """
    if data.startswith(_GZIP):
        data = _unpacked(data, place)
    if len(data) > LARGEST:
        raise LocalFault(later("{place}: larger than {n} MiB", place=place, n=LARGEST >> 20))
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    if data.startswith(_PACKED):
        raise LocalFault(later("{place}: a packed file or a spreadsheet; give its tables as CSV or JSON", place=place))
    text = data.decode("utf-16" if utf16 else "utf-8-sig", "replace")
    table = _json(text, place) if text.lstrip()[:1] in ("{", "[") else _csv(text, place)
    if not table.rows:
        first = table.rejected[0] if table.rejected else None
        if first is None:
            raise LocalFault(later("{place}: no rows", place=place))
        raise LocalFault(f"{place}:{first.line}: {first.reason}")
    return table


def _unpacked(data: bytes, place: str) -> bytes:
    member = zlib.decompressobj(wbits=31)
    try:
        found = member.decompress(data, LARGEST + 1)
    except zlib.error as error:
        raise LocalFault(later("{place}: broken gzip: {error}", place=place, error=error)) from None
    if not member.eof and len(found) <= LARGEST:
        raise LocalFault(later("{place}: the gzip file is cut off", place=place))
    return found


def _csv(text: str, place: str) -> Table:
    table = Table()
    lines = _Ahead(text, place)
    if not (head := lines.next_row(table)):
        raise LocalFault(later("{place}: empty", place=place))
    delimiter = max(_DELIMITERS, key=head.count)
    where = f"{place}:{lines.number}"
    header, taken = lines.cells(delimiter)
    if isinstance(header, str):
        raise LocalFault(f"{where}: {header}")
    table.header = [cell.strip() for cell in header]
    _check_header(table.header, where)
    lines.skip(taken)
    while lines.next_row(table):
        cells, taken = lines.cells(delimiter)
        if isinstance(cells, str):
            table.reject(lines.number, cells)
        elif len(cells) == len(table.header):
            table.add(lines.number, cells, place)
        else:
            table.reject(lines.number, f"{len(cells)} cells where the header has {len(table.header)}")
            taken = 1  # what looked like one row on several lines is none: the others are looked at by themselves
        lines.skip(taken)
    return table


class _Ahead:
    """The lines of a text of CSV, whatever ends them, with a look at those that follow."""

    def __init__(self, text: str, place: str) -> None:
        self._place = place
        self._source = io.StringIO(text, newline=None)
        self._ahead: deque[str] = deque()
        self.number = 1

    def next_row(self, table: Table) -> str:
        """Go on to a line that begins a row: no comment, not empty, not too long. Empty at the end."""
        while line := self._look(1):
            if len(line) > _LONGEST_LINE:
                table.reject(self.number, f"longer than {_LONGEST_LINE} characters")
            elif line.strip() and not line.startswith("#"):
                return line
            self.skip(1)
        return ""

    def cells(self, delimiter: str) -> tuple[list[str] | str, int]:
        """The cells of the row that begins here, and on how many lines it stands; or why it is none.

        A quote that nothing closes would take all lines behind it into its cell: it costs its own line.
        """
        first = self._look(1)
        if first.count(_QUOTE) % 2 == 0:
            return _cells(first, delimiter), 1
        self._look(_MOST_LINES)
        text = ""
        for taken, line in enumerate(self._ahead, 1):
            text += line
            try:
                return _cells(text, delimiter, strict=True), taken
            except csv.Error as error:
                if "unexpected end" in str(error):
                    continue
                if taken == 1:  # nothing is open, and text behind a quote is taken as it stands
                    return _cells(first, delimiter), 1
                break
        return f"a quote that nothing closes within {_MOST_LINES} lines", 1

    def skip(self, count: int) -> None:
        """Go on by some lines.

        Raises:
            LocalFault: there are too many.
        """
        for _ in range(count):
            self._ahead.popleft()
        self.number += count
        if self.number > _LINES:
            raise LocalFault(later("{place}: more than {lines} lines", place=self._place, lines=_LINES))

    def _look(self, count: int) -> str:
        """The line that is next, with so many held; empty at the end."""
        while len(self._ahead) < count and (line := self._source.readline()):
            self._ahead.append(line)
        return self._ahead[0] if self._ahead else ""


def _cells(text: str, delimiter: str, *, strict: bool = False) -> list[str]:
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict), [])


def _check_header(header: list[str], place: str) -> None:
    if not header or not any(header):
        raise LocalFault(later("{place}: no header", place=place))
    if len(header) > COLUMNS:
        raise LocalFault(
            later("{place}: {header} columns; the most is {columns}", place=place, header=len(header), columns=COLUMNS)
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise LocalFault(later("{place}: the column {twice!r} stands twice", place=place, twice=twice[0]))


def _json(text: str, place: str) -> Table:
    if text.count(",") > _COMMAS:
        raise LocalFault(later("{place}: more than {commas} values", place=place, commas=_COMMAS))
    try:
        read = msgspec.json.decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise LocalFault(later("{place}: nested too deeply", place=place)) from None
    except msgspec.DecodeError as error:
        records = _json_lines(text, place)
        if records is None:
            raise LocalFault(later("{place}: neither CSV nor JSON: {error}", place=place, error=error)) from None
        return records
    found = list(_series(read, 0))
    if found:
        table = Table(header=["time", "series", "country", "network", "value"])
        for number, cells in enumerate((row for rows in found for row in rows), 1):
            table.add(number, cells, place)
        return table
    if isinstance(read, dict):
        inner = [value for value in read.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(inner) == 1:
            read = inner[0]
    if isinstance(read, list):
        return _listed(read, place)
    return _columns(read, place)


def _listed(read: list[object], place: str) -> Table:
    if len(read) > ROWS:
        raise LocalFault(later("{place}: more than {rows} rows", place=place, rows=ROWS))
    return _records(list(enumerate(read, 1)), place)


def _columns(read: Any, place: str) -> Table:
    columns = {k: v for k, v in read.items() if isinstance(v, list)} if isinstance(read, dict) else {}
    if not columns:
        raise LocalFault(later("{place}: JSON without a list of records or columns", place=place))
    length = max(map(len, columns.values()))
    table = Table(header=[name for name, cells in columns.items() if len(cells) == length])
    _check_header(table.header, place)
    for number, row in enumerate(zip(*(columns[name] for name in table.header), strict=True), 1):
        table.add(number, row, place)
    return table


def _json_lines(text: str, place: str) -> Table | None:
    records: list[tuple[int, object]] = []
    broken: list[int] = []
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
        if number > _LINES or len(records) > ROWS:
            raise LocalFault(later("{place}:{number!s}: more lines than are read", place=place, number=number))
        if not line.strip():
            continue
        try:
            records.append((number, msgspec.json.decode(line.encode("utf-8", "replace"))))
        except (msgspec.DecodeError, RecursionError):
            if not records:
                return None
            broken.append(number)
    table = _records(records, place)
    for number in broken:
        table.reject(number, "not JSON")
    return table


def _records(records: Sequence[tuple[int, object]], place: str) -> Table:
    first = next((record for _, record in records if isinstance(record, dict)), None)
    if first is None:
        raise LocalFault(later("{place}: JSON without records", place=place))
    table = Table(header=[str(name) for name in first])
    _check_header(table.header, place)
    for number, record in records:
        if isinstance(record, dict):
            table.add(number, [record.get(name) for name in table.header], place)
        else:
            table.reject(number, "no object")
    return table


def _series(value: Any, depth: int) -> Iterator[list[tuple[object, ...]]]:
    """Series that are written as a start, a step and values (IODA), or as times beside values (Cloudflare Radar)."""
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        if len(value) <= ROWS and value and isinstance(value[0], dict | list):
            for inner in value:
                yield from _series(inner, depth + 1)
        return
    if not isinstance(value, dict):
        return
    values, step, start = value.get("values"), value.get("step"), value.get("from")
    name = str(value.get("datasource") or value.get("name") or "value")[:100]
    country, network = _place(value)
    if isinstance(values, list) and _number(step) and _number(start):
        first, width = float(str(start)), float(str(step))
        yield [(first + index * width, name, country, network, cell) for index, cell in enumerate(values)]
    elif isinstance(values, list) and isinstance(times := value.get("timestamps"), list) and len(times) == len(values):
        yield [(time, name, country, network, cell) for time, cell in zip(times, values, strict=True)]
    else:
        for inner in value.values():
            if isinstance(inner, dict | list):
                yield from _series(inner, depth + 1)


def _place(value: Mapping[str, object]) -> tuple[str, str]:
    code = str(value.get("entityCode") or "")[:20]
    if value.get("entityType") == "country":
        return code, ""
    return "", (f"AS{code}" if value.get("entityType") == "asn" and code.isdigit() else "")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e14

"""Files of series as tables: CSV, JSON records, JSON columns, lines of JSON, IODA's and Radar's answers. Bounded."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.observatory.signals.signal import Rejected

LARGEST = 64 << 20
ROWS = 1_000_000
COLUMNS = 200
_LONGEST_LINE = 64 << 10
_SAID = 1000  # rejected rows that are kept with their reasons
_DELIMITERS = ",;\t|"
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
            raise LocalFault(f"{place}:{line}: more than {ROWS} rows")
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
        raise LocalFault(f"cannot read {path}: {error.strerror}") from None
    return parse_table(data, path.name)


def parse_table(data: bytes, place: str) -> Table:
    """Read the bytes of a file.

    Raises:
        LocalFault: as :func:`read_table`.
    """
    if len(data) > LARGEST:
        raise LocalFault(f"{place}: larger than {LARGEST >> 20} MiB")
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if utf16 else "utf-8-sig", "replace")
    table = _json(text, place) if text.lstrip()[:1] in ("{", "[") else _csv(text, place)
    if not table.rows:
        first = table.rejected[0] if table.rejected else None
        raise LocalFault(f"{place}:{first.line}: {first.reason}" if first else f"{place}: no rows")
    return table


def _csv(text: str, place: str) -> Table:
    table = Table()
    numbered = enumerate(io.StringIO(text, newline=""), 1)
    kept = [0]

    def lines() -> Iterator[str]:
        for number, line in numbered:
            kept[0] = number
            if len(line) > _LONGEST_LINE:
                table.reject(number, f"longer than {_LONGEST_LINE} characters")
            elif line.strip() and not line.startswith("#"):
                yield line

    source = lines()
    head = next(source, "")
    if not head:
        raise LocalFault(f"{place}: empty")
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        table.header = [cell.strip() for cell in next(csv.reader([head], delimiter=delimiter), [])]
    except csv.Error as error:
        raise LocalFault(f"{place}:{kept[0]}: {error}") from None
    _check_header(table.header, f"{place}:{kept[0]}")
    reader = csv.reader(source, delimiter=delimiter)
    while (cells := _next(reader, table, kept)) is not None:
        if len(cells) == len(table.header):
            table.add(kept[0], cells, place)
        elif cells:
            table.reject(kept[0], f"{len(cells)} cells where the header has {len(table.header)}")
    return table


def _next(reader: Iterator[list[str]], table: Table, kept: Sequence[int]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        table.reject(kept[0], str(error))
        return []


def _check_header(header: list[str], place: str) -> None:
    if not header or not any(header):
        raise LocalFault(f"{place}: no header")
    if len(header) > COLUMNS:
        raise LocalFault(f"{place}: {len(header)} columns; the most is {COLUMNS}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise LocalFault(f"{place}: the column {twice[0]!r} stands twice")


def _json(text: str, place: str) -> Table:
    try:
        read = msgspec.json.decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise LocalFault(f"{place}: nested too deeply") from None
    except msgspec.DecodeError as error:
        records = _json_lines(text, place)
        if records is None:
            raise LocalFault(f"{place}: neither CSV nor JSON: {error}") from None
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
        return _records(list(enumerate(read, 1)), place)
    return _columns(read, place)


def _columns(read: Any, place: str) -> Table:
    columns = {k: v for k, v in read.items() if isinstance(v, list)} if isinstance(read, dict) else {}
    if not columns:
        raise LocalFault(f"{place}: JSON without a list of records or columns")
    length = max(map(len, columns.values()))
    table = Table(header=[name for name, cells in columns.items() if len(cells) == length])
    _check_header(table.header, place)
    for number, row in enumerate(zip(*(columns[name] for name in table.header), strict=True), 1):
        table.add(number, row, place)
    return table


def _json_lines(text: str, place: str) -> Table | None:
    records: list[tuple[int, object]] = []
    broken: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
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
        raise LocalFault(f"{place}: JSON without records")
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

"""The rows of a store one by one: verdicts, or verdicts of layers, of some country, days, network or name.

For whoever holds the store. Nothing here withholds small cells, so what comes of it is not for publishing as it is.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from rozaneh.core import LocalFault
from rozaneh.core.replaced import replaced
from rozaneh.observatory import schema
from rozaneh.observatory.engine import compiled, duckdb, expression, show
from rozaneh.observatory.judging import grouped
from rozaneh.observatory.layers import layered
from rozaneh.observatory.spreadsheet import csv
from rozaneh.observatory.store import Partition, check_store, files, partitions_of
from rozaneh.observatory.wording import ORDER
from rozaneh.words import later


class Asked(NamedTuple):
    """Which rows.

    Attributes:
        country: two letters; all without.
        first: the first day, UTC.
        last: the last day.
        asn: an autonomous system.
        domain: a name or an address, as the column ``domain`` has it.
        layers: verdicts of layers instead of those of whole targets.
    """

    country: str | None = None
    first: dt.date = dt.date.min
    last: dt.date = dt.date.max
    asn: int | None = None
    domain: str | None = None
    layers: bool = False

    @property
    def kind(self) -> pa.Schema:
        """The columns of its rows."""
        return schema.LAYERED if self.layers else schema.VERDICT

    def has(self, partition: Partition) -> bool:
        """Whether some of its rows can be in a partition."""
        return self.country in (None, partition.country) and self.first <= partition.day <= self.last


def listed(place: Path, asked: Asked) -> Iterator[pa.Table]:
    """The rows, some days at a time, in order.

    Raises:
        LocalFault: there is no store, or another version made it; at once, before a row is asked for.
    """
    check_store(place)
    return _listed(place, asked)


def _listed(place: Path, asked: Asked) -> Iterator[pa.Table]:
    name = schema.OBSERVATIONS if asked.layers else schema.VERDICTS
    connection = duckdb(threads=1)
    query = compiled(_query(expression(name), asked))
    for group in grouped(place, [p for p in partitions_of(place, name) if asked.has(p)], name):
        show(connection, name, files(place, name, group))
        found = connection.con.sql(query).to_arrow_table().select(asked.kind.names).cast(asked.kind)
        if found.num_rows:
            yield found.sort_by([(column, "ascending") for column in ORDER])


def _query(rows: Any, asked: Asked) -> Any:
    # Before they are judged, since all rows of a target have the same network and name.
    if asked.asn is not None:
        rows = rows.filter(rows.asn == asked.asn)
    if asked.domain is not None:
        rows = rows.filter(rows.domain == asked.domain)
    return layered(rows) if asked.layers else rows


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as values, with times that say that they are UTC."""
    return [
        {name: value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


def write(place: Path, tables: Iterator[pa.Table], kind: pa.Schema) -> int:
    """Write rows into a file, as its name ends: ``.parquet`` or ``.csv``. Gives their number.

    What was there is replaced as a whole, once all is written.

    Raises:
        LocalFault: it ends otherwise, is there and no file, or cannot be written.
    """
    if place.suffix not in (".parquet", ".csv"):
        raise LocalFault(later("{place}: the name has to end in .parquet or .csv", place=place))
    if place.exists() and not place.is_file():
        raise LocalFault(later("{place}: is no file", place=place))  # a pipe that nobody reads would be waited for
    with replaced(place) as fresh:
        return _parquet(fresh, tables, kind) if place.suffix == ".parquet" else _csv(fresh, tables, kind)


def _parquet(place: Path, tables: Iterator[pa.Table], kind: pa.Schema) -> int:
    rows = 0
    with pq.ParquetWriter(place, kind, compression="zstd") as out:
        for table in tables:
            out.write_table(table)
            rows += table.num_rows
    return rows


def _csv(place: Path, tables: Iterator[pa.Table], kind: pa.Schema) -> int:
    rows = 0
    with place.open("wb") as out:
        out.write(csv((), kind.names))
        for table in tables:
            out.write(csv(plain(table), kind.names).partition(b"\n")[2])
            rows += table.num_rows
    return rows

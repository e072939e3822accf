"""The tables of a store in ClickHouse: loaded from its files, judged there, and asked by everything that asks a store.

A partition of the store is put in place of what the same country and day had before, so loading twice is the same as
loading once. The store's files stay the truth; whoever asks while a partition is being replaced may see it without it.
Every table is sorted by country, day and network, for which the pages ask.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.cells import cells, countrywide
from rozaneh.observatory.days import daily
from rozaneh.observatory.engine import TABLES, expression, fetch, refusals
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.store import Partition, files
from rozaneh.observatory.verdicts import hourly, judged
from rozaneh.observatory.wording import ORDER

_KEYS: Final = ("country", "day", "asn")
_IN_HAND: Final = {
    schema.OBSERVATIONS: "observations_in_hand",
    schema.VERDICTS: "verdicts_in_hand",
    schema.HOURLY: "hourly_in_hand",
}
"""What is being judged, by itself: a query that names it does not read all of history."""


class Warehouse:
    """A ClickHouse that holds the tables of a store.

    Args:
        connection: as :func:`rozaneh.observatory.engine.clickhouse` gives it.
        place: the store.

    Raises:
        LocalFault: it refuses.
    """

    def __init__(self, connection: Any, place: Path) -> None:
        self._connection = connection
        self._place = place
        with refusals():
            for name, kind in TABLES.items():
                self._make(name, kind)
            for table, name in _IN_HAND.items():
                self._make(name, TABLES[table])

    def judge(self, group: Sequence[Partition]) -> Iterator[Callable[[], tuple[pa.Table, pa.Table]]]:
        """Load the observations of some partitions, judge them there, and keep what they become there too.

        Raises:
            LocalFault: it refuses.
        """
        with refusals():
            self._forget(schema.OBSERVATIONS, group)
            self._run(f"TRUNCATE TABLE {_IN_HAND[schema.OBSERVATIONS]}")
            for path in files(self._place, schema.OBSERVATIONS, group):
                rows = pq.read_table(path, partitioning=None)
                for name in (schema.OBSERVATIONS, _IN_HAND[schema.OBSERVATIONS]):
                    self._insert(name, rows)
            verdicts = self._asked(judged(self._in_hand(schema.OBSERVATIONS)), schema.VERDICT)
            self._take_in_hand(schema.VERDICTS, verdicts)
            hours = self._asked(hourly(self._in_hand(schema.VERDICTS)), schema.HOUR)
            self._take_in_hand(schema.HOURLY, hours)
            days = self._asked(daily(self._in_hand(schema.HOURLY)), schema.DAY)
            narrow = [cells(part) for _, part in parts(hours.sort_by([(name, "ascending") for name in _KEYS[:2]]))]
            for name, table in (
                (schema.VERDICTS, verdicts),
                (schema.HOURLY, hours),
                (schema.CELLS, pa.concat_tables([schema.CELL.empty_table(), *narrow])),
                (
                    schema.COUNTRYWIDE,
                    pa.concat_tables([schema.COUNTRYWIDE_CELL.empty_table(), *map(countrywide, narrow)]),
                ),
                (schema.DAILY, days),
            ):
                self._forget(name, group)
                self._insert(name, table)
        ordered = verdicts.sort_by([(name, "ascending") for name in ORDER])
        yield lambda: (ordered, hours)

    def _in_hand(self, name: str) -> Any:
        return expression(name, _IN_HAND[name])

    def _take_in_hand(self, name: str, rows: pa.Table) -> None:
        self._run(f"TRUNCATE TABLE {_IN_HAND[name]}")
        self._insert(_IN_HAND[name], rows)

    def _make(self, name: str, kind: pa.Schema) -> None:
        if name in self._connection.list_tables():
            return
        types = dict(ibis.Schema.from_pyarrow(kind).items())
        keys = [key for key in _KEYS if key in types]
        types |= {key: types[key].copy(nullable=False) for key in keys}
        self._connection.create_table(name, schema=ibis.schema(types), engine="MergeTree", order_by=keys)

    def _forget(self, name: str, group: Sequence[Partition]) -> None:
        for partition in group:
            self._run(
                f"DELETE FROM {name} WHERE country = {{country:String}} AND day = {{day:Date}}",  # noqa: S608 - ours
                {"country": partition.country, "day": partition.day},
            )

    def _insert(self, name: str, rows: pa.Table) -> None:
        if rows.num_rows:
            self._connection.con.insert_arrow(name, rows)

    def _asked(self, query: Any, kind: pa.Schema) -> pa.Table:
        return fetch(self._connection, query, kind)

    def _run(self, statement: str, parameters: dict[str, object] | None = None) -> None:
        self._connection.con.command(statement, parameters=parameters)

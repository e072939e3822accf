"""Where queries run. Each is written once, in Ibis; an engine is an Ibis backend that knows the tables of a store.

DuckDB on the store's own Parquet files is what everybody has. A ClickHouse server is named by an address and holds the
tables under the same names; ``docs/scale.md`` says how they get there, and how Spark reads them.
"""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from rozaneh.core import LocalFault
from rozaneh.observatory import schema
from rozaneh.observatory.store import files, staging_of
from rozaneh.words import later, mark

TABLES: Final = {
    schema.OBSERVATIONS: schema.OBSERVATION,
    schema.VERDICTS: schema.VERDICT,
    schema.HOURLY: schema.HOUR,
    schema.CELLS: schema.CELL,
    schema.COUNTRYWIDE: schema.COUNTRYWIDE_CELL,
    schema.DAILY: schema.DAY,
}
"""The tables that queries are about."""

DUCKDB: Final = "duckdb"
"""The engine that everybody has."""


def _named_by_the_engine(bits: int) -> int:
    raise AssertionError(bits)  # the engine has it


# Ibis has a word for it, which it cannot say in Spark's SQL; all three engines call their own function so.
_BIT_OR: Final[Any] = ibis.udf.agg.builtin(name="bit_or", signature=(("int64",), "int64"))(_named_by_the_engine)


def united(bits: ir.IntegerColumn) -> ir.IntegerScalar:
    """All bits that are set in any row."""
    return _BIT_OR(bits.cast("int64"))


_MEMORY: Final = "320MB"
_CLICKHOUSE: Final = "clickhouse://USER:PASSWORD@HOST:PORT/DATABASE"
_AS_TEXT: Final = {"output_format_arrow_string_as_string": 1}


def duckdb(
    place: Path | None = None, *, serving: bool = False, threads: int | None = None, spill: Path | None = None
) -> Any:
    """DuckDB, with a view for each table of a store.

    Args:
        place: the store; a table without files is empty.
        serving: shut the engine in: it reads below the store, nothing else, and its settings cannot be changed. What
            strangers ask for is answered by such a one only.
        threads: how many to use; by default as many as there are processors.
        spill: a directory for what does not fit into memory.
    """
    settings: dict[str, Any] = {"memory_limit": _MEMORY, "preserve_insertion_order": False}
    if spill is not None:
        settings["temp_directory"] = str(spill)
    if threads is not None:
        settings["threads"] = threads
    connection = ibis.duckdb.connect(**settings)
    connection.raw_sql("SET enable_progress_bar = false")  # it would be drawn into what a command prints
    connection.raw_sql("SET parquet_metadata_cache = true")  # no file of a store is ever changed
    if serving:
        shut = [f"SET allowed_directories = [{_quoted(str((place or Path()).absolute()))}]"]
        shut += ["SET enable_external_access = false", "SET lock_configuration = true"]
        for statement in shut:
            connection.raw_sql(statement)
    if place is not None:
        # What is not asked for is told by the names of its directories, unless the store lies below others like these.
        named = "=" not in str(place.absolute())
        for name in TABLES:
            show(connection, name, files(place.absolute(), name), named=named)
    return connection


def show(connection: Any, name: str, paths: Sequence[Path], *, named: bool = False) -> None:
    """Let a table's name stand for some files; without any for an empty table of its kind.

    Args:
        connection: a DuckDB.
        name: of a table.
        paths: the files.
        named: their directories say the country and the day.
    """
    if paths:
        connection.read_parquet([str(path) for path in paths], table_name=name, hive_partitioning=named)
    else:
        connection.create_view(name, ibis.memtable(TABLES[name].empty_table()), overwrite=True)


def clickhouse(address: str) -> Any:
    """A ClickHouse server, as ``clickhouse://user:password@host:port/database``.

    What is no sign of an address stands in it as ``%40`` for ``@``. ``clickhouse://chdb`` is one in this process, which
    forgets; ``clickhouse://chdb/DIRECTORY`` is one that keeps.

    Raises:
        LocalFault: its client is not installed, the address is wrong, or nobody answers.
    """
    try:
        import clickhouse_connect  # noqa: PLC0415 - installed by those alone who have such a server
        from ibis.backends.clickhouse import Backend  # noqa: PLC0415 - the same
    except ImportError as error:
        raise LocalFault(later("this engine needs what requirements/scale.lock lists: {error}", error=error)) from None
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # what it would print is told below
    chosen = _of_address(address)
    host, nobody = chosen.get("host", "chdb"), mark("no ClickHouse at {host}: {error}")
    with refusals(nobody, host=host):
        try:
            return Backend.from_connection(clickhouse_connect.get_client(**chosen))
        except (OSError, ValueError) as error:
            raise LocalFault(later(nobody, host=host, error=str(error)[:200])) from None


def _of_address(address: str) -> dict[str, Any]:
    """What an address says, as the client wants it: octets that stand for signs of an address are read as these.

    Raises:
        LocalFault: it is no address.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 8123
    except ValueError:  # whose words would repeat a piece of a password
        raise LocalFault(
            later(
                "--engine names no ClickHouse: host or port is none; expected {clickhouse}, with signs such as / and # "
                "in a password as %2F and %23",
                clickhouse=_CLICKHOUSE,
            )
        ) from None
    if not host:
        raise LocalFault(
            later("--engine names no ClickHouse: it has no host; expected {clickhouse}", clickhouse=_CLICKHOUSE)
        )
    if host == "chdb":
        return {"interface": "chdb"} | ({"path": parts.path} if parts.path.strip("/") else {})
    return {
        "host": host,
        "port": port,
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.strip("/")) or "default",
    }


@contextmanager
def refusals(message: str = mark("ClickHouse refuses: {error}"), **values: str) -> Iterator[None]:
    """What a ClickHouse server refuses, or that it is gone, is told in one line.

    Args:
        message: that line, as for :func:`rozaneh.words.later`, with what it says as ``{error}``.
        values: what else stands in it.

    Raises:
        LocalFault: so it was.
    """
    try:
        yield
    except Exception as error:
        client = sys.modules.get("clickhouse_connect.driver.exceptions")  # not loaded where there is no such server
        if client is None or not isinstance(error, client.Error):
            raise
        raise LocalFault(later(message, **values, error=" ".join(str(error).split())[:300])) from None


def engine(text: str, place: Path, *, serving: bool = False) -> Any:
    """The engine that a command line names: ``duckdb``, or the address of a ClickHouse.

    Raises:
        LocalFault: there is no such engine.
    """
    check_engine(text)
    if text == DUCKDB:
        # Else it would spill into the directory that one happens to be in.
        return duckdb(place, serving=serving, spill=None if serving else staging_of(place))
    return clickhouse(text)


def check_engine(text: str) -> None:
    """Whether an engine is called so; nothing is opened.

    Raises:
        LocalFault: there is no such engine.
    """
    if text == DUCKDB:
        return
    if not text.startswith("clickhouse://"):
        raise LocalFault(
            later(
                "no engine is called {name!r}; there are duckdb and {clickhouse}",
                name=text.partition("://")[0],  # behind it may be a password
                clickhouse=_CLICKHOUSE,
            )
        )
    _of_address(text)


def table(connection: Any, name: str) -> Any:
    """A table of an engine, as an Ibis expression."""
    return connection.table(name)


def given(connection: Any, rows: pa.Table) -> Any:
    """Rows of this process as a table that queries of an engine can use, as an Ibis expression.

    Args:
        connection: an Ibis backend.
        rows: few.
    """
    name = f"given_{uuid4().hex}"
    if connection.name == DUCKDB:
        return connection.create_table(name, ibis.memtable(rows), temp=True)
    if type(getattr(connection, "con", None)).__name__ == "ChdbClient":
        made = connection.create_table(name, schema=ibis.Schema.from_pyarrow(rows.schema), engine="Memory")
        connection.con.insert_arrow(name, rows)
        return made
    return ibis.memtable(rows)  # sent along with each query


def named(connection: Any, query: Any) -> Any:
    """A query as a table of its own, where the engine can keep it for us: then it is translated once."""
    if connection.name != DUCKDB:
        return query
    with _as_written():
        return connection.create_view(f"named_{uuid4().hex}", query)


def expression(name: str, called: str | None = None) -> Any:
    """A table by its schema alone, for queries that are compiled before there is an engine.

    Args:
        name: of the table whose columns it has.
        called: its name in the engine, where that is another.
    """
    return ibis.table(ibis.Schema.from_pyarrow(TABLES[name]), name=called or name)


def compiled(query: Any) -> str:
    """A long query of tables by their schema alone in DuckDB's SQL, for asking it more than once."""
    with _as_written():
        return str(ibis.duckdb.compile(query))


def asked(query: Any) -> pa.Table:
    """The answer to a query, with columns as the engine has them."""
    with _as_written():
        return query.to_pyarrow()


@contextmanager
def _as_written() -> Iterator[None]:
    """Ibis would merge selects that lie in each other, which takes it longest of all; engines do that anyway."""
    settings = ibis.options.sql
    was, settings.fuse_selects = settings.fuse_selects, False
    try:
        yield
    finally:
        settings.fuse_selects = was


def fetch(connection: Any, query: Any, kind: pa.Schema) -> pa.Table:
    """The result of a query, with exactly the columns and types of a schema."""
    # Columns as the engine has them: by the rows or data frames that Ibis asks for, flags come as numbers, and a
    # million rows take minutes.
    if connection.name == "clickhouse":
        found = connection.con.query_arrow(str(connection.compile(query)), settings=_AS_TEXT)
    elif connection.name == "pyspark":
        found = connection.raw_sql(str(connection.compile(query))).toArrow()
    else:
        found = connection.to_pyarrow(query)
    return found.select(kind.names).cast(kind)


def _quoted(text: str) -> str:
    """A text as a literal, for the few settings that take no parameter; none of them comes from a measurement."""
    return "'" + text.replace("'", "''") + "'"

"""A store that files were read into, and what lies in it then."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.ingest import Summary, ingest
from rozaneh.observatory.store import Store, files

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""When files are read, unless a test says so."""


def into(place: Path, *paths: Path) -> Summary:
    """Read files into the store there."""
    with Store(place) as store:
        return ingest(paths, store, NOW)


def rows(place: Path, table: str = schema.OBSERVATIONS) -> list[dict[str, Any]]:
    """What a table holds."""
    return [row for path in files(place, table) for row in pq.read_table(path, partitioning=None).to_pylist()]


def uids(place: Path) -> list[str]:
    """The measurements there, each once."""
    return sorted({row["measurement_uid"] for row in rows(place)})


def rejected(place: Path) -> list[tuple[int, str]]:
    """Line and reason of what was set aside."""
    return sorted((row["line"], row["reason"]) for row in rows(place, schema.QUARANTINE))

"""A file of a store that is cut off, or is none: whoever meets it is told which one it is, and what to do.

Nothing is looked at before something fails, since a store has many files and opening each would cost more than most
questions do. What fails then says little: of a file that was cut off the engine names a place in it, of one that
somebody else wrote a column that is not there. So every file is looked at, and the first that is not as it should be is
named; where none is, the failure has another reason and stays what it was.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.common.exceptions import IbisError

from rozaneh.core import DamagedFile
from rozaneh.observatory import schema
from rozaneh.observatory.engine import TABLES, refusals
from rozaneh.observatory.store import files
from rozaneh.words import Later, later

_SIGNS: Final = (
    pa.ArrowException,
    duckdb.Error,
    IbisError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)
"""What libraries raise over a file that is not as they expect it."""
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError)
_GONE: Final = ("No such file", "No files found")
_ROWS: Final = 1 << 16


@contextmanager
def told(place: Path | None) -> Iterator[None]:
    """Say in a line which file of a store cannot be read, if that is why what is done here fails.

    Args:
        place: the store; none where there is none on disk.

    Raises:
        DamagedFile: a file of the store is damaged, or is another one.
        LocalFault: the server that was asked instead of its files refuses.
    """
    try:
        with refusals():
            yield
    except _SIGNS as error:
        found = None if place is None else _damaged(place, thoroughly=not _of_system(error))
        if found is None:
            raise
        raise DamagedFile(found) from None


def _of_system(error: Exception) -> bool:
    """Whether the system refused something, as a file that was replaced since: what lies inside of files is not why."""
    return getattr(error, "errno", None) is not None or any(sign in str(error) for sign in _GONE)


def all_told(place: Path, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same for tables that are read one after another, when they are asked for."""
    with told(place):
        yield from tables


def _damaged(place: Path, *, thoroughly: bool) -> Later | None:
    """What is to be said of the first file that is not as it should be.

    Args:
        place: the store.
        thoroughly: read all of each file where what stands at their ends is right.
    """
    for look in (_end, _whole) if thoroughly else (_end,):
        for name, kind in TABLES.items():
            for path in files(place, name):
                try:
                    wrong = look(path, kind)
                except _UNREADABLE as error:
                    if not os.path.lexists(path):  # replaced since it was listed
                        continue
                    wrong = later("it cannot be read ({error})", error=" ".join(str(error).split())[:120])
                if wrong:
                    return later(
                        "{path} is no whole file of the table {name}: {wrong}; {help}",
                        path=path,
                        name=name,
                        wrong=wrong,
                        help=_help(name, place),
                    )
    return None


def _end(path: Path, kind: pa.Schema) -> Later | None:
    """What is wrong with a file, by its end."""
    found = pq.read_schema(path)
    for field in kind:
        place = found.get_field_index(field.name)
        if place < 0:
            return later("it has no column {name}", name=field.name)
        if not _alike(found.field(place).type, field.type):
            return later(
                "its column {name} holds {found}, not {wanted}",
                name=field.name,
                found=found.field(place).type,
                wanted=field.type,
            )
    return None


def _alike(found: Any, wanted: Any) -> bool:
    """Whether one stands for the other: other writers have other names for the elements of a list."""
    if pa.types.is_list(found) and pa.types.is_list(wanted):
        return bool(found.value_type == wanted.value_type)
    return bool(found == wanted)


def _whole(path: Path, _: pa.Schema) -> None:
    with pq.ParquetFile(path) as file:
        for _batch in file.iter_batches(_ROWS):
            pass


def _help(name: str, place: Path) -> Later:
    again = f"'rozaneh observe judge --store {place}'"
    if name == schema.OBSERVATIONS:
        return later(
            "put a copy of it back, or remove it, which loses its measurements, and then: {command}", command=again
        )
    return later("remove it, and then: {command}", command=again)

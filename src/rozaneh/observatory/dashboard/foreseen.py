"""What does not count on a store's pages, found once when it is judged, so that no reader of a page waits for it.

To find it takes a second for ten million observations, and longer where there is something to find. It is kept in a
file for each country, below the store, with a digest of the names of the files that it was found in: files of a store
never change, they are replaced by others. Where that file is not there, or is of other files, it is found again.
"""

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.replaced import replaced
from rozaneh.observatory import schema
from rozaneh.observatory.damage import told
from rozaneh.observatory.dashboard.remainders import GONE, Counted, left_out
from rozaneh.observatory.engine import asked, table
from rozaneh.observatory.engine import engine as open_engine
from rozaneh.observatory.store import files

_FOLDER: Final = "remainders"
_OF: Final = (schema.CELLS, schema.COUNTRYWIDE, schema.DAILY)
_STATE: Final = b"state"
_LARGEST: Final = 64 << 20
_WAY: Final = "1"
"""Changes with the way in which it is found."""


def foresee(place: Path) -> None:
    """Find for every country of a store what does not count, where that is not known yet.

    Raises:
        LocalFault: it cannot be written.
        DamagedFile: a file of the store cannot be read.
    """
    states, known = _states(place), foreseen(place)
    wanted = [code for code in sorted(states) if known(code) is None]
    if not wanted:
        return
    with told(place):
        connection = open_engine("duckdb", place, serving=True)
        tables = Counted(*(table(connection, name) for name in _OF))
        for code in wanted:
            _keep(place, code, left_out(tables, code, asked), states[code])


def foreseen(place: Path) -> Callable[[str], pa.Table | None]:
    """Gives what was found of a country, if that was in the files that the store has now."""
    states = _states(place)

    def known(code: str) -> pa.Table | None:
        state = states.get(code)
        return None if state is None else _read(_file(place, code), state)

    return known


def _read(path: Path, state: bytes) -> pa.Table | None:
    try:
        read = pq.read_table(io.BytesIO(read_ordinary(path, _LARGEST)))
    except (OSError, pa.ArrowException):  # it is found again
        return None
    fits = (read.schema.metadata or {}).get(_STATE) == state and read.schema.equals(GONE)
    return read.replace_schema_metadata(None) if fits else None


def _file(place: Path, code: str) -> Path:
    return place / _FOLDER / f"{code}.parquet"


def _states(place: Path) -> dict[str, bytes]:
    """A digest of the files of each country."""
    found: dict[str, list[str]] = {}
    for name in _OF:
        for path in files(place, name):
            below = path.relative_to(place).as_posix()
            if country := re.search(r"/country=([A-Z]{2})/", below):
                found.setdefault(country[1], []).append(below)
    return {
        code: hashlib.sha256("\n".join([_WAY, *sorted(paths)]).encode(errors="surrogateescape")).hexdigest().encode()
        for code, paths in found.items()
    }


def _keep(place: Path, code: str, rows: pa.Table, state: bytes) -> None:
    path = _file(place, code)
    with replaced(path) as fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows.cast(GONE).replace_schema_metadata({_STATE: state}), fresh)

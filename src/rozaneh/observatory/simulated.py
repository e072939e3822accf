"""Measurements that nobody made: ``rozaneh lab country`` marks what it writes, and pages of a store with such say so.

Who wants to deceive leaves the mark out. It is there so that figures made for trying the program, or for tests, are not
taken for news by somebody to whom they are shown.
"""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rozaneh.observatory import schema

ENGINE: Final = "simulated"
"""The annotation ``engine_name`` of such a measurement."""

BEHIND_SOFTWARE: Final = " simulated"
"""What stands behind the software in its rows."""

_FILE: Final = "simulated"


def holds_simulated(table: pa.Table) -> bool:
    """Whether some rows of observations are of such measurements."""
    software = pc.unique(table["software"].combine_chunks()).cast(pa.string())
    return bool(pc.any(pc.ends_with(software, BEHIND_SOFTWARE)).as_py())


def note_simulated(place: Path) -> None:
    """Note in a store that it holds such, before it does: an ingest that ends in between leaves a word too many."""
    (place / schema.LEDGER / _FILE).touch()


def is_simulated(place: Path) -> bool:
    """Whether it is noted."""
    return (place / schema.LEDGER / _FILE).is_file()

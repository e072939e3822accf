"""CSV for people who open it in a spreadsheet, which takes some cells for formulas and obeys them."""

import csv as csv_module
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence

from rozaneh.words.foreign import unsteered

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms, which some spreadsheets take for the same."""


def csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """CSV (RFC 4180). A cell that a spreadsheet would take for a formula is quoted with an apostrophe (CWE-1236).

    What would steer a terminal, or turn a line around, is written out.
    """
    out = io.StringIO()
    writer = csv_module.writer(out)
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
    return out.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, tuple | list):
        return _cell(" ".join(map(str, value)))
    text = str(value)
    return unsteered(f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text)

"""Hours without what pages do not ask for, in few narrow columns: what a map of hours is drawn from.

Theory of operation. Whether an hour may be shown depends on how many different sources stand behind it, whichever
networks and services are looked at, so they cannot be counted beforehand; and counting them from the hours costs more
than all sums together. So the sources of a country's day are numbered, and a cell says which of them are in it by a bit
in a *bank* of 63. Whoever adds up cells unites their bits, and counts them at the end.

Most maps are of all networks. Their cells are added up beforehand into a table of their own, many times smaller, with a
file for each country and month (:mod:`rozaneh.observatory.days`).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from rozaneh.observatory import schema

_BANK: Final = 63
"""Bits of a bank: one less than an integer has, so that none is negative."""
_PIECE: Final = 1 << 16


def cells(hours: pa.Table, piece: int = 0) -> pa.Table:
    """The cells of a country's day, with the columns of :data:`schema.CELL`.

    Args:
        hours: all hours of a country and day; or of a piece of it, whose networks are in no other one.
        piece: its number: sources of one piece are other ones than those of another.
    """
    if not hours.num_rows:
        return schema.CELL.empty_table()
    _, source = np.unique(hours["source"].to_numpy(), return_inverse=True)
    columns = {name: hours[name].to_numpy() for name in ("n", *schema.TROUBLES, "refused")}
    columns["failing"] = np.sum([columns[name] for name in schema.TROUBLES], axis=0)
    columns["sources"] = np.left_shift(np.int64(1), source % _BANK)
    columns["bank"] = piece * _PIECE + source // _BANK
    return _added(hours, columns, ("asn", "subject", "hour", "bank"), schema.CELL)


def countrywide(of_networks: pa.Table) -> pa.Table:
    """The cells of all networks together, with the columns of :data:`schema.COUNTRYWIDE_CELL`.

    Args:
        of_networks: all cells of a country's day.
    """
    if not of_networks.num_rows:
        return schema.COUNTRYWIDE_CELL.empty_table()
    columns = {name: of_networks[name].to_numpy() for name in ("bank", "sources", *schema.SUMS)}
    return _added(of_networks, columns, ("subject", "hour", "bank"), schema.COUNTRYWIDE_CELL)


def _added(rows: pa.Table, columns: dict[str, Any], keys: Sequence[str], kind: pa.Schema) -> pa.Table:
    """Rows of one key, added up: their counts are summed and their bits united; in the order of the keys."""
    subjects = rows["subject"].combine_chunks().dictionary_encode()
    names = np.argsort(np.argsort(np.asarray(subjects.dictionary.to_pylist())))
    key = np.zeros(rows.num_rows, np.int64)
    for name in keys:
        if name == "subject":
            part = names[subjects.indices.to_numpy()]
        else:
            _, part = np.unique(columns[name] if name in columns else rows[name].to_numpy(), return_inverse=True)
        key = key * (int(part.max()) + 1) + part
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    first = order[starts]
    made = {name: rows[name].take(pa.array(first)) for name in kind.names if name not in columns}
    made["bank"] = pa.array(columns["bank"][first])
    made["sources"] = pa.array(np.bitwise_or.reduceat(columns["sources"][order], starts))
    made |= {name: pa.array(np.add.reduceat(columns[name][order], starts)) for name in schema.SUMS}
    return pa.table({name: made[name] for name in kind.names}).cast(kind)

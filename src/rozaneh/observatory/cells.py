"""Hours without what pages do not ask for, in few narrow columns: what a map of hours is drawn from.

Theory of operation. Whether an hour may be shown depends on how many different sources stand behind it, whichever
networks and services are looked at, so they cannot be counted beforehand; and counting them from the hours costs more
than all sums together. So the sources of a country's day are numbered, and a cell says which of them are in it by a bit
in a *bank* of 63. Whoever adds up cells unites their bits, and counts them at the end.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from rozaneh.observatory import schema

_BANK: Final = 63
"""Bits of a bank: one less than an integer has, so that none is negative."""
_PIECE: Final = 1 << 16
ALL: Final = -1
"""The network of cells that are sums over all networks: for most maps, and many times fewer."""


def cells(hours: pa.Table, piece: int = 0) -> pa.Table:
    """The cells of a country's day, with the columns of :data:`schema.CELL`: of all networks first, then of each.

    Args:
        hours: all hours of a country and day; or of a piece of it, whose networks are in no other one.
        piece: its number: sources of one piece are other ones than those of another.
    """
    if not hours.num_rows:
        return schema.CELL.empty_table()
    subjects = hours["subject"].combine_chunks().dictionary_encode()
    names = np.argsort(np.argsort(np.asarray(subjects.dictionary.to_pylist())))
    _, asn = np.unique(hours["asn"].to_numpy(), return_inverse=True)
    _, hour = np.unique(hours["hour"].to_numpy(), return_inverse=True)
    _, source = np.unique(hours["source"].to_numpy(), return_inverse=True)
    bank = source // _BANK
    counted = {name: hours[name].to_numpy() for name in ("n", *schema.TROUBLES, "refused")}
    counted["failing"] = np.sum([counted[name] for name in schema.TROUBLES], axis=0)
    bits = np.left_shift(np.int64(1), source % _BANK)
    found = []
    for network in (np.zeros_like(asn), asn):
        key = network
        for part in (names[subjects.indices.to_numpy()], hour, bank):
            key = key * (int(part.max()) + 1) + part
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        first = pa.array(order[starts])
        columns = {name: hours[name].take(first) for name in ("country", "day", "asn", "subject", "hour")}
        if network is not asn:
            columns["asn"] = pa.array(np.full(len(starts), ALL))
        columns |= {
            "bank": pa.array(piece * _PIECE + bank[order][starts]),
            "sources": pa.array(np.bitwise_or.reduceat(bits[order], starts)),
            **{
                name: pa.array(np.add.reduceat(counted[name][order], starts))
                for name in ("n", "failing", "blocked", "throttled", "refused")
            },
        }
        found.append(pa.table({name: columns[name] for name in schema.CELL.names}).cast(schema.CELL))
    return pa.concat_tables(found)

"""Many small files of a partition become few: every ingest leaves one file for each window and partition it touches.

When a partition has more than :data:`MOST` files that are small, they are read, sorted together and written as one. The
change is one of the store's, so that a kill leaves either the small files or the large one. A row is written again only
while its file and others together hold no more than :data:`ROWS`, so few rows are written often.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.columns import SORTED
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of

MOST: Final = 8
"""Small files that a partition may have."""
ROWS: Final = 60_000
"""Rows of a file from which on it is not small; no more are held in memory at once."""


def compact(store: Store) -> int:
    """Put the small files of each partition of observations together. Gives the number of files that went away."""
    return sum(_compact(store, partition) for partition in partitions_of(store.place, schema.OBSERVATIONS))


def _compact(store: Store, partition: Partition) -> int:
    found = files(store.place, schema.OBSERVATIONS, [partition])
    if len(found) <= MOST:
        return 0
    sizes = sorted((pq.read_metadata(path).num_rows, path) for path in found)
    gone = 0
    while len(sizes) - gone > MOST:
        group = []
        rows = 0
        for size, path in sizes[gone:]:
            if rows + size > ROWS:
                break
            group.append(path)
            rows += size
        if len(group) < 2:  # what is left is large
            break
        table = pa.concat_tables(pq.read_table(path, partitioning=None) for path in group)
        whole = store.stage(table.take(pc.sort_indices(table, sort_keys=list(SORTED))))
        store.commit(Change(put=[(whole, store.new_file(schema.OBSERVATIONS, partition))], drop=group))
        gone += len(group)
    return gone

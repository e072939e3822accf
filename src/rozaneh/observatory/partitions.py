"""A sorted table, cut into the partitions of a store."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from rozaneh.observatory.store import Partition


def parts(table: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
    """A table that is sorted by country and day, cut where they change."""
    if not table.num_rows:
        return
    countries = table.column("country").combine_chunks().dictionary_encode().indices.to_numpy()
    days = table.column("day").combine_chunks().cast(pa.int32()).to_numpy()
    cuts = np.flatnonzero((np.diff(countries) != 0) | (np.diff(days) != 0)) + 1
    edges = [0, *cuts.tolist(), table.num_rows]
    for start, stop in pairwise(edges):
        part = table.slice(start, stop - start)
        yield Partition(part.column("country")[0].as_py(), part.column("day")[0].as_py()), part

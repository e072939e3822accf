"""Columns that rows share, kept once until a window of them is written.

Theory of operation. A measurement has a row for each dial, and most columns of a row are those of its measurement, its
target, its lookup, its certificate or its answer. Each of these is a *part*: its values once, and for each row the
number of the values that it has. Columns are spread over the rows only when a window is full, and in their final order,
so that nothing is copied in an order that does not last. What is sorted are targets, of which there are fewer than
rows: the rows of a target stand together in the order of its dials from the start.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rozaneh.observatory import schema

SORTED: Final = tuple(
    (name, "ascending") for name in ("country", "day", "asn", "domain", "time", "measurement", "target", "dial")
)
"""The order of observations."""
_OF_TARGETS: Final = SORTED[:-1]


class Part(NamedTuple):
    """Columns that rows share.

    Attributes:
        values: each set of values once.
        of: for each row the number of its values.
    """

    values: pa.Table
    of: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Those of several batches as those of one."""
        starts = np.cumsum([0, *(part.values.num_rows for part in parts[:-1])])
        of = np.concatenate([part.of + start for part, start in zip(parts, starts, strict=True)])
        return cls(pa.concat_tables([part.values for part in parts]).combine_chunks(), of)

    def spread(self, order: np.ndarray) -> list[pa.ChunkedArray]:
        """The columns of these rows."""
        index = pa.array(self.of[order])
        return [column.take(index) for column in self.values.columns]


class Shared:
    """A part on its way: its values as they come."""

    def __init__(self, kind: pa.Schema) -> None:
        self.kind = kind
        self.values: list[tuple[object, ...]] = []
        self.of: list[int] = []

    def add(self, values: tuple[object, ...]) -> int:
        """Keep values; the number by which rows refer to them."""
        self.values.append(values)
        return len(self.values) - 1

    def part(self) -> Part:
        """As columns."""
        return Part(table_of(self.values, self.kind), np.array(self.of, np.int32))


def table_of(rows: Sequence[tuple[object, ...]], kind: pa.Schema) -> pa.Table:
    """Rows as a table."""
    columns = zip(*rows, strict=True) if rows else repeat((), len(kind))
    return pa.Table.from_arrays([pa.array(x, field.type) for x, field in zip(columns, kind, strict=True)], schema=kind)


class Batch(NamedTuple):
    """Rows whose columns are not spread yet.

    Attributes:
        measurements: what rows share of a measurement, in the order in which they came.
        targets: the same of a target. Each has at least one row, and its rows stand together.
        others: the same of lookups, certificates and answers.
        alone: the columns that each row has for itself.
    """

    measurements: Part
    targets: Part
    others: tuple[Part, ...]
    alone: pa.Table

    @classmethod
    def joined(cls, batches: Sequence[Self]) -> Self:
        """Several batches as one."""
        measurements, targets, others, alone = zip(*batches, strict=True)
        return cls(
            Part.joined(measurements),
            Part.joined(targets),
            tuple(map(Part.joined, zip(*others, strict=True))),
            pa.concat_tables(alone).combine_chunks(),
        )

    def table(self, new: np.ndarray) -> pa.Table:
        """As a table of observations, sorted as :data:`SORTED` says.

        Args:
            new: for each measurement whether its rows are wanted.
        """
        order = np.argsort(self._ranks()[self.targets.of], kind="stable")
        if not new.all():
            order = order[new[self.measurements.of[order]]]
        found = dict(zip(self.alone.column_names, self.alone.take(pa.array(order)).columns, strict=True))
        for part in (self.measurements, self.targets, *self.others):
            found |= zip(part.values.column_names, part.spread(order), strict=True)
        return pa.Table.from_arrays([found[name] for name in schema.OBSERVATION.names], schema=schema.OBSERVATION)

    def _ranks(self) -> np.ndarray:
        """For each target its place among all."""
        owners = np.empty(self.targets.values.num_rows, np.int32)
        owners[self.targets.of] = self.measurements.of
        names = [name for name, _ in _OF_TARGETS if name in self.measurements.values.column_names]
        keys = self.measurements.values.select(names).take(pa.array(owners))
        for name in ("domain", "target"):
            keys = keys.append_column(name, self.targets.values[name])
        ranks = np.empty(len(owners), np.int32)
        ranks[pc.sort_indices(keys, sort_keys=list(_OF_TARGETS)).to_numpy()] = np.arange(len(owners), dtype=np.int32)
        return ranks

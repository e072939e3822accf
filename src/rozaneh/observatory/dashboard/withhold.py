"""Which cells may be shown. Published figures must not give one volunteer away (threats.md, row 12)."""

from typing import Final

import ibis.expr.types as ir
import numpy as np

LEAST_MEASUREMENTS: Final = 5
"""A cell with fewer measurements says nothing on any page, feed or export: not even how many they are."""

LEAST_SOURCES: Final = 2
"""A cell whose measurements come from fewer independent sources says nothing either."""


def withheld(measurements: int, sources: int) -> bool:
    """Whether a cell is too small to show.

    Args:
        measurements: how many stand behind it.
        sources: how many independent sources they come from, as the store counts them.
    """
    return measurements < LEAST_MEASUREMENTS or sources < LEAST_SOURCES


def withheld_where(measurements: ir.IntegerColumn, sources: ir.IntegerColumn) -> ir.BooleanColumn:
    """The same of each row of a table."""
    too_small: ir.BooleanColumn = (measurements < LEAST_MEASUREMENTS) | (sources < LEAST_SOURCES)
    return too_small


def withheld_of_each(measurements: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """The same of each of many."""
    too_small: np.ndarray = (measurements < LEAST_MEASUREMENTS) | (sources < LEAST_SOURCES)
    return too_small

"""How much a source counts: never so much that it outvotes the others, whatever it says.

Theory of operation. In a single hour a service on a thin network is measured by one source or by none, so that nothing
there tells a flood from an honest measurement. In a day it shows: a source is *too loud* on a network where it counts
more than half of what all others count together, and of one service where it counts more than all of them. The mean
day of the others in that week may stand for the day; and since on some networks there is one person a day, who is alone
on a day may count half as much again as that mean. What is too loud is weighed down: on the network to what it may
count there, and of each service, in each quarter of the day, to half of what the others count in that quarter; one
measurement in a quarter counts in any case. Whatever a flood says, that nothing works or that everything does, the
counts then follow the others, and what is not too loud is left as it is.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rozaneh.observatory.events.baseline import Array

_WEEK = 7  # days
_QUARTERS = 4
_THURSDAY = 3  # the first day of 1970; weeks begin on Mondays
Codes = NDArray[np.int64]


class WeightSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    loud_on_network: float
    loud_on_service: float
    outweighs: float
    quarter_least: float
    loudest: float
    loudest_least: float


class Said(NamedTuple):
    """How much each source measured: a row for each service on a network, hour and source, of whole weeks.

    Attributes:
        network: a number for the network.
        service: a number for the service on that network.
        day: days since 1970.
        quarter: of the day, 0 to 3.
        source: a number for the source.
        n: measurements.
    """

    network: Codes
    service: Codes
    day: Codes
    quarter: Codes
    source: Codes
    n: Array


def weights(said: Said, settings: WeightSettings) -> Array:
    """How much each row counts, from 0 to 1.

    Args:
        said: the rows.
        settings: the rule's numbers.
    """
    first, of_day = _groups(said.service, said.day, said.source)
    network, service, day, source = (column[first] for column in (said.network, said.service, said.day, said.source))
    n = np.bincount(of_day, said.n).astype(np.float64)
    on_network = _total(n, network, day, source)
    may = _may_count(n, (network, day, source), settings.loud_on_network, settings.loudest)
    share = np.divide(may, on_network, out=np.ones_like(may), where=on_network > 0)
    may = _may_count(n, (service, day, source), settings.loud_on_service, settings.loudest)
    loud = (share < 1) | (n > np.maximum(may, _QUARTERS * settings.quarter_least))
    found = np.ones(len(said.n))
    near = np.flatnonzero((_total(loud.astype(np.float64), service, day) > 0)[of_day])
    if len(near):
        place = said.service[near], said.day[near], said.quarter[near]
        own = _total(said.n[near], *place, said.source[near])
        may = np.maximum(settings.outweighs * (_total(said.n[near], *place) - own), settings.quarter_least)
        part = np.divide(may, own, out=np.ones_like(may), where=own > 0)
        of_day = of_day[near]
        found[near] = np.where(loud[of_day] & (own > 0), np.minimum(np.minimum(share[of_day], part), 1.0), 1.0)
    return found


def _may_count(n: Array, of: tuple[Codes, Codes, Codes], part: float, alone: float) -> Array:
    """How much a source may count in a place that day without being too loud, by what all the others count.

    Args:
        n: measurements of each row.
        of: its place, day and source.
        part: of what the others count that day, or on their mean day of that week.
        alone: the same, where nobody else measured that day.
    """
    place, day, source = of
    week = (day + _THURSDAY) // _WEEK
    others = _total(n, place, day) - _total(n, place, day, source)
    usual = (_total(n, place, week) - _total(n, place, week, source)) / _WEEK
    may: Array = np.where(others > 0, part * np.maximum(others, usual), alone * usual)
    return may


def _total(values: Array, *keys: Codes) -> Array:
    """For each row the sum over all rows that are alike in the keys."""
    _, of = _groups(*keys)
    total: Array = np.bincount(of, values).astype(np.float64)[of]
    return total


def _groups(*keys: Codes) -> tuple[Codes, Codes]:
    """The first row of each group of rows that are alike in the keys, and for each row its group."""
    code = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        low = int(key.min())
        code = code * (int(key.max()) - low + 1) + key - low
    _, first, of = np.unique(code, return_index=True, return_inverse=True)
    return first, of

"""One network of a country: what is measured on it, without what is blocked there for a reason of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from rozaneh.observatory.events.baseline import DAY
from rozaneh.observatory.events.counts import Counts, as_float
from rozaneh.observatory.events.curfews import NetworkSettings
from rozaneh.observatory.events.groups import domestic_subjects
from rozaneh.observatory.events.services import Stretch

_PARTS, _TELLS = 4, 2  # of a day; measurements from which one of them tells
_TOGETHER = 12  # hours between beginnings of what falls together


@dataclass(frozen=True)
class Network:
    """A network: the rows of its series abroad and at home, and the stretches that were found on them."""

    asn: int
    abroad: np.ndarray
    at_home: np.ndarray
    stretches: tuple[Stretch, ...]


def networks_of(counts: Counts, stretches: Sequence[Stretch]) -> list[Network]:
    """The networks of the counts, in their order."""
    home = domestic_subjects(counts.country)
    rows: dict[int, tuple[list[int], list[int]]] = {}
    for row, (asn, subject) in enumerate(counts.series):
        rows.setdefault(asn, ([], []))[home(subject)].append(row)
    of: dict[int, list[Stretch]] = {}
    for stretch in stretches:
        of.setdefault(counts.series[stretch.row][0], []).append(stretch)
    return [
        Network(asn, np.array(abroad, np.int64), np.array(at_home, np.int64), tuple(of.get(asn, ())))
        for asn, (abroad, at_home) in sorted(rows.items())
    ]


def tried_abroad(
    counts: Counts, network: Network, rules: NetworkSettings, persist: int
) -> tuple[np.ndarray, np.ndarray]:
    """What was tried abroad and failed, without the long blocks of single services: those are no part of a cut."""
    n, k = as_float(counts.n[network.abroad]), as_float(counts.kinds["failed"][network.abroad])
    places = {int(row): place for place, row in enumerate(network.abroad)}
    for stretch in network.stretches:
        last = counts.hours if stretch.last is None else stretch.last
        long = last - stretch.first >= persist
        if (
            long
            and stretch.row in places
            and _all_day(counts, stretch, last)
            and not _one_of_many(stretch, counts, network, last, rules)
        ):
            place = places[stretch.row]
            n[place, stretch.first : last] = k[place, stretch.first : last] = 0
    return n, k


def _all_day(counts: Counts, stretch: Stretch, last: int) -> bool:
    """Whether it fails in every part of the day; what fails in the hours of a curfew alone is part of that."""
    part = (np.arange(stretch.first, last) % DAY) * _PARTS // DAY
    n, k = (
        np.bincount(part, of[stretch.row, stretch.first : last], _PARTS) for of in (counts.n, counts.kinds["failed"])
    )
    return bool(np.all(k[n >= _TELLS] > n[n >= _TELLS] / 2))


def _one_of_many(stretch: Stretch, counts: Counts, network: Network, last: int, rules: NetworkSettings) -> bool:
    """Whether most services of the network fell with this one: then it is the network that is cut."""
    if stretch.before:
        return False
    # What was down already cannot fall, and what is at home need not.
    down = {
        other.row
        for other in network.stretches
        if other.first < stretch.since - _TOGETHER and (other.last is None or other.last > stretch.first)
    }
    up = [row for row in network.abroad.tolist() if row not in down]
    measured = int(counts.n[up, stretch.first : last].any(1).sum())
    # Services that are blocked for good on one day fall together too, but not for as long as all of them.
    beside = sum(
        not other.before
        and max(other.since, stretch.since) - min(other.first, stretch.first) <= _TOGETHER
        and min(last, other.last or counts.hours) - max(stretch.first, other.first) >= (last - stretch.first) / 2
        for other in network.stretches
    )
    return beside >= max(rules.services_least, rules.breadth * measured)


class BreadthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many services must show a cut; what the numbers mean stands beside them in ``rules.toml``."""

    breadth: float
    services_least: int
    hours_apart: int


def broad(
    n: np.ndarray, k: np.ndarray, windows: Sequence[tuple[int, int]], rules: NetworkSettings | BreadthSettings
) -> bool:
    """Whether most services fail more than usual in the windows, and not one or two that are much measured."""
    inside = np.zeros(n.shape[1], dtype=bool)
    for first, last in windows:
        inside[first:last] = True
    there, gone = n[:, inside].sum(1), k[:, inside].sum(1)
    usual = (k[:, ~inside].sum(1) + 0.5) / (n[:, ~inside].sum(1) + 10)
    measured = there >= 2
    total, failed = float(there.sum()), float(gone.sum())
    overall = failed / total if total else 0.0
    fails = measured & (gone / np.maximum(there, 1) > (usual + overall) / 2)
    return bool(fails.sum() >= max(rules.services_least, rules.breadth * measured.sum()))

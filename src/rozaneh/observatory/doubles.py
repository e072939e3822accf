"""Which measurements a store has already."""

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.rows import Key
from rozaneh.observatory.store import Partition, Store, files

if TYPE_CHECKING:
    import datetime as dt

_SEEN = 4_000_000
"""Keys of measurements that are remembered for finding doubles; more are read again from the store when needed."""


class Keys(NamedTuple):
    """What tells measurements apart.

    Attributes:
        keys: the key of each, 64 bits.
        places: the partitions they lie in.
        of: for each measurement the index of its partition.
    """

    keys: np.ndarray
    places: list[Partition]
    of: np.ndarray

    @classmethod
    def make(cls, told: list[Key]) -> Self:
        """From key, country and day of each measurement."""
        places: dict[tuple[str, dt.date], int] = {}
        of = [places.setdefault((country, day), len(places)) for _, country, day in told]
        keys = np.array([key for key, _, _ in told], np.int64)
        return cls(keys, [Partition(*place) for place in places], np.array(of, np.int64))


class Doubles:
    """Which measurements a store has: the keys of the partitions that were touched last, as sorted arrays.

    What somebody was told is new counts as seen from then on, though it enters the store later. Until it has, its
    partitions are not forgotten, so that nobody else is told the same.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Partition, np.ndarray] = {}
        self._awaited: dict[int, list[Partition]] = {}

    def new(self, asked: Keys, asker: int = 0) -> np.ndarray:
        """For each measurement whether it is seen for the first time.

        Args:
            asked: the measurements.
            asker: who will put them into the store.
        """
        fresh = np.zeros(len(asked.keys), dtype=bool)
        order = np.argsort(asked.of, kind="stable")
        edges = np.searchsorted(asked.of[order], np.arange(len(asked.places) + 1))
        for index, place in enumerate(asked.places):
            here = order[edges[index] : edges[index + 1]]
            known = self._known.pop(place, None)
            if known is None:
                known = self._stored(place)
            different, first = np.unique(asked.keys[here], return_index=True)
            unseen = ~np.isin(different, known, assume_unique=True)
            fresh[here[first[unseen]]] = True
            self._known[place] = np.union1d(known, different)
        self._awaited.setdefault(asker, []).extend(asked.places)
        self._forget()
        return fresh

    def settled(self, asker: int = 0) -> None:
        """What an asker was told is new has entered the store."""
        self._awaited.pop(asker, None)

    def _stored(self, partition: Partition) -> np.ndarray:
        found = [
            pq.read_table(path, columns=["measurement"], partitioning=None).column(0).to_numpy()
            for path in files(self._store.place, schema.OBSERVATIONS, [partition])
        ]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def _forget(self) -> None:
        total = sum(map(len, self._known.values()))
        awaited = {place for places in self._awaited.values() for place in places}
        for place in [place for place in self._known if place not in awaited]:
            if total <= _SEEN:
                break
            total -= len(self._known.pop(place))

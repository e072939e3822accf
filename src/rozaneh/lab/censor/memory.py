"""What a censor remembers across flows: marks, counts in windows, logged events. Everything is bounded."""

from collections import OrderedDict, deque
from typing import Any

from rozaneh.lab.censor.flows import Flow, Key

_MOST_MARKS = 20_000
_MOST_HOLDERS = 4096
_MOST_COUNTED = 20_000

FOREVER = float("inf")


class Marks:
    """Named marks on flows, sources, destinations, pairs and 3-tuples."""

    def __init__(self) -> None:
        self._marks: OrderedDict[tuple[str, str, Key], tuple[float, float, int]] = OrderedDict()

    def set(self, name: str, on: str, key: Key, now: float, until: float) -> None:
        """Set a mark, or set it again."""
        place = (name, on, key)
        old = self._marks.pop(place, None)
        count = old[2] + 1 if old is not None and old[1] > now else 1
        self._marks[place] = (now, until, count)
        if len(self._marks) > _MOST_MARKS:
            self._marks.popitem(last=False)

    def clear(self, name: str, on: str, key: Key) -> None:
        """Take a mark away."""
        self._marks.pop((name, on, key), None)

    def has(self, name: str, on: str, key: Key, now: float, *, within: float, at_least: int) -> bool:
        """Whether a mark is there, was set recently enough and often enough."""
        if not self._marks:
            return False
        found = self._marks.get((name, on, key))
        return found is not None and found[1] > now and now - found[0] <= within and found[2] >= at_least


class Counter:
    """Counts something per holder in a sliding window.

    Args:
        within: length of the window, in seconds.
        distinct: whether equal items count once.
    """

    def __init__(self, within: float, *, distinct: bool) -> None:
        self._within = within
        self._distinct = distinct
        self._holders: OrderedDict[Key, tuple[deque[tuple[float, Any, int]], dict[Any, float]]] = OrderedDict()
        self._sums: dict[Key, int] = {}

    def add(self, holder: Key, now: float, item: Any, weight: int) -> int:
        """Count one more and say how much there is in the window now."""
        entry = self._holders.get(holder)
        if entry is None:
            entry = self._holders[holder] = (deque(), {})
            self._sums[holder] = 0
            if len(self._holders) > _MOST_HOLDERS:
                oldest, _ = self._holders.popitem(last=False)
                self._sums.pop(oldest, None)
        else:
            self._holders.move_to_end(holder)
        events, latest = entry
        if self._distinct:
            latest[item] = now
            if len(latest) > _MOST_COUNTED or len(latest) > 64:
                for gone in [key for key, at in latest.items() if now - at > self._within]:
                    del latest[gone]
            return sum(1 for at in latest.values() if now - at <= self._within)
        events.append((now, item, weight))
        total = self._sums[holder] + weight
        while events and (now - events[0][0] > self._within or len(events) > _MOST_COUNTED):
            total -= events.popleft()[2]
        self._sums[holder] = total
        return total


class Events:
    """Events that rules logged, with all holders of the flow at that moment."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self._recent: dict[str, deque[tuple[float, dict[str, Key]]]] = {}

    def log(self, name: str, flow: Flow, now: float) -> None:
        """Note one event."""
        self.totals[name] = self.totals.get(name, 0) + 1
        recent = self._recent.setdefault(name, deque(maxlen=_MOST_HOLDERS))
        recent.append((now, {on: flow.key(on) for on in ("flow", "3-tuple", "source", "destination", "pair", "all")}))

    def count(self, name: str, on: str, key: Key, since: float) -> int:
        """How many there were for a holder since a moment."""
        total = 0
        for at, keys in reversed(self._recent.get(name, ())):
            if at < since:
                break
            total += keys[on] == key
        return total

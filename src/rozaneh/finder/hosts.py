"""What this session knows of destinations. In RAM alone: it is the list of what somebody visited.

Times are seconds of a monotonic clock, passed in.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from rozaneh.core import Attempt, Target
from rozaneh.finder.refusal import Refusal
from rozaneh.finder.ways import Way

__all__ = ["DOUBTED", "Hosts", "Known"]

_MOST_HOSTS = 2048
_MOST_ATTEMPTS = 24
_SHORTEST_TTL = 60.0
_LONGEST_TTL = 3600.0
DOUBTED = 180.0
"""Seconds for which another way is taken where transfers have stopped or crawled."""
_JUST_NOW = 15.0
_OPEN = 60.0
"""Seconds for which a destination counts as open after the direct way has led to it."""


@dataclass(slots=True)
class Known:
    """One destination.

    Attributes:
        obstacle: what blocks it, as far as is known; empty when nothing does.
        way: what gets past that.
        until: when both are to be verified anew.
        refusal: why the last search found nothing.
        refused_until: until when it is not searched again.
        quiet_until: until when the obstacle punishes whatever else is dialled to the same address.
        explorer: who is searching at the moment, so that nobody else does.
        waiting: whom to wake when that search has ended.
        left: the way that was taken before, when that has just failed.
        doubted: keys of ways on which transfers stopped or crawled, and until when others are taken instead.
        inquired_until: until when the finder asks nothing of its own there again.
        open_at: the address at which the direct way last led to it.
        open_until: until when that is fresh.
        worked: when the last dial that led to it was begun.
        tried: the last attempts, for whoever asks why.
    """

    obstacle: str = ""
    way: Way | None = None
    left: Way | None = None
    until: float = -math.inf
    refusal: Refusal | None = None
    refused_until: float = -math.inf
    quiet_until: float = -math.inf
    explorer: object | None = None
    waiting: set[Callable[[], None]] = field(default_factory=set)
    doubted: dict[str, float] = field(default_factory=dict)
    inquired_until: float = -math.inf
    open_at: str = ""
    open_until: float = -math.inf
    worked: float = -math.inf
    tried: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_MOST_ATTEMPTS))

    def blocked(self, now: float) -> str:
        """What is known to block it at this time, or empty."""
        return self.obstacle if now < self.until else ""

    def in_doubt(self, now: float) -> set[str]:
        """The ways that others are to be taken instead of, at this time."""
        return {key for key, until in self.doubted.items() if now < until}

    def learn(self, obstacle: str, way: Way | None, until: float) -> None:
        """Remember what blocks it and what gets past that, until it is to be verified."""
        self.left = self.way or self.left if way is None and obstacle else None
        self.obstacle, self.way, self.until = obstacle, way, until
        self.refusal = None
        if obstacle:
            self.open_until = -math.inf

    def opened(self, address: str, now: float) -> None:
        """The direct way has led to it, at this address."""
        self.open_at, self.open_until = address, now + _OPEN

    def excuse(self, now: float) -> None:
        """Nothing abroad answers: what failed just now failed with everything else, and will do again afterwards."""
        self.doubted = {key: until for key, until in self.doubted.items() if until - now < DOUBTED - _JUST_NOW}
        if self.way is None and self.blocked(now):
            self.way = self.left

    def refused(self, now: float) -> Refusal | None:
        """Why it is not searched for again yet."""
        return self.refusal if now < self.refused_until else None

    def choose_anew(self) -> None:
        """Which way gets past what blocks it is chosen anew; that it is blocked stays known, and its name hidden."""
        if self.way is not None:
            self.learn(self.obstacle, None, self.until)

    def release(self, explorer: object) -> None:
        """The search of this explorer has ended, however it did."""
        if self.explorer is explorer:
            self.explorer = None
        for wake in tuple(self.waiting):
            wake()


class Hosts:
    """All destinations of this session, the least recently used forgotten first."""

    def __init__(self, most: int = _MOST_HOSTS) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, int], Known] = OrderedDict()
        self._addresses: OrderedDict[str, tuple[tuple[str, ...], str, float]] = OrderedDict()

    def known(self, target: Target) -> Known:
        """What is known of a destination."""
        key = (target.host, target.port)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Known()
            self._trim()
        self._known.move_to_end(key)
        return found

    def ports_of(self, host: str) -> list[tuple[int, Known]]:
        """What is known of a host, for each of its ports."""
        return [(port, known) for (name, port), known in self._known.items() if name == host]

    def is_blocked_at(self, address: str, now: float) -> bool:
        """Whether a host that is known to have an address is known to be blocked."""
        blocked = {name for (name, _), known in self._known.items() if known.blocked(now)}
        return any(address in self._addresses[name][0] for name in blocked & self._addresses.keys())

    def addresses(self, host: str, now: float) -> tuple[tuple[str, ...], str]:
        """Addresses that a trustworthy resolver gave lately, and which one it was; empty when there are none."""
        found = self._addresses.get(host)
        return (found[0], found[1]) if found is not None and now < found[2] else ((), "")

    def learn_addresses(self, host: str, addresses: tuple[str, ...], resolver: str, *, ttl: float, now: float) -> None:
        """Keep what a trustworthy resolver said for as long as it said, within reason."""
        self._addresses[host] = (addresses, resolver, now + min(max(ttl, _SHORTEST_TTL), _LONGEST_TTL))
        self._addresses.move_to_end(host)
        while len(self._addresses) > self._most:
            self._addresses.popitem(last=False)

    def drop_addresses(self, host: str, silent: Collection[str]) -> None:
        """Leave out addresses that did not answer while another one did, so that nobody waits for them again."""
        found = self._addresses.get(host)
        if found is not None:
            left = tuple(address for address in found[0] if address not in silent)
            self._addresses[host] = (left or found[0], *found[1:])

    def choose_anew(self, obstacles: tuple[str, ...]) -> None:
        """Choose anew the ways of destinations that are reached through the user's servers.

        Args:
            obstacles: what the obstacles begin with that are not verified anew by that.
        """
        for known in self._known.values():
            if known.way is not None and known.way.private and known.obstacle.startswith(obstacles):
                known.choose_anew()

    def forget(self) -> None:
        """Forget everything, as on another network."""
        self._known.clear()
        self._addresses.clear()

    def _trim(self) -> None:
        """Forget the oldest, except those who are being searched for."""
        if len(self._known) <= self._most:
            return
        for key, known in self._known.items():
            if known.explorer is None and not known.waiting:
                del self._known[key]
                return

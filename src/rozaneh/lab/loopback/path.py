"""The path between a host and the world in tier T0: its delays, and the censors on it."""

import asyncio
from collections.abc import Callable

from rozaneh.lab.topology import World, Zone
from rozaneh.lab.wire.censors import Censors, ProbeRequest
from rozaneh.lab.wire.path import BORDER, DEFAULT_HOPS, HOME_ROUTERS

_USUAL_DELAY = 0.02
_HOPS_INSIDE = 3


class Passage:
    """What became of one packet.

    Attributes:
        through: whether it arrives.
        delay: seconds that the censors held it back.
        injected: packets that the censors add: bytes, whether toward the client, delay in seconds.
    """

    __slots__ = ("delay", "injected", "raw", "through")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.through = True
        self.delay = 0.0
        self.injected: list[tuple[bytes, bool, float]] = []


class Path:
    """One host's way to everywhere.

    Args:
        world: where everything stands.
        host: the host, or the home network of a customer.
        probe: takes the servers that the censors want to be probed.

    Attributes:
        censors: those on the way.
    """

    def __init__(self, world: World, host: str, probe: Callable[[Censors, ProbeRequest], None]) -> None:
        self._world = world
        self._probe = probe
        self._host = world.host[host]
        self.censors: Censors | None = None

    def delays(self, address: str) -> tuple[float, float]:
        """Seconds from this host to the middle, where the censors are, and from there to an address."""
        owner = self._world.host_of(address)
        far = self._world.host[owner].link.delay_ms / 1000 if owner else _USUAL_DELAY
        return self._host.link.delay_ms / 1000, far

    def leads_to(self, address: str) -> bool:
        """Whether some host has an address."""
        return self._world.host_of(address) is not None

    def is_black_hole(self, address: str) -> bool:
        """Whether nothing answers at an address, not even a router."""
        owner = self._world.host_of(address)
        return owner is not None and self._world.host[owner].black_hole

    def send(self, raw: bytes, address: str, *, outbound: bool) -> Passage:
        """Send a packet of a conversation with an address past all censors on the way.

        Args:
            raw: the packet.
            address: of the far end, whichever way the packet goes.
            outbound: whether it goes away from this host.
        """
        passage = Passage(raw)
        if self.censors is None:
            return passage
        places = self._places(self.censors, address)
        now = asyncio.get_running_loop().time()
        for place in places if outbound else reversed(places):
            decision = self.censors.judge.packet(passage.raw, outbound=outbound, place=place, now=now)
            for wanted in decision.events:
                self._probe(self.censors, wanted)
            passage.injected += [(packet, toward == "client", delay) for packet, toward, delay in decision.inject]
            if not decision.forward:
                passage.through = False
                break
            passage.raw, delay = decision.forward[0]
            passage.delay += delay
        return passage

    def _places(self, censors: Censors, address: str) -> list[str]:
        """Where censors see this host's packets to an address, nearest first; as the wire has it."""
        owner = self._world.host_of(address)
        abroad = owner is None or self._world.host[owner].zone is Zone.WORLD
        found = []
        for place in censors.places:
            hop = censors.hops.get(place, DEFAULT_HOPS.get(place, HOME_ROUTERS))
            if place.startswith("host:"):
                if place == f"host:{owner}":
                    found.append((HOME_ROUTERS + 1, place))
            elif abroad or (place != BORDER and hop <= _HOPS_INSIDE):
                found.append((hop, place))
        return [place for _, place in sorted(found)]

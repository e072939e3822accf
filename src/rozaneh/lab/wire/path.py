"""Who is where, and what a packet meets between two of them."""

import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from rozaneh.lab.topology import Link, Zone
from rozaneh.lab.wire.censors import Censors
from rozaneh.lab.wire.line import Dice, Line
from rozaneh.lab.wire.port import Port

HOME_ROUTERS = 4
"""Routers between a home and the world: hops 1 and 2, the operator, hop 3, hop 4, the border."""
OPERATOR, BORDER = "operator", "border"
DEFAULT_HOPS = {OPERATOR: 2, BORDER: 4}
_DOMESTIC_ROUTERS = 3
_ISP_ROUTERS = 2


@dataclass(eq=False, kw_only=True)
class Endpoint:
    """A host or customer, as the wire knows it.

    Attributes:
        name: of the host or customer.
        zone: where it stands.
        hops: routers of its own, beyond those that all of its zone have.
        addresses: packed.
        port: its interface; none where nothing stands.
        outgoing: its line away from it.
        incoming: its line towards it.
        out_dice: chance for what it sends.
        in_dice: chance for what it gets.
        censors: those on its path, if any.
        detours: places that its packets to some other endpoint cross because a censor there leads them to it.
    """

    name: str
    zone: Zone
    hops: int
    addresses: tuple[bytes, ...]
    port: Port | None
    outgoing: Line
    incoming: Line
    out_dice: Dice
    in_dice: Dice
    censors: Censors | None = None
    detours: dict[str, set[str]] = field(default_factory=dict)

    def set_link(self, link: Link) -> None:
        """Lay another cable."""
        self.outgoing, self.incoming = Line(link), Line(link)

    @property
    def depth(self) -> int:
        """Routers between it and the border."""
        return {Zone.HOME: HOME_ROUTERS, Zone.ISP: 2 + self.hops, Zone.DOMESTIC: 1 + self.hops, Zone.WORLD: 0}[
            self.zone
        ]


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Stop:
    """A place on a path, and the censors that look at it there.

    Attributes:
        after: routers of this path before it.
        place: its name.
        censors: whom to ask.
        outbound: whether packets of this path go away from the one whose censors they are.
        reach: seconds from the sender to it, queues apart.
    """

    after: int
    place: str
    censors: Censors
    outbound: bool
    reach: float

    def mirrors(self, other: "Stop") -> bool:
        """Whether this is the same stop on the way back."""
        return self.place == other.place and self.censors is other.censors


@dataclass(eq=False, kw_only=True)
class Path:
    """The way from one endpoint to another.

    Attributes:
        source: the sender.
        target: the receiver.
        routers: how many there are.
        stops: the places where somebody looks, in order.
        delay: seconds from end to end, queues apart.
    """

    source: Endpoint
    target: Endpoint
    routers: int
    stops: tuple[Stop, ...]
    delay: float

    @cached_property
    def dice(self) -> Dice:
        """Chance belongs to the customer; between two hosts, to the sender."""
        return self.target.in_dice if self.target.zone is Zone.HOME else self.source.out_dice

    @cached_property
    def mtu(self) -> int:
        """The longest packet that fits all the way."""
        return min(self.source.outgoing.link.mtu, self.target.incoming.link.mtu)

    @cached_property
    def jitters(self) -> bool:
        """Whether packets could overtake each other if nobody prevented it."""
        return bool(self.source.outgoing.link.jitter_ms or self.target.incoming.link.jitter_ms)

    def reach(self, router: int) -> float:
        """Seconds from the sender to one of the routers, queues apart."""
        return self.delay * router / (self.routers + 1)

    def router_address(self, router: int, version: int) -> bytes:
        """The address of a router, counted from the sender.

        Seen from a home, hop N is 10.202.N.1 and 2a01:5ec0:202:N::1.
        """
        return hop_address(router if self.source.zone.inside else self.routers + 1 - router, version)


def hop_address(hop: int, version: int) -> bytes:
    """The packed address of hop 1, 2, … from a home."""
    if version == 4:
        return bytes((10, 202, hop & 255, 1))
    return socket.inet_pton(socket.AF_INET6, f"2a01:5ec0:202:{hop:x}::1")


def find_path(source: Endpoint, target: Endpoint) -> Path:
    """The way from one endpoint to another."""
    routers = _routers(source, target)
    delay = source.outgoing.delay + target.incoming.delay
    path = Path(source=source, target=target, routers=routers, stops=(), delay=delay)
    stops = [
        Stop(after=after, place=place, censors=source.censors, outbound=True, reach=_reach(path, source, after))
        for after, place in _places(source, target, routers)
        if source.censors is not None
    ]
    stops += [
        Stop(
            after=routers - after,
            place=place,
            censors=target.censors,
            outbound=False,
            reach=delay - _reach(path, target, after),
        )
        for after, place in reversed(_places(target, source, routers))
        if target.censors is not None
    ]
    path.stops = tuple(sorted(stops, key=lambda stop: stop.after))
    return path


def _routers(one: Endpoint, other: Endpoint) -> int:
    if one.zone is Zone.WORLD or other.zone is Zone.WORLD:
        return max(1, one.depth + other.depth + sum(end.hops for end in (one, other) if end.zone is Zone.WORLD))
    zones = {one.zone, other.zone}
    hops = sum(end.hops for end in (one, other) if end.zone is not Zone.HOME)
    if Zone.HOME in zones:
        return hops + (_ISP_ROUTERS if Zone.ISP in zones else _DOMESTIC_ROUTERS)
    return hops + 1


def _places(client: Endpoint, other: Endpoint, routers: int) -> list[tuple[int, str]]:
    """The places at which the client's censors see its traffic with another, as routers from the client."""
    if client.censors is None:
        return []
    crosses = other.zone is Zone.WORLD and client.zone is not Zone.WORLD
    detours = client.detours.get(other.name, set())
    found = []
    for place in client.censors.places:
        if place.startswith("host:"):
            if place == f"host:{other.name}" or place in detours:
                found.append((routers, place))
            continue
        hop = client.censors.hops.get(place, DEFAULT_HOPS.get(place, HOME_ROUTERS))
        if crosses:
            seen = client.zone is Zone.HOME or place == BORDER
            after = hop if client.zone is Zone.HOME else client.depth
        else:
            seen = client.zone is Zone.HOME and place != BORDER and hop <= _DOMESTIC_ROUTERS
            after = hop
        if seen or place in detours:
            found.append((min(after, routers), place))
    return sorted(found)


def _reach(path: Path, client: Endpoint, after: int) -> float:
    """Seconds from a client to a place on its path: its own line ends at the border, the other's begins there."""
    other = path.target if client is path.source else path.source
    depth = client.depth
    if after <= depth:
        return client.outgoing.delay * after / depth if depth else 0.0
    return client.outgoing.delay + other.outgoing.delay * (after - depth) / (path.routers - depth + 1)


def packed(addresses: Collection[str]) -> tuple[bytes, ...]:
    """Addresses as they stand in packets."""
    return tuple(
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses
    )

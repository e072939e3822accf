"""A wire without a kernel: the test is the clock and the hosts."""

import math
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rozaneh.lab.clock import LabClock, country_zone, usual_start
from rozaneh.lab.topology import Link, Zone
from rozaneh.lab.wire import packet
from rozaneh.lab.wire.censors import Censors, ProbeRequest
from rozaneh.lab.wire.line import Dice, Line
from rozaneh.lab.wire.path import Endpoint, packed
from rozaneh.lab.wire.port import Port
from rozaneh.lab.wire.wire import Wire


def ipv4(
    source: str, target: str, payload: bytes = b"", *, ttl: int = 64, protocol: int = 253, flags: int = 0
) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        7,
        flags,
        ttl,
        protocol,
        0,
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    return head[:10] + packet.checksum(head) + head[12:] + payload


def ipv6(source: str, target: str, payload: bytes = b"", *, hops: int = 64, following: int = 253) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    return struct.pack("!IHBB", 6 << 28, len(payload), following, hops) + ends + payload


@dataclass
class Judgement:
    forward: Sequence[tuple[bytes, float]]
    inject: Sequence[tuple[bytes, str, float]] = ()
    events: Sequence[ProbeRequest] = ()


@dataclass
class Judge:
    """A censor that writes down what it sees and does what the test says."""

    places: frozenset[str]
    act: Callable[[bytes, bool, str], Judgement]
    seen: list[tuple[str, bool, bytes]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    probed: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    later: dict[float, tuple[str, Judgement]] = field(default_factory=dict)

    @property
    def next_due(self) -> float:
        return min(self.later, default=math.inf)

    def tick(self, now: float) -> list[tuple[str, Judgement]]:
        return [self.later.pop(when) for when in sorted(self.later) if when <= now]

    def probe_result(self, token: int, results: frozenset[str], now: float) -> None:
        del now
        self.probed.append((token, results))

    def packet(self, raw: bytes, *, outbound: bool, place: str, now: float) -> Judgement:
        del now
        self.seen.append((place, outbound, raw))
        return self.act(raw, outbound, place)


def passing(raw: bytes, _outbound: bool, _place: str) -> Judgement:
    return Judgement([(raw, 0.0)])


class Internet:
    """A wire with a home, a domestic host, a resolver of the operator and a host abroad."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.now = 1000.0
        self.arrived: list[tuple[float, str, bytes]] = []
        self.ports: dict[str, Port] = {}
        self.add("home", Zone.HOME, ["10.77.1.0", "2a01:5ec0:77::100"], Link(delay_ms=2))
        self.add("abroad", Zone.WORLD, ["93.184.216.34", "2606:2800:220::34"], Link(delay_ms=20), hops=3)
        self.add("domestic", Zone.DOMESTIC, ["5.160.0.10"], Link(delay_ms=3), hops=1)
        self.add("resolver", Zone.ISP, ["10.202.77.53"], Link(delay_ms=1))

    def add(self, name: str, zone: Zone, addresses: list[str], link: Link, *, hops: int = 0, seed: int = 0) -> Endpoint:
        port = Port()
        port.fd = -1
        port.captured = zone is Zone.HOME
        port.write = lambda raw: self.arrived.append((round(self.now - 1000.0, 6), name, raw))
        self.ports[name] = port
        endpoint = Endpoint(
            name=name,
            zone=zone,
            hops=hops,
            addresses=packed(addresses),
            port=port,
            outgoing=Line(link),
            incoming=Line(link),
            out_dice=Dice(seed, name, "out"),
            in_dice=Dice(seed, name, "in"),
        )
        self.wire.attach(endpoint)
        return endpoint

    def endpoint(self, name: str) -> Endpoint:
        found = self.wire.endpoint(name)
        assert found is not None
        return found

    def censor(
        self,
        name: str,
        *places: str,
        act: Callable[[bytes, bool, str], Judgement] = passing,
        hops: dict[str, int] | None = None,
    ) -> Judge:
        judge = Judge(frozenset(places), act)
        clock = LabClock(usual_start(country_zone("Asia/Tehran")))
        self.wire.load(self.endpoint(name), Censors(judge=judge, clock=clock, hops=hops or {}, waits=True))
        return judge

    def send(self, name: str, raw: bytes) -> None:
        self.wire.enter(self.ports[name], raw, self.now)

    def settle(self) -> list[tuple[float, str, bytes]]:
        """Let everything arrive, and say when it did, where, and what it was."""
        due = min(self.wire.deliver(self.now), self.wire.tick(self.now))
        while due < math.inf:
            self.now = due
            due = min(self.wire.tick(self.now), self.wire.deliver(self.now))
        arrived, self.arrived = self.arrived, []
        return arrived

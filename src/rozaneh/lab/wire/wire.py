"""Carrying packets: routing, routers, censors, lines and the heap of what is under way."""

import heapq
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rozaneh.lab.topology import Link
from rozaneh.lab.wire import packet
from rozaneh.lab.wire.censors import Censors, ProbeRequest
from rozaneh.lab.wire.path import HOME_ROUTERS, Endpoint, Path, find_path, hop_address
from rozaneh.lab.wire.port import Port

if TYPE_CHECKING:
    from rozaneh.lab.wire.capture import PcapWriter

PACKETS_PER_TURN = 32
"""So many packets are read from one host before the others have their turn."""

_MOST_PATHS = 1 << 16
_MOST_UNDER_WAY = 1 << 17
_MOST_REACTIONS = 4
"""Packets that censors inject because of packets that censors injected: further ones are not carried."""


@dataclass(slots=True)
class Flight:
    """A packet on its way.

    Attributes:
        path: which way.
        now: when it entered the wire, in monotonic seconds.
        raw: as it left the last router that it passed.
        passed: how many routers lie behind it.
        lag: seconds by which it is later than the path's own delay makes it.
        reactions: how many injections led to it.
    """

    path: Path
    now: float
    raw: bytes
    passed: int = 0
    lag: float = 0.0
    reactions: int = 0


class Wire:
    """All cables and routers, and what is under way on them.

    Time is passed in, in monotonic seconds; reading and writing is the ports' business. So a test can be the clock and
    the hosts.

    Attributes:
        counters: what happened, by name.
        capture: where packets of customers are written, if anywhere.
        probes: servers that censors want to be probed; whoever runs the wire takes them away.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.capture: PcapWriter | None = None
        self.probes: list[tuple[Censors, ProbeRequest]] = []
        self._endpoints: dict[str, Endpoint] = {}
        self._owners: dict[bytes, Endpoint] = {}
        self._paths: dict[bytes, Path | None] = {}
        self._heap: list[tuple[float, int, Port, bytes]] = []
        self._sequence = 0
        self._waiting: list[Endpoint] = []

    # ------------------------------------------------------------------------------------------------ who is there

    def attach(self, endpoint: Endpoint) -> None:
        """Connect a host or customer; one of the same name, or with its addresses, is replaced."""
        self._endpoints[endpoint.name] = endpoint
        self._owners.update(dict.fromkeys(endpoint.addresses, endpoint))
        self._paths.clear()

    def detach(self, name: str) -> None:
        """Disconnect; what is under way to it is lost."""
        endpoint = self._endpoints.pop(name, None)
        if endpoint is None:
            return
        for address in endpoint.addresses:
            if self._owners.get(address) is endpoint:
                del self._owners[address]
        self._paths.clear()
        self._note_who_waits()

    def endpoint(self, name: str) -> Endpoint | None:
        """Who goes by a name."""
        return self._endpoints.get(name)

    def endpoints(self) -> Iterable[Endpoint]:
        """Everybody."""
        return self._endpoints.values()

    def load(self, endpoint: Endpoint, censors: Censors | None) -> None:
        """Put censors on somebody's path, in the place of those there."""
        endpoint.censors = censors
        endpoint.detours.clear()
        self._paths.clear()
        self._note_who_waits()

    def set_link(self, endpoint: Endpoint, link: Link) -> None:
        """Lay another cable."""
        endpoint.set_link(link)
        self._paths.clear()

    # ------------------------------------------------------------------------------------------------ carrying

    def enter(self, port: Port, frame: bytes, now: float) -> None:
        """Carry a packet that a host has sent."""
        raw = packet.whole(frame)
        if raw is None:
            self.counters["broken"] += 1
            return
        if port.captured and self.capture is not None:
            self.capture.add(raw)
        self.counters["packets"] += 1
        key = raw[12:20] if raw[0] < 0x60 else raw[8:40]
        try:
            path = self._paths[key]
        except KeyError:
            path = self._find(key)
        if path is None:
            self._unroutable(port, raw, now)
            return
        if path.source.port is not port:
            self.counters["spoofed"] += 1
            return
        for piece in (raw,) if len(raw) <= path.mtu else self._cut(path, raw, now):
            flight = Flight(path, now, piece)
            outgoing = path.source.outgoing
            lag = 0.0 if outgoing.plain else outgoing.lag(now, len(piece), path.dice)
            if lag is None:
                self.counters["lost"] += 1
                continue
            flight.lag = lag
            self._walk(flight, 0)

    def deliver(self, now: float) -> float:
        """Give the hosts what has arrived; when the next packet arrives, infinite if none is under way."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, port, raw = heapq.heappop(heap)
            if port.captured and self.capture is not None:
                self.capture.add(raw)
            try:
                port.write(raw)
            except OSError:
                self.counters["undeliverable"] += 1
        return heap[0][0] if heap else math.inf

    def tick(self, now: float) -> float:
        """Let censors do what they do without a packet; when the next of them will, infinite if none."""
        due = math.inf
        for endpoint in self._waiting:
            if endpoint.censors is None:
                continue
            judge = endpoint.censors.judge
            if judge.next_due <= now:
                for place, verdict in judge.tick(now):
                    self.probes += [(endpoint.censors, request) for request in verdict.events]
                    for forged, toward, delay in verdict.inject:
                        self._start(endpoint, place, forged, toward, now + delay)
            due = min(due, judge.next_due)
        return due

    def _start(self, client: Endpoint, place: str, raw: bytes, toward: str, when: float) -> None:
        """Carry a packet that a censor made without being asked about another."""
        if packet.whole(raw) is None:
            self.counters["not injected"] += 1
            return
        server = packet.destination(raw) if toward == "server" else packet.source(raw)
        other = self._owners.get(server) or self._owners.get(packet.quoted_destination(raw))
        path = find_path(client, other) if other is not None else None
        index = next((at for at, stop in enumerate(path.stops) if stop.place == place), None) if path else None
        if path is None or index is None:
            self.counters["not injected"] += 1
            return
        here = Flight(path, when, raw, lag=-path.stops[index].reach)
        self._inject(here, index, raw, toward, 0.0)

    def _note_who_waits(self) -> None:
        self._waiting = [end for end in self._endpoints.values() if end.censors is not None and end.censors.waits]

    def _walk(self, flight: Flight, index: int) -> None:
        """Carry a packet on, from a stop of its path."""
        stops = flight.path.stops
        while index < len(stops):
            stop = stops[index]
            if not self._through_routers(flight, stop.after):
                return
            raw = flight.raw
            verdict = stop.censors.judge.packet(raw, outbound=stop.outbound, place=stop.place, now=flight.now)
            if verdict.events:
                self.probes += [(stop.censors, wanted) for wanted in verdict.events]
            for forged, toward, delay in verdict.inject:
                self._inject(flight, index, forged, toward, delay)
            forward = verdict.forward
            if len(forward) != 1:
                self.counters["dropped" if not forward else "multiplied"] += 1
                for changed, delay in forward:
                    self._go_on(flight, index, changed, delay)
                return
            changed, delay = forward[0]
            if changed is not raw:
                self._go_on(flight, index, changed, delay)
                return
            flight.lag += delay
            index += 1
        self._finish(flight)

    def _go_on(self, flight: Flight, index: int, raw: bytes, delay: float) -> None:
        """Carry on behind a stop with what a censor made of a packet, by another path if it changed where that goes."""
        if packet.whole(raw) is None:
            self.counters["broken"] += 1
            return
        path = flight.path
        stop = path.stops[index]
        address = packet.destination(raw)
        if address != packet.destination(flight.raw):
            target = self._owners.get(address)
            if target is None:
                self.counters["unroutable"] += 1
                return
            for end, other in ((path.source, target), (target, path.source)):
                if end.censors is stop.censors:
                    end.detours.setdefault(other.name, set()).add(stop.place)
            self._paths.clear()
            path = find_path(path.source, target)
            index = next((at for at, other in enumerate(path.stops) if other.place == stop.place), 0)
        on = Flight(path, flight.now, raw, path.stops[index].after, flight.lag + delay, flight.reactions)
        self._walk(on, index + 1)

    def _inject(self, flight: Flight, index: int, raw: bytes, toward: str, delay: float) -> None:
        """Carry a packet that a censor made, from where that censor stands."""
        if flight.reactions >= _MOST_REACTIONS or packet.whole(raw) is None:
            self.counters["not injected"] += 1
            return
        self.counters["injected"] += 1
        stop = flight.path.stops[index]
        forged = Flight(flight.path, flight.now, raw, stop.after, flight.lag + delay, flight.reactions + 1)
        if (toward == "server") == stop.outbound:
            self._walk(forged, index + 1)
            return
        reached = stop.reach
        forged.path = back = find_path(flight.path.target, flight.path.source)
        forged.passed = back.routers - stop.after
        forged.lag += reached - (back.delay - reached)
        mirrored = (at for at, other in enumerate(back.stops) if other.mirrors(stop))
        self._walk(forged, next(mirrored, -1) + 1)

    def _through_routers(self, flight: Flight, until: int) -> bool:
        """Take a packet past the routers of its path up to one of them; whether its TTL lasted."""
        hops = until - flight.passed
        if hops <= 0:
            return True
        raw = flight.raw
        left = raw[8] if raw[0] < 0x60 else raw[7]
        if left > hops:
            flight.raw = packet.lowered(raw, hops)
            flight.passed = until
            return True
        self.counters["expired"] += 1
        self._complain(flight, flight.passed + max(left, 1), "time-exceeded")
        return False

    def _complain(self, flight: Flight, router: int, kind: str, mtu: int = 0) -> None:
        """Send back what a router says about a packet."""
        path = flight.path
        error = packet.icmp_error(kind, path.router_address(router, flight.raw[0] >> 4), flight.raw, mtu)
        if error is None:
            return
        back = find_path(path.target, path.source)
        passed = path.routers + 1 - router
        lag = flight.lag + path.reach(router) - back.reach(passed)
        index = next((at for at, stop in enumerate(back.stops) if stop.after >= passed), len(back.stops))
        self._walk(Flight(back, flight.now, error, passed, lag, _MOST_REACTIONS), index)

    def _finish(self, flight: Flight) -> None:
        """The last routers, the receiver's line, and into the heap."""
        path = flight.path
        target = path.target
        port = target.port
        if not self._through_routers(flight, path.routers) or port is None:
            return
        incoming = target.incoming
        if not incoming.plain:
            more = incoming.lag(flight.now, len(flight.raw), path.dice)
            if more is None:
                self.counters["lost"] += 1
                return
            flight.lag += more
        due = flight.now + path.delay + flight.lag
        if path.jitters:
            due = self._in_order(path, due, reordered=flight.lag < 0)
        if len(self._heap) >= _MOST_UNDER_WAY:
            self.counters["crowded out"] += 1
            return
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, port, flight.raw))

    @staticmethod
    def _in_order(path: Path, due: float, *, reordered: bool) -> float:
        """Jitter alone never lets a packet overtake another."""
        if reordered:
            return due
        latest = path.dice.latest
        key = id(path.source), id(path.target)
        due = max(due, latest.get(key, 0.0))
        latest[key] = due
        return due

    # ------------------------------------------------------------------------------------------------ the unusual

    def _find(self, key: bytes) -> Path | None:
        if len(self._paths) >= _MOST_PATHS:
            self._paths.clear()
        half = len(key) // 2
        source, target = self._owners.get(key[:half]), self._owners.get(key[half:])
        path = find_path(source, target) if source is not None and target is not None else None
        self._paths[key] = path
        return path

    def _unroutable(self, port: Port, raw: bytes, now: float) -> None:
        """Nobody has the address: the first router says so. What is for many, or from nobody, just ends."""
        source = self._owners.get(packet.source(raw))
        first = packet.destination(raw)[0]
        if source is None or source.port is not port or first == 0xFF or (raw[0] < 0x60 and first >= 224):
            self.counters["stray"] += 1
            return
        self.counters["unroutable"] += 1
        error = packet.icmp_error("net-unreachable", hop_address(1, raw[0] >> 4), raw)
        if error is not None:
            self._sequence += 1
            due = now + 2 * source.outgoing.delay / HOME_ROUTERS
            heapq.heappush(self._heap, (due, self._sequence, port, error))

    def _cut(self, path: Path, raw: bytes, now: float) -> list[bytes]:
        """A packet that is too long for the path: in fragments, or an error from the first router."""
        pieces = packet.fragments(raw, path.mtu)
        if pieces is None:
            self.counters["too big"] += 1
            self._complain(Flight(path, now, raw), 1, "too-big", path.mtu)
            return []
        return pieces

"""Carrying packets: routing, routers, censors, lines and the heap of what is under way."""

import heapq
from collections import Counter
from collections.abc import Iterable

from rozaneh.lab.topology import Link
from rozaneh.lab.wire import packet
from rozaneh.lab.wire.capture import PcapWriter
from rozaneh.lab.wire.censors import Censors
from rozaneh.lab.wire.path import HOME_ROUTERS, Endpoint, Path, find_path, hop_address
from rozaneh.lab.wire.port import Port

PACKETS_PER_TURN = 32
"""So many packets are read from one host before the others have their turn."""

_MOST_PATHS = 1 << 16
_MOST_UNDER_WAY = 1 << 17
_MOST_REACTIONS = 4
"""Packets that censors inject because of packets that censors injected: further ones are not carried."""


class Wire:
    """All cables and routers, and what is under way on them.

    Time is passed in, in monotonic seconds; reading and writing is the ports' business. So a test can be the clock and
    the hosts.

    Attributes:
        counters: what happened, by name.
        capture: where packets of customers are written, if anywhere.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.capture: PcapWriter | None = None
        self._endpoints: dict[str, Endpoint] = {}
        self._owners: dict[bytes, Endpoint] = {}
        self._paths: dict[bytes, Path | None] = {}
        self._heap: list[tuple[float, int, Port, bytes]] = []
        self._sequence = 0

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
            if path.plain:
                self._finish(path, 0, piece, now, 0.0)
                continue
            outgoing = path.source.outgoing
            lag = 0.0 if outgoing.plain else outgoing.lag(now, len(piece), path.dice)
            if lag is None:
                self.counters["lost"] += 1
            else:
                self._walk(path, 0, 0, piece, now, lag, 0)

    def deliver(self, now: float) -> float | None:
        """Give the hosts what has arrived; when the next packet arrives, or none if none is under way."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, port, raw = heapq.heappop(heap)
            if port.captured and self.capture is not None:
                self.capture.add(raw)
            try:
                port.write(raw)
            except OSError:
                self.counters["undeliverable"] += 1
        return heap[0][0] if heap else None

    def _walk(self, path: Path, index: int, passed: int, raw: bytes, now: float, lag: float, reactions: int) -> None:
        """Carry a packet from a stop on.

        Args:
            path: the way.
            index: of the first stop that lies before it.
            passed: routers that lie behind it.
            raw: as it left the last of those routers.
            now: when it entered the wire.
            lag: seconds by which it is later than the path's own delay makes it.
            reactions: how many injections led to it.
        """
        stops = path.stops
        while index < len(stops):
            stop = stops[index]
            here = self._through_routers(path, passed, stop.after, raw, now, lag)
            if here is None:
                return
            raw, passed = here, stop.after
            verdict = stop.censors.judge.packet(raw, outbound=stop.outbound, place=stop.place, now=now)
            for forged, toward, delay in verdict.inject:
                self._inject(path, index, forged, toward, now, lag + delay, reactions)
            forward = verdict.forward
            if len(forward) != 1:
                self.counters["dropped" if not forward else "multiplied"] += 1
                for changed, delay in forward:
                    self._go_on(path, index, changed, now, lag + delay, reactions, before=raw)
                return
            changed, delay = forward[0]
            lag += delay
            if changed is not raw and packet.destination(changed) != packet.destination(raw):
                self._go_on(path, index, changed, now, lag, reactions, before=raw)
                return
            raw = changed
            index += 1
        self._finish(path, passed, raw, now, lag)

    def _go_on(
        self, path: Path, index: int, raw: bytes, now: float, lag: float, reactions: int, *, before: bytes
    ) -> None:
        """Carry on behind a stop with what a censor made of a packet, by another path if it changed where that goes."""
        stop = path.stops[index]
        address = packet.destination(raw)
        if address != packet.destination(before):
            target = self._owners.get(address)
            if target is None:
                self.counters["unroutable"] += 1
                return
            path.source.detours.setdefault(target.name, set()).add(stop.place)
            self._paths.clear()
            path = find_path(path.source, target)
            index = path.stop_at(stop.place) or 0
        self._walk(path, index + 1, path.stops[index].after, raw, now, lag, reactions)

    def _inject(self, path: Path, index: int, raw: bytes, toward: str, now: float, lag: float, reactions: int) -> None:
        """Carry a packet that a censor made, from where that censor stands."""
        if reactions >= _MOST_REACTIONS or packet.whole(raw) is None:
            self.counters["not injected"] += 1
            return
        self.counters["injected"] += 1
        stop = path.stops[index]
        if (toward == "server") == stop.outbound:
            self._walk(path, index + 1, stop.after, raw, now, lag, reactions + 1)
            return
        back = find_path(path.target, path.source)
        at = next(
            (at for at, other in enumerate(back.stops) if other.place == stop.place and other.censors is stop.censors),
            None,
        )
        behind = back.stops[at] if at is not None else None
        reached = behind.reach if behind is not None else back.delay - stop.reach
        after = behind.after if behind is not None else back.routers - stop.after
        self._walk(back, 0 if at is None else at + 1, after, raw, now, lag + stop.reach - reached, reactions + 1)

    def _through_routers(self, path: Path, passed: int, until: int, raw: bytes, now: float, lag: float) -> bytes | None:
        """The packet after some routers, or none if its TTL ended at one of them."""
        hops = until - passed
        if hops <= 0:
            return raw
        left = raw[8] if raw[0] < 0x60 else raw[7]
        if left > hops:
            return packet.lowered(raw, hops)
        self.counters["expired"] += 1
        self._complain(path, passed + max(left, 1), "time-exceeded", raw, now, lag)
        return None

    def _complain(self, path: Path, router: int, kind: str, raw: bytes, now: float, lag: float, mtu: int = 0) -> None:
        """Send back what a router says about a packet."""
        version = raw[0] >> 4
        error = packet.icmp_error(kind, path.router_address(router, version), raw, mtu)
        if error is None:
            return
        back = find_path(path.target, path.source)
        passed = path.routers + 1 - router
        index = next((at for at, stop in enumerate(back.stops) if stop.after >= passed), len(back.stops))
        lag += path.reach(router) - back.reach(passed)
        self._walk(back, index, passed, error, now, lag, _MOST_REACTIONS)

    def _finish(self, path: Path, passed: int, raw: bytes, now: float, lag: float) -> None:
        """The last routers, the receiver's line, and into the heap."""
        arrived = self._through_routers(path, passed, path.routers, raw, now, lag)
        target = path.target
        port = target.port
        if arrived is None or port is None:
            return
        incoming = target.incoming
        if not incoming.plain:
            more = incoming.lag(now, len(arrived), path.dice)
            if more is None:
                self.counters["lost"] += 1
                return
            lag += more
        due = now + path.delay + lag
        if path.jitters:
            due = self._in_order(path, due, reordered=lag < 0)
        if len(self._heap) >= _MOST_UNDER_WAY:
            self.counters["crowded out"] += 1
            return
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, port, arrived))

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
            self._complain(path, 1, "too-big", raw, now, 0.0, path.mtu)
            return []
        return pieces

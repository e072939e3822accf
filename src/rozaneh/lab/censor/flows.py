"""Connections as a box keeps them: who opened them, what crossed, which rules still look at them.

A table is bounded and forgets the flow that was silent longest, so that a flood cannot grow memory.
"""

from typing import TYPE_CHECKING, Any

from rozaneh.lab.censor.packet import ACK, FIN, ICMP, ICMP6, RST, SYN, TCP, Packet

if TYPE_CHECKING:
    from collections import deque

    from rozaneh.lab.censor.inspection import Inspection
    from rozaneh.lab.censor.rule import CompiledRule, Verdict

Key = tuple[Any, ...]
_ECHO_REPLIES = {(ICMP, 0), (ICMP6, 129)}
_HALF_SEQUENCE = 1 << 31
_MOST_IN_WINDOW = 20_000


class Flow:
    """One flow of one box. Pairs are indexed by direction: 0 = to the home network, 1 = from it.

    Attributes:
        number: unique within the box.
        client: address of the end that opened it.
        server: address of the other end.
        client_port: port of the client, ``None`` without ports.
        server_port: port of the server.
        proto: IP protocol.
        opened_inside: whether the client is in the home network.
        born: time of the first packet.
        last: time of the latest packet.
        idle: seconds between the latest packet and the one before.
        isn: sequence number of the SYN that opened it.
        live: the rules that still look at it, per direction; ``None`` until asked for.
        watchers: rules that look at the other direction alone, and yet must have seen this one; ``None`` likewise.
        quiet: whether nothing can happen to it any more without a verdict from elsewhere, per direction.
        verdicts: verdicts of scope ``flow``, by rule.
        notes: what actions keep for this flow, by rule and action.
    """

    __slots__ = (
        "born", "bytes", "client", "client_port", "counted", "data", "established", "first_payload", "highest", "idle",
        "inspections", "isn", "keys", "last", "latest", "live", "notes", "number", "opened_inside", "packets",
        "payload_bytes", "proto", "quiet", "server", "server_port", "syn_seen", "verdicts", "version", "watchers",
        "window",
    )  # fmt: skip

    def __init__(self, number: int, packet: Packet) -> None:
        self.number = number
        self.version = packet.version
        self.proto = packet.proto
        opened = _opens(packet)
        self.opened_inside = opened == packet.outbound
        ends = (packet.src, packet.sport), (packet.dst, packet.dport)
        (self.client, self.client_port), (self.server, self.server_port) = ends if opened else ends[::-1]
        self.born = self.last = packet.now
        self.idle = 0.0
        self.isn = packet.seq if packet.flags & (SYN | ACK) == SYN else None
        self.packets = [0, 0]
        self.bytes = [0, 0]
        self.data = [0, 0]
        self.payload_bytes = [0, 0]
        self.highest: list[int | None] = [None, None]
        self.syn_seen = self.established = False
        self.first_payload = b""
        self.live: list[tuple[CompiledRule, ...] | None] = [None, None]
        self.watchers: list[tuple[CompiledRule, ...] | None] = [None, None]
        self.quiet = [False, False]
        self.counted: deque[tuple[float, int, bool]] | None = None
        self.window = 0.0
        self.verdicts: dict[int, Verdict] = {}
        self.inspections: dict[int, Inspection] = {}
        self.notes: dict[Any, Any] = {}
        self.latest: list[Packet | None] = [None, None]
        self.keys: tuple[Any, Any] = (None, None)

    def note(self, packet: Packet) -> None:
        """Count a packet."""
        way = packet.outbound
        size = packet.end
        self.idle = packet.now - self.last
        self.last = packet.now
        self.packets[way] += 1
        self.bytes[way] += size
        length = packet.payload_size if packet.sport is not None else 0
        if packet.proto == TCP:
            length = self._note_tcp(packet, length)
        if length:
            self.data[way] += 1
            self.payload_bytes[way] += length
            if not self.first_payload and way == self.opened_inside:
                self.first_payload = packet.payload
        self.latest[way] = packet
        if self.counted is not None:
            counted, oldest = self.counted, packet.now - self.window
            counted.append((packet.now, size, way))
            while counted[0][0] <= oldest or len(counted) > _MOST_IN_WINDOW:
                counted.popleft()

    def _note_tcp(self, packet: Packet, length: int) -> int:
        """The bytes that are new: a retransmission is the same data packet once more."""
        if packet.flags & SYN:
            if not packet.flags & ACK:
                self.syn_seen = True
            elif self.syn_seen:
                self.established = True
        if not length:
            return 0
        way = packet.outbound
        end = (packet.seq + length) & 0xFFFFFFFF
        highest = self.highest[way]
        if highest is not None and 0 <= (highest - end) & 0xFFFFFFFF < _HALF_SEQUENCE:
            packet.retold = True
            return 0
        self.highest[way] = end
        return length

    def key(self, holder: str) -> Key:
        """What marks, verdicts and counts of a holder are kept under."""
        if holder == "source":
            return (self.client,)
        if holder == "destination":
            return (self.server,)
        if holder == "pair":
            return (self.client, self.server)
        if holder == "3-tuple":
            return (self.client, self.server, self.proto, self.server_port)
        if holder == "flow":
            return (self.number,)
        return ()


def _opens(packet: Packet) -> bool:
    """Whether the sender of a flow's first packet is its client, guessing where the start was not seen."""
    if packet.proto == TCP:
        if packet.flags & SYN:
            return not packet.flags & ACK
        if packet.sport is not None and packet.dport is not None and packet.sport != packet.dport:
            return packet.sport > packet.dport
        return packet.outbound
    if packet.proto in (ICMP, ICMP6) and packet.end > packet.l4 and not packet.fragment_at:
        return (packet.proto, packet.raw[packet.l4]) not in _ECHO_REPLIES
    return True


class FlowTable:
    """Flows by the ends of their packets, bounded.

    Args:
        size: how many flows it holds.
        expiry: seconds of silence after which a flow is forgotten.
        overflow: ``oldest`` forgets the longest silent; ``open`` and ``closed`` take no new flows.
    """

    def __init__(self, size: int, expiry: float, overflow: str) -> None:
        self.by_key: dict[Any, Flow] = {}
        self._size = size
        self._expiry = expiry
        self._overflow = overflow
        self._count = 0

    def __len__(self) -> int:
        return len(self.by_key) // 2

    def find(self, packet: Packet) -> Flow | None:
        """The flow of a packet; a new one if it is unknown; ``None`` if the table takes no more."""
        keys = keys_of(packet)
        flow = self.by_key.get(keys[0])
        if flow is not None and packet.now - flow.last <= self._expiry:
            return flow
        if flow is not None:
            self.forget(flow)
        if len(self.by_key) >= 2 * self._size:
            self._make_room(packet.now)
            if len(self.by_key) >= 2 * self._size:
                return None
        self._count += 1
        flow = Flow(self._count, packet)
        flow.keys = keys
        self.by_key[keys[0]] = self.by_key[keys[1]] = flow
        return flow

    def renew(self, old: Flow, packet: Packet) -> Flow:
        """A new connection on the ends of an old one."""
        self._count += 1
        flow = Flow(self._count, packet)
        flow.keys = old.keys
        self.by_key[old.keys[0]] = self.by_key[old.keys[1]] = flow
        return flow

    def forget(self, flow: Flow) -> None:
        """Drop a flow from the table."""
        for key in flow.keys:
            self.by_key.pop(key, None)

    def _make_room(self, now: float) -> None:
        flows = sorted({id(flow): flow for flow in self.by_key.values()}.values(), key=lambda flow: flow.last)
        spare = max(1, self._size // 8) if self._overflow == "oldest" else 0
        for index, flow in enumerate(flows):
            if index < spare or now - flow.last > self._expiry:
                self.forget(flow)
            else:
                break


def keys_of(packet: Packet) -> tuple[Any, Any]:
    """The table's keys for a packet and for its answers; plain IPv4 and IPv6 share the form of :func:`quick_key`."""
    raw = packet.raw
    if packet.sport is None:
        if packet.is_fragment and packet.proto not in (ICMP, ICMP6):
            return (packet.proto, packet.src, packet.dst), (packet.proto, packet.dst, packet.src)
        return (packet.proto, packet.src, packet.dst, 0), (packet.proto, packet.dst, packet.src, 0)
    ports = raw[packet.l4 : packet.l4 + 4]
    proto = bytes((packet.proto,))
    return proto + packet.src + packet.dst + ports, proto + packet.dst + packet.src + ports[2:] + ports[:2]


def ends_connection(packet: Packet, believed: tuple[str, ...]) -> bool:
    """Whether an inspector that believes these segments forgets the connection now."""
    return ("rst" in believed and bool(packet.flags & RST)) or ("fin" in believed and bool(packet.flags & FIN))

"""One packet as a censor reads it: IP of both families, TCP, UDP, ICMP. Nothing here raises on any bytes."""

import struct
from array import array
from collections.abc import Mapping
from typing import Any

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
FLAGS: Mapping[str, int] = {
    "fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG, "ece": ECE, "cwr": CWR,
}  # fmt: skip

_PORTS = struct.Struct("!HH")
_TCP = struct.Struct("!HHIIBB")
_EXTENSION_HEADERS = frozenset((0, 43, 60))
_FRAGMENT_HEADER = 44
_MOST_EXTENSIONS = 8


class Packet:
    """A packet and where its parts are.

    Attributes:
        raw: the whole IP packet.
        outbound: whether it was sent from the home network.
        now: when it arrived, in the engine's seconds.
        version: 4 or 6.
        proto: protocol above IP, extension headers skipped.
        src: source address, 4 or 16 bytes.
        dst: destination address.
        ttl: TTL or hop limit.
        ip_id: IPv4 identification, or that of a fragment header.
        sport: source port; ``None`` where there are no ports (other protocols, later fragments).
        dport: destination port.
        flags: TCP flags, 0 for other protocols.
        seq: TCP sequence number.
        ack: TCP acknowledgement number.
        l4: where the header above IP begins.
        start: where the payload begins.
        end: where it ends, as the IP header says.
        fragment_at: offset of a fragment in bytes.
        more: whether further fragments follow.
    """

    __slots__ = (
        "_payload", "ack", "cache", "dport", "dst", "end", "flags", "fragment_at", "ip_id", "l4", "more", "now",
        "outbound", "proto", "raw", "retold", "seq", "sport", "src", "start", "ttl", "version",
    )  # fmt: skip

    version: int
    proto: int
    src: bytes
    dst: bytes
    ttl: int
    ip_id: int
    l4: int
    start: int
    end: int

    def __init__(self, raw: bytes, *, outbound: bool, now: float) -> None:
        self.raw = raw
        self.outbound = outbound
        self.now = now
        self.sport: int | None = None
        self.dport: int | None = None
        self.flags = self.seq = self.ack = 0
        self.fragment_at = 0
        self.more = False
        self.retold = False
        self._payload: bytes | None = None
        self.cache: dict[Any, Any] | None = None

    @property
    def payload(self) -> bytes:
        """The bytes above TCP or UDP, or above IP for other protocols."""
        if self._payload is None:
            self._payload = self.raw[self.start : self.end]
        return self._payload

    @property
    def payload_size(self) -> int:
        """Length of :attr:`payload`."""
        return max(0, self.end - self.start)

    @property
    def is_fragment(self) -> bool:
        """Whether it is part of a fragmented datagram."""
        return self.more or self.fragment_at > 0

    def remembered(self, key: object) -> dict[Any, Any] | None:
        """What was read from this packet before, or ``None``; use :meth:`remember` to keep something."""
        return None if self.cache is None else self.cache.get(key)

    def remember(self, key: object, value: Any) -> Any:
        """Keep what was read, so that a second rule need not read it again."""
        if self.cache is None:
            self.cache = {}
        self.cache[key] = value
        return value

    def checksum_valid(self) -> bool:
        """Whether the TCP, UDP or ICMP checksum is right; unfragmented packets only, others count as right."""
        body = self.raw[self.l4 : self.end]
        if self.is_fragment or self.proto not in (TCP, UDP, ICMP, ICMP6):
            return True
        if self.proto == UDP and self.version == 4 and body[6:8] == b"\0\0":
            return True
        pseudo = b"" if self.proto == ICMP else pseudo_header(self.src, self.dst, self.proto, len(body))
        return checksum(pseudo + body) == 0


def read_packet(raw: bytes, *, outbound: bool, now: float) -> Packet | None:
    """Read one IP packet; ``None`` if it is not one."""
    packet = Packet(raw, outbound=outbound, now=now)
    if len(raw) < 20:
        return None
    version = raw[0] >> 4
    if version == 4:
        if not _read_ipv4(packet, raw):
            return None
    elif version == 6 and len(raw) >= 40:
        if not _read_ipv6(packet, raw):
            return None
    else:
        return None
    _read_transport(packet, raw)
    return packet


def _read_ipv4(packet: Packet, raw: bytes) -> bool:
    header = (raw[0] & 15) * 4
    total = (raw[2] << 8) | raw[3]
    if header < 20 or total < header or len(raw) < total:
        return False
    packet.version = 4
    packet.proto = raw[9]
    packet.src = raw[12:16]
    packet.dst = raw[16:20]
    packet.ttl = raw[8]
    packet.ip_id = (raw[4] << 8) | raw[5]
    fragment = (raw[6] << 8) | raw[7]
    packet.more = bool(fragment & 0x2000)
    packet.fragment_at = (fragment & 0x1FFF) * 8
    packet.l4 = packet.start = header
    packet.end = total
    return True


def _read_ipv6(packet: Packet, raw: bytes) -> bool:
    end = 40 + ((raw[4] << 8) | raw[5])
    if len(raw) < end:
        return False
    packet.version = 6
    packet.src = raw[8:24]
    packet.dst = raw[24:40]
    packet.ttl = raw[7]
    packet.ip_id = 0
    packet.end = end
    header, at = raw[6], 40
    for _ in range(_MOST_EXTENSIONS):
        if header in _EXTENSION_HEADERS and at + 8 <= end:
            header, at = raw[at], at + 8 + raw[at + 1] * 8
        elif header == _FRAGMENT_HEADER and at + 8 <= end:
            offset = (raw[at + 2] << 8) | raw[at + 3]
            packet.fragment_at = offset & 0xFFF8
            packet.more = bool(offset & 1)
            packet.ip_id = int.from_bytes(raw[at + 4 : at + 8], "big")
            header, at = raw[at], at + 8
            if packet.fragment_at:
                break
        else:
            break
    packet.proto = header
    packet.l4 = packet.start = min(at, end)
    return True


def _read_transport(packet: Packet, raw: bytes) -> None:
    at, end = packet.l4, packet.end
    if packet.fragment_at:
        return
    if packet.proto == TCP and end - at >= 20:
        sport, dport, packet.seq, packet.ack, offset, packet.flags = _TCP.unpack_from(raw, at)
        packet.sport, packet.dport = sport, dport
        packet.start = min(at + max(offset >> 4, 5) * 4, end)
    elif packet.proto == UDP and end - at >= 8:
        packet.sport, packet.dport = _PORTS.unpack_from(raw, at)
        packet.start = at + 8
        stated = (raw[at + 4] << 8) | raw[at + 5]
        if 8 <= stated <= end - at and not packet.more:
            packet.end = at + stated
    elif packet.proto in (ICMP, ICMP6) and end - at >= 4:
        packet.start = at


def checksum(data: bytes) -> int:
    """The internet checksum of RFC 1071, in network order; 0 when ``data`` contains a right one."""
    if len(data) & 1:
        data += b"\0"
    words = array("H", data)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total = ~(total + (total >> 16)) & 0xFFFF
    return ((total & 0xFF) << 8) | (total >> 8) if _LITTLE else total


_LITTLE = array("H", b"\1\0")[0] == 1


def pseudo_header(src: bytes, dst: bytes, proto: int, length: int) -> bytes:
    """What TCP, UDP and ICMPv6 checksums cover besides their own bytes (RFC 9293, RFC 8200 section 8.1)."""
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, proto)

"""Building packets: what injectors send, and addresses changed on the way."""

import struct

from rozaneh.lab.censor.packet import ICMP, ICMP6, TCP, UDP, Packet, checksum, pseudo_header

_QUOTED_V4 = 28
_QUOTED_V6 = 1232
_UNREACHABLE = {
    "net-unreachable": ((3, 0), (1, 0)),
    "host-unreachable": ((3, 1), (1, 3)),
    "protocol-unreachable": ((3, 2), (4, 1)),
    "port-unreachable": ((3, 3), (1, 4)),
    "admin-prohibited": ((3, 13), (1, 1)),
    "time-exceeded": ((11, 0), (3, 0)),
}
"""ICMP and ICMPv6 type and code by kind (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443)."""


def ip_packet(proto: int, src: bytes, dst: bytes, body: bytes, *, ttl: int = 64, ip_id: int = 0) -> bytes:
    """An IP packet of the family of its addresses."""
    if len(src) == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ip_id & 0xFFFF, 0, ttl, proto, 0, src, dst)
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body
    return struct.pack("!IHBB16s16s", 0x60000000, len(body), proto, ttl, src, dst) + body


def tcp_packet(
    ends: tuple[bytes, int, bytes, int],
    numbers: tuple[int, int],
    flags: int,
    payload: bytes = b"",
    *,
    ttl: int = 64,
    ip_id: int = 0,
) -> bytes:
    """A TCP segment.

    Args:
        ends: source address and port, destination address and port.
        numbers: sequence and acknowledgement number; they wrap by themselves.
        flags: TCP flags.
        payload: its data.
        ttl: TTL or hop limit.
        ip_id: IPv4 identification.
    """
    src, sport, dst, dport = ends
    seq, ack = (number & 0xFFFFFFFF for number in numbers)
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535 if flags & 0x12 else 0, 0, 0) + payload
    total = checksum(pseudo_header(src, dst, TCP, len(body)) + body)
    return ip_packet(TCP, src, dst, body[:16] + struct.pack("!H", total) + body[18:], ttl=ttl, ip_id=ip_id)


def udp_packet(ends: tuple[bytes, int, bytes, int], payload: bytes, *, ttl: int = 64, ip_id: int = 0) -> bytes:
    """A UDP datagram; ``ends`` as for :func:`tcp_packet`."""
    src, sport, dst, dport = ends
    payload = payload[: 65535 - 48]
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    total = checksum(pseudo_header(src, dst, UDP, len(body)) + body) or 0xFFFF
    return ip_packet(UDP, src, dst, body[:6] + struct.pack("!H", total) + body[8:], ttl=ttl, ip_id=ip_id)


def icmp_error(
    packet: Packet, kind: str, source: bytes, *, numbers: tuple[int, int] | None = None, ttl: int = 64
) -> bytes:
    """An ICMP error to the sender of a packet, quoting it.

    Args:
        packet: the packet that is refused.
        kind: which error, as the scenario language names it.
        source: the address it comes from, of the packet's family.
        numbers: type and code in place of ``kind``.
        ttl: TTL or hop limit.
    """
    by_family = _UNREACHABLE.get(kind, _UNREACHABLE["admin-prohibited"])
    if packet.version == 4:
        number, code = numbers or by_family[0]
        body = struct.pack("!BBHI", number, code, 0, 0) + packet.raw[: packet.l4 + _QUOTED_V4 - 20]
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        return ip_packet(ICMP, source, packet.src, body, ttl=ttl)
    number, code = numbers or by_family[1]
    body = struct.pack("!BBHI", number, code, 0, 0) + packet.raw[:_QUOTED_V6]
    total = checksum(pseudo_header(source, packet.src, ICMP6, len(body)) + body)
    return ip_packet(ICMP6, source, packet.src, body[:2] + struct.pack("!H", total) + body[4:], ttl=ttl)


def readdressed(packet: Packet, *, src: tuple[bytes, int] | None = None, dst: tuple[bytes, int] | None = None) -> bytes:
    """The packet with its source or destination (address, port) replaced, and its checksums made anew."""
    raw = bytearray(packet.raw[: packet.end])
    at = (12, 16) if packet.version == 4 else (8, 24)
    for end, where, port_at in ((src, at[0], packet.l4), (dst, at[1], packet.l4 + 2)):
        if end is not None:
            raw[where : where + len(end[0])] = end[0]
            if packet.sport is not None:
                raw[port_at : port_at + 2] = struct.pack("!H", end[1])
    if packet.version == 4:
        raw[10:12] = b"\0\0"
        raw[10:12] = struct.pack("!H", checksum(bytes(raw[: packet.l4])))
    sum_at = {TCP: 16, UDP: 6}.get(packet.proto)
    if sum_at is not None and packet.sport is not None and not packet.is_fragment:
        place = packet.l4 + sum_at
        raw[place : place + 2] = b"\0\0"
        width = 4 if packet.version == 4 else 16
        new_src, new_dst = bytes(raw[at[0] : at[0] + width]), bytes(raw[at[1] : at[1] + width])
        body = bytes(raw[packet.l4 :])
        total = checksum(pseudo_header(new_src, new_dst, packet.proto, len(body)) + body)
        raw[place : place + 2] = struct.pack("!H", total or 0xFFFF)
    return bytes(raw)

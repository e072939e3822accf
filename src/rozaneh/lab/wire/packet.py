"""IP packets as bytes: the few fields that a router reads, and the errors that it sends."""

import struct
from array import array

IPV4_ERRORS = {"time-exceeded": (11, 0), "net-unreachable": (3, 0), "too-big": (3, 4)}
IPV6_ERRORS = {"time-exceeded": (3, 0), "net-unreachable": (1, 0), "too-big": (2, 0)}
"""ICMP type and code by kind. Sources: RFC 792, RFC 1191, RFC 4443."""

_ICMP, _ICMPV6 = 1, 58
_ICMP_IS_ERROR = frozenset({3, 4, 5, 11, 12})
_TTL_PROTOCOL_CHECKSUM = struct.Struct("!BBH")
_ROUTER_TTL = 64
_QUOTED_IPV4 = 548  # an error of at most 576 bytes, RFC 1812 section 4.3.2.3
_QUOTED_IPV6 = 1232  # an error of at most the minimum MTU, RFC 4443 section 2.4


def whole(raw: bytes) -> bytes | None:
    """One whole IP packet, without what an interface may have padded, or none if these bytes are not one."""
    length = len(raw)
    if length >= 20 and raw[0] >> 4 == 4:
        total = raw[2] << 8 | raw[3]
        if raw[0] & 15 < 5 or total < (raw[0] & 15) * 4 or total > length:
            return None
    elif length >= 40 and raw[0] >> 4 == 6:
        total = (raw[4] << 8 | raw[5]) + 40
        if total > length:
            return None
    else:
        return None
    return raw if total == length else raw[:total]


def source(raw: bytes) -> bytes:
    """The packed source address."""
    return raw[12:16] if raw[0] >> 4 == 4 else raw[8:24]


def destination(raw: bytes) -> bytes:
    """The packed destination address."""
    return raw[16:20] if raw[0] >> 4 == 4 else raw[24:40]


def quoted_destination(raw: bytes) -> bytes:
    """Where the packet was going about which an ICMP error complains; empty if this is none."""
    if raw[0] >> 4 == 6:
        return raw[72:88] if raw[6] == _ICMPV6 else b""
    start = (raw[0] & 15) * 4
    return raw[start + 24 : start + 28] if raw[9] == _ICMP else b""


def ttl(raw: bytes) -> int:
    """Time to live, or hop limit."""
    return raw[8] if raw[0] >> 4 == 4 else raw[7]


def lowered(raw: bytes, hops: int) -> bytes:
    """The packet after some routers: TTL less, header checksum brought up to date (RFC 1624)."""
    if raw[0] >> 4 == 6:
        return b"".join((raw[:7], bytes((raw[7] - hops,)), raw[8:]))
    checksum = (raw[10] << 8 | raw[11]) + (hops << 8)
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    return b"".join((raw[:8], _TTL_PROTOCOL_CHECKSUM.pack(raw[8] - hops, raw[9], checksum), raw[12:]))


def icmp_error(kind: str, router: bytes, raw: bytes, mtu: int = 0) -> bytes | None:
    """What a router sends back about a packet, or none where it must keep silent (RFC 1122 section 3.2.2).

    Args:
        kind: a key of :data:`IPV4_ERRORS`.
        router: the router's packed address, of the packet's family.
        raw: the packet.
        mtu: for ``too-big``.
    """
    if raw[0] >> 4 == 6:
        return _icmp_error_ipv6(kind, router, raw, mtu)
    start = (raw[0] & 15) * 4
    if (raw[6] << 8 | raw[7]) & 0x1FFF or (raw[9] == _ICMP and len(raw) > start and raw[start] in _ICMP_IS_ERROR):
        return None
    number, code = IPV4_ERRORS[kind]
    body = struct.pack("!BBHHH", number, code, 0, 0, mtu) + raw[:_QUOTED_IPV4]
    body = body[:2] + checksum(body) + body[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(body), 0, 0, _ROUTER_TTL, _ICMP, 0, router, raw[12:16])
    return head[:10] + checksum(head) + head[12:] + body


def _icmp_error_ipv6(kind: str, router: bytes, raw: bytes, mtu: int) -> bytes | None:
    if raw[24] == 0xFF or (raw[6] == _ICMPV6 and len(raw) > 40 and raw[40] < 128):
        return None
    number, code = IPV6_ERRORS[kind]
    body = struct.pack("!BBHI", number, code, 0, mtu) + raw[:_QUOTED_IPV6]
    target = raw[8:24]
    pseudo = router + target + struct.pack("!II", len(body), _ICMPV6)
    body = body[:2] + checksum(pseudo + body) + body[4:]
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), _ICMPV6, _ROUTER_TTL, router, target) + body


def checksum(data: bytes) -> bytes:
    """The internet checksum (RFC 1071), in network order."""
    words = array("H", data if len(data) % 2 == 0 else data + b"\0")
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("=H", ~total & 0xFFFF)


def fragments(raw: bytes, mtu: int) -> list[bytes] | None:
    """An IPv4 packet in pieces that fit, or none if it must not be cut (RFC 791)."""
    if raw[0] >> 4 == 6 or raw[6] & 0x40:
        return None
    start = (raw[0] & 15) * 4
    room = (mtu - start) & ~7
    if room <= 0:
        return None
    offset = (raw[6] << 8 | raw[7]) & 0x1FFF
    more = raw[6] & 0x20
    pieces = []
    for begin in range(start, len(raw), room):
        payload = raw[begin : begin + room]
        last = begin + room >= len(raw)
        flags = ((more if last else 0x20) << 8) | (offset + (begin - start) // 8)
        head = raw[:2] + struct.pack("!H", start + len(payload)) + raw[4:6] + struct.pack("!H", flags)
        head += raw[8:10] + b"\0\0" + raw[12:start]
        pieces.append(head[:10] + checksum(head) + head[12:] + payload)
    return pieces

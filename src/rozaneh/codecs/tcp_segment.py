"""One TCP segment as bytes (RFC 9293, section 3.1), for who has to send one that no kernel would."""

import ipaddress
import struct

_HEADER = 20
_PUSH_AND_ACK = 0x18
_TCP = 6


def segment(
    ends: tuple[tuple[str, int], tuple[str, int]], seq: int, ack: int, payload: bytes, *, broken: bool = False
) -> bytes:
    """A segment with data.

    Args:
        ends: address and port of who sends it, and of whom it is for; both of one family.
        seq: number of its first byte.
        ack: number of the byte that is expected next.
        payload: the data.
        broken: whether its checksum is to be wrong, so that whoever it is for throws it away.
    """
    (source, sport), (destination, dport) = ends
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, _HEADER // 4 << 4, _PUSH_AND_ACK, 0xFFFF, 0, 0)
    both = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    right = checksum(both + struct.pack("!II", _TCP, len(header) + len(payload)) + header + payload)
    return header[:16] + struct.pack("!H", right ^ 0x5A5A if broken else right) + header[18:] + payload


def checksum(data: bytes) -> int:
    """The checksum of the internet (RFC 1071). Pseudo-headers of both families add up to the same (RFC 8200, 8.1)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

"""IP fragments, joined for inspectors that want whole datagrams. Bounded; pieces must agree (RFC 815)."""

import struct
from collections import OrderedDict

from rozaneh.lab.censor.packet import Packet, checksum, read_packet

_MOST_DATAGRAMS = 256
_MOST_PIECES = 128
_LONGEST = 65535 - 40
_EXPIRY = 30.0


class Fragments:
    """Datagrams that are not complete yet."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[bytes, bytes, int, int], tuple[float, list[Packet]]] = OrderedDict()

    def add(self, packet: Packet) -> Packet | None:
        """Take a fragment; the joined datagram if it was the last one missing."""
        key = (packet.src, packet.dst, packet.proto, packet.ip_id)
        began, pieces = self._waiting.get(key, (packet.now, []))
        if packet.now - began > _EXPIRY:
            began, pieces = packet.now, []
        pieces.append(packet)
        self._waiting[key] = (began, pieces)
        self._waiting.move_to_end(key)
        if len(self._waiting) > _MOST_DATAGRAMS or len(pieces) > _MOST_PIECES:
            self._waiting.popitem(last=len(pieces) > _MOST_PIECES)
            return None
        body = _joined(pieces)
        if body is None:
            return None
        del self._waiting[key]
        return _whole(pieces, body, packet)


def _joined(pieces: list[Packet]) -> bytes | None:
    body, ended = bytearray(), False
    for piece in sorted(pieces, key=lambda piece: piece.fragment_at):
        content = piece.raw[piece.l4 : piece.end]
        if piece.fragment_at > len(body):
            return None
        body[piece.fragment_at : piece.fragment_at + len(content)] = content
        ended = ended or not piece.more
    return bytes(body) if ended and len(body) <= _LONGEST else None


def _whole(pieces: list[Packet], body: bytes, last: Packet) -> Packet | None:
    first = min(pieces, key=lambda piece: piece.fragment_at)
    if first.version == 4:
        head = bytearray(first.raw[: first.l4])
        head[2:4] = struct.pack("!H", len(head) + len(body))
        head[6:8] = b"\0\0"
        head[10:12] = b"\0\0"
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
    else:
        head = bytearray(first.raw[:40])
        head[4:6] = struct.pack("!H", len(body))
        head[6] = first.proto
    return read_packet(bytes(head) + body, outbound=last.outbound, now=last.now)

"""The packets that a connection would have been, for censors that read packets; and what they do to it."""

import errno
from ipaddress import ip_address

import msgspec

from rozaneh.lab.censor.forge import tcp_packet, udp_packet
from rozaneh.lab.censor.packet import ACK, FIN, ICMP, ICMP6, PSH, RST, SYN, TCP, UDP, Packet, read_packet

__all__ = ["ACK", "FIN", "PSH", "RST", "SYN", "Conversation", "Happening", "Place", "happening_of"]

Place = tuple[str, int]
"""An address of the lab and a port."""

_ERRNO_OF_ICMP = {0: errno.ENETUNREACH, 1: errno.EHOSTUNREACH, 2: errno.ENOPROTOOPT, 3: errno.ECONNREFUSED}
_ERRNO_OF_ICMP6 = {0: errno.ENETUNREACH, 1: errno.EACCES, 3: errno.EHOSTUNREACH, 4: errno.ECONNREFUSED}


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """What an injected packet does to a connection.

    Attributes:
        reset: it ends at once.
        payload: bytes appear that the other end never sent.
        fin: the other end seems to have finished.
        number: the error that an ICMP message stands for, or 0.
    """

    reset: bool = False
    payload: bytes = b""
    fin: bool = False
    number: int = 0


class Conversation:
    """The two ends of a connection and how far each has spoken.

    Args:
        client: address and port of who began it.
        server: address and port of the other end.
        first: from which the numbers of its first bytes follow.
    """

    def __init__(self, client: Place, server: Place, first: int) -> None:
        self._client = (ip_address(client[0]).packed, client[1])
        self._server = (ip_address(server[0]).packed, server[1])
        self._answering = self._server
        self._sent = {True: first & 0xFFFFFFFF, False: (first * 2654435761 + 1) & 0xFFFFFFFF}

    def segment(self, flags: int, payload: bytes = b"", *, outbound: bool) -> bytes:
        """A TCP segment that comes next in one direction; :meth:`spoken` moves on."""
        ends = self._ends(outbound=outbound)
        acknowledged = self._sent[not outbound] if flags & ACK else 0
        return tcp_packet(ends, (self._sent[outbound], acknowledged), flags, payload)

    def datagram(self, payload: bytes, *, outbound: bool) -> bytes:
        """A UDP datagram in one direction."""
        return udp_packet(self._ends(outbound=outbound), payload)

    def led_to(self, raw: bytes) -> Place:
        """Where a packet of the client arrives that has met all censors: at the server, or where one of them led it."""
        packet = read_packet(raw, outbound=True, now=0.0)
        if packet is None or packet.dport is None:
            return str(ip_address(self._server[0])), self._server[1]
        return str(ip_address(packet.dst)), packet.dport

    def answered_by(self, place: Place) -> None:
        """What comes back comes from there, until the censors put the server's name on it."""
        self._answering = (ip_address(place[0]).packed, place[1])

    def _ends(self, *, outbound: bool) -> tuple[bytes, int, bytes, int]:
        return (*self._client, *self._server) if outbound else (*self._answering, *self._client)

    def spoken(self, count: int, *, outbound: bool) -> None:
        """One side has spoken so many bytes (SYN and FIN count as one)."""
        self._sent[outbound] = (self._sent[outbound] + count) & 0xFFFFFFFF

    def concerns(self, packet: Packet, *, toward_client: bool) -> bool:
        """Whether a packet belongs to this conversation and goes to that side."""
        ends = (packet.src, packet.sport, packet.dst, packet.dport)
        wanted = (*self._server, *self._client) if toward_client else (*self._client, *self._server)
        return ends == wanted


def happening_of(raw: bytes, conversation: Conversation, now: float, *, toward_client: bool) -> Happening | None:
    """What an injected packet means to the side that it goes to; none if that side would not believe it."""
    packet = read_packet(raw, outbound=not toward_client, now=now)
    if packet is None:
        return None
    if packet.proto in (ICMP, ICMP6):
        number = _errno_of(packet)
        return Happening(number=number) if number else None
    if packet.proto not in (TCP, UDP) or not conversation.concerns(packet, toward_client=toward_client):
        return None
    if packet.flags & RST:
        return Happening(reset=True)
    return Happening(payload=packet.payload, fin=bool(packet.flags & FIN))


def _errno_of(packet: Packet) -> int:
    kind, code = packet.raw[packet.l4], packet.raw[packet.l4 + 1]
    if packet.proto == ICMP:
        return _ERRNO_OF_ICMP.get(code, errno.EHOSTUNREACH) if kind == 3 else 0
    return _ERRNO_OF_ICMP6.get(code, errno.EHOSTUNREACH) if kind == 1 else 0

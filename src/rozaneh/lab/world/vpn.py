"""The first answers of VPN servers: what a client, or a censor, sees of them without keys.

WireGuard: Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", sections 5.4.2 and 5.4.3. OpenVPN: the packet
form in ``openvpn-rfc`` (draft-openvpn-protocol), section "OpenVPN packet format".
"""

import asyncio
import secrets
import struct
from collections.abc import Callable
from typing import cast

from rozaneh.core import RemoteFault
from rozaneh.lab.world.doors import IDLE_SECONDS, Caller

_INITIATION = struct.Struct("<BxxxI")
_INITIATION_LENGTH = 148
_RESPONSE_LENGTH = 92
_HARD_RESET_CLIENT = {7, 10}  # P_CONTROL_HARD_RESET_CLIENT_V2 and _V3
_HARD_RESET_SERVER = 8  # P_CONTROL_HARD_RESET_SERVER_V2
_SHORTEST_RESET = 14
_LONGEST_PACKET = 4096

Answer = Callable[[bytes], bytes]


def answer_wireguard(message: bytes) -> bytes:
    """The response to a handshake initiation: right in form, its encrypted parts random.

    Raises:
        RemoteFault: this is no initiation.
    """
    if len(message) != _INITIATION_LENGTH or message[:4] != b"\x01\0\0\0":
        raise RemoteFault("not a WireGuard handshake initiation")
    _, sender = _INITIATION.unpack_from(message)
    head = struct.pack("<BxxxII", 2, secrets.randbits(32), sender)
    return head + secrets.token_bytes(_RESPONSE_LENGTH - len(head))


def answer_openvpn(message: bytes) -> bytes:
    """The server's hard reset, acknowledging a client's.

    Raises:
        RemoteFault: this is no hard reset of a client.
    """
    if len(message) < _SHORTEST_RESET or message[0] >> 3 not in _HARD_RESET_CLIENT:
        raise RemoteFault("not an OpenVPN hard reset")
    client_session = message[1:9]
    acknowledged = b"\x01" + message[-4:] + client_session
    return bytes([_HARD_RESET_SERVER << 3]) + secrets.token_bytes(8) + acknowledged + b"\0\0\0\0"


class AnswersDatagrams(asyncio.DatagramProtocol):
    """Answers each datagram that it understands."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # Python 3.11's own datagram transport is not registered as one, so asking by isinstance would say no.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer at once, or stay silent."""
        try:
            reply = self._answer(data)
        except RemoteFault:
            return
        self._transport.sendto(reply, addr)


async def openvpn_over_tcp(caller: Caller) -> None:
    """OpenVPN's packets, each after its length in two bytes."""
    stream = await caller.stream()
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            length = int.from_bytes(await stream.exactly(2), "big")
            if length > _LONGEST_PACKET:
                raise RemoteFault("an OpenVPN packet of this length does not exist")
            reply = answer_openvpn(await stream.exactly(length))
        await stream.send(struct.pack("!H", len(reply)) + reply)

"""A customer's network in tier T0, under any async library."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import anyio
from anyio.abc import ByteStream, Listener

from rozaneh.lab.loopback.hop import REPLY
from rozaneh.net.api import Datagrams
from rozaneh.net.resolve import DNS_PORT, ask_udp
from rozaneh.net.sockets import DatagramSocket, SocketListener, SocketStream, SystemSockets, connected
from rozaneh.net.trace import Step, Trace


class _Associated:
    """Datagrams by way of the hop: they end with the stream that asked for them."""

    def __init__(self, datagrams: DatagramSocket, control: SocketStream) -> None:
        self._datagrams = datagrams
        self._control = control

    async def send(self, data: bytes) -> None:
        """Send one datagram."""
        await self._datagrams.send(data)

    async def receive(self) -> bytes:
        """Wait for one datagram."""
        return await self._datagrams.receive()

    async def aclose(self) -> None:
        """Close."""
        await self._datagrams.aclose()
        await self._control.aclose()


@dataclass(frozen=True)
class LoopbackNetwork:
    """Dial, listen and resolve as a customer of the lab.

    Attributes:
        customer: its name at the hop.
        hop: where the hop listens.
        resolvers: what its programs would have in ``resolv.conf``.
    """

    customer: str
    hop: tuple[str, int]
    resolvers: Sequence[str] = ()

    async def connect_tcp(self, address: str, port: int) -> ByteStream:
        """Open a TCP connection to an address of the lab, or to this machine's loopback. Raises ``OSError``."""
        sockets = SystemSockets()
        if ip_address(address).is_loopback:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            return SocketStream(await connected(sockets.stream(family), address, port))
        stream, _ = await self._wish("tcp", address, port)
        return stream

    async def connect_udp(self, address: str, port: int) -> Datagrams:
        """Open a UDP socket that talks to one address and port of the lab. Raises ``OSError``."""
        control, place = await self._wish("udp", address, port)
        raw = await connected(SystemSockets().datagram(socket.AF_INET), self.hop[0], place)
        return _Associated(DatagramSocket(raw), control)

    async def listen_tcp(self, address: str, port: int) -> Listener[ByteStream]:
        """Listen on this machine's loopback; port 0 takes a free one. Raises ``OSError``."""
        return SocketListener(SystemSockets().listener(address, port))

    async def resolve(self, host: str, step: Step | None = None, *, listen_late: float = 0.0) -> list[str]:
        """Ask the resolver that this customer's programs would use. Raises ``DialFailed``."""
        step = step or Step(Trace(), 0)
        servers = [(address, DNS_PORT) for address in self.resolvers]
        return await ask_udp(self, servers, host, step, listen_late=listen_late)

    async def _wish(self, kind: str, address: str, port: int) -> tuple[SocketStream, int]:
        stream = SocketStream(await connected(SystemSockets().stream(socket.AF_INET), *self.hop))
        try:
            await stream.send(f"{kind} {self.customer} {address} {port}\n".encode())
            reply = b""
            while len(reply) < REPLY.size:
                reply += await stream.receive(REPLY.size - len(reply))
        except BaseException as error:
            await anyio.aclose_forcefully(stream)
            if isinstance(error, anyio.EndOfStream | anyio.BrokenResourceError):
                raise ConnectionError("the lab's hop has gone") from error
            raise
        number, place = REPLY.unpack(reply)
        if number:
            await anyio.aclose_forcefully(stream)
            raise OSError(number, os.strerror(number))
        return stream, place

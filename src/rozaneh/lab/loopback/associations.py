"""Datagrams through the hop: each association is one customer's socket and one address that it talks to."""

import asyncio
import socket

from rozaneh.lab.loopback.path import Path
from rozaneh.lab.loopback.segments import Conversation, happening_of

_LARGEST = 65_535


class Association:
    """One UDP conversation.

    Args:
        path: of the client.
        talk: its two ends.
        address: of the far end.
        near: the hop's socket that the client talks to.
        far: the hop's socket that talks to the server.
    """

    def __init__(self, path: Path, talk: Conversation, address: str, near: socket.socket, far: socket.socket) -> None:
        self._path = path
        self._talk = talk
        self._address = address
        self._near_socket = near
        self._far_socket = far
        self._near, self._far = path.delays(address)
        self._client: tuple[str, int] | None = None

    async def carry(self) -> None:
        """Carry datagrams both ways until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._outwards())
            both.create_task(self._homewards())

    async def _outwards(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data, self._client = await loop.sock_recvfrom(self._near_socket, _LARGEST)
            self._pass(data, outbound=True)

    async def _homewards(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(self._far_socket, _LARGEST)
            except ConnectionError:
                continue
            self._pass(data, outbound=False)

    def _pass(self, data: bytes, *, outbound: bool) -> None:
        loop = asyncio.get_running_loop()
        passage = self._path.send(self._talk.datagram(data, outbound=outbound), self._address, outbound=outbound)
        reached = self._near if outbound else self._far
        deliver = {True: self._to_client, False: self._to_server}
        for raw, toward_client, delay in passage.injected:
            happening = happening_of(raw, self._talk, loop.time(), toward_client=toward_client)
            if happening is not None and happening.payload:
                later = reached + delay + (self._near if toward_client else self._far)
                loop.call_later(later, deliver[toward_client], happening.payload)
        if passage.through:
            loop.call_later(self._near + self._far + passage.delay, deliver[not outbound], data)

    def _to_client(self, data: bytes) -> None:
        if self._client is not None and self._near_socket.fileno() >= 0:
            _send(self._near_socket, data, self._client)

    def _to_server(self, data: bytes) -> None:
        if self._far_socket.fileno() >= 0:
            _send(self._far_socket, data, None)


def _send(raw: socket.socket, data: bytes, where: tuple[str, int] | None) -> None:
    """Send a datagram, or lose it as a full queue would."""
    try:
        if where is None:
            raw.send(data)
        else:
            raw.sendto(data, where)
    except OSError:
        return

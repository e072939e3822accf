"""Datagrams through the hop: each association is one customer's socket and one address that it talks to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from rozaneh.lab.loopback.path import Path
from rozaneh.lab.loopback.segments import Conversation, Place, happening_of

_LARGEST = 65_535

Reach = Callable[[Place], Awaitable[socket.socket]]
"""Makes a socket that talks to one server alone. Raises ``OSError``."""


class Association:
    """One UDP conversation.

    Args:
        path: of the client.
        talk: its two ends.
        address: of the far end.
        near: the hop's socket that the client talks to.
        reach: how the hop reaches a server; each that a censor leads to has a socket of its own.
    """

    def __init__(self, path: Path, talk: Conversation, address: str, near: socket.socket, reach: Reach) -> None:
        self._path = path
        self._talk = talk
        self._address = address
        self._near_socket = near
        self._reach = reach
        self._near, self._far = path.delays(address)
        self._client: tuple[str, int] | None = None
        self._servers: dict[Place, socket.socket] = {}

    async def carry(self) -> None:
        """Carry datagrams both ways until cancelled."""
        try:
            async with asyncio.TaskGroup() as all_ways:
                all_ways.create_task(self._outwards(all_ways))
        finally:
            for server in self._servers.values():
                server.close()

    async def _outwards(self, ways: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data, self._client = await loop.sock_recvfrom(self._near_socket, _LARGEST)
            passage = self._path.send(self._talk.datagram(data, outbound=True), self._address, outbound=True)
            self._inject(passage.injected, self._near)
            if not passage.through:
                continue
            place = self._talk.led_to(passage.raw)
            if place not in self._servers:
                self._servers[place] = await self._reach(place)
                ways.create_task(self._homewards(place))
            loop.call_later(self._near + self._far + passage.delay, self._to_server, data, place)

    async def _homewards(self, place: Place) -> None:
        server = self._servers[place]
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(server, _LARGEST)
            except ConnectionError:
                continue
            self._talk.answered_by(place)
            passage = self._path.send(self._talk.datagram(data, outbound=False), self._address, outbound=False)
            self._inject(passage.injected, self._far)
            if passage.through:
                loop.call_later(self._near + self._far + passage.delay, self._to_client, data)

    def _inject(self, injected: list[tuple[bytes, bool, float]], reached: float) -> None:
        loop = asyncio.get_running_loop()
        for raw, toward_client, delay in injected:
            happening = happening_of(raw, self._talk, loop.time(), toward_client=toward_client)
            if happening is None or not happening.payload:
                continue
            if toward_client:
                loop.call_later(reached + delay + self._near, self._to_client, happening.payload)
            else:
                place = self._talk.led_to(raw)
                loop.call_later(reached + delay + self._far, self._to_server, happening.payload, place)

    def _to_client(self, data: bytes) -> None:
        if self._client is not None and self._near_socket.fileno() >= 0:
            _send(self._near_socket, data, self._client)

    def _to_server(self, data: bytes, place: Place) -> None:
        server = self._servers.get(place)
        if server is not None and server.fileno() >= 0:
            _send(server, data, None)


def _send(raw: socket.socket, data: bytes, where: tuple[str, int] | None) -> None:
    """Send a datagram, or lose it as a full queue would."""
    try:
        if where is None:
            raw.send(data)
        else:
            raw.sendto(data, where)
    except OSError:
        return

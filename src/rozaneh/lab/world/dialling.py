"""Dialling from a host of the lab: what relays and the control vantage do for others."""

import asyncio
import socket
import ssl
from ipaddress import ip_address

from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.doors import Stream, opened
from rozaneh.lab.world.sockets import HostSockets

_SECONDS = 10.0


class Dialler:
    """Opens connections from any host to any name or address of the lab, and to nothing else."""

    def __init__(self, directory: Directory, sockets: HostSockets) -> None:
        self._directory = directory
        self._sockets = sockets

    def resolve(self, name: str) -> list[str]:
        """The addresses of a name or literal, IPv4 first; none if the lab has no such name."""
        try:
            return [str(ip_address(name))]
        except ValueError:
            return sorted(self._directory.addresses(name) or (), key=lambda address: ":" in address)

    async def connect(self, host: str, address: str, port: int, seconds: float = _SECONDS) -> socket.socket:
        """A TCP connection from a host to an address. Raises ``OSError``, a timeout among them."""
        async with asyncio.timeout(seconds):
            return await self._sockets.connect(host, address, port)

    async def open(self, host: str, name: str, port: int) -> Stream:
        """A stream from a host to the first address of a name that answers.

        Raises:
            OSError: the name has no address, or the last of them failed so.
        """
        failure: OSError = socket.gaierror(socket.EAI_NONAME, f"no address for {name[:80]}")
        for address in self.resolve(name):
            try:
                return await opened(await self.connect(host, address, port))
            except OSError as error:
                failure = error
        raise failure

    async def open_tls(self, host: str, address: str, port: int, context: ssl.SSLContext, name: str) -> Stream:
        """A TLS stream from a host to an address, the certificate checked by the context. Raises ``OSError``."""
        return await opened(await self.connect(host, address, port), context, name)

    async def datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """A UDP socket on a host that talks to one address. Raises ``OSError``."""
        return await self._sockets.connect_datagrams(host, address, port)

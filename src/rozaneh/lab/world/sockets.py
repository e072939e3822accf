"""Where the servers' sockets come from: the namespaces of the lab's hosts.

``setns`` acts on the calling thread, so nothing may be awaited between going into a namespace and coming back.
"""

import asyncio
import ctypes
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Protocol

from rozaneh.core import LocalFault

Origin = tuple[str, int]
"""An IP address and a port."""

_CLONE_NEWNET = 0x40000000
_BACKLOG = 512


class HostSockets(Protocol):
    """Makes sockets that stand on a host of the lab. All are non-blocking."""

    def listener(self, host: str, address: str, port: int) -> socket.socket:
        """A TCP socket that listens there."""

    def datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """A UDP socket that is bound there."""

    async def connect(self, host: str, address: str, port: int) -> socket.socket:
        """A TCP connection from a host to an address of the lab. Raises ``OSError``."""

    async def connect_datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """A UDP socket on a host that talks to one address alone. Raises ``OSError``."""

    def origin(self, name: Origin) -> str:
        """The lab's address of a peer, given what the socket calls it."""


class NamespaceSockets:
    """Sockets in network namespaces.

    Args:
        namespaces: an open file descriptor of each host's namespace.
    """

    def __init__(self, namespaces: Mapping[str, int]) -> None:
        self._namespaces = namespaces
        self._own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._libc = ctypes.CDLL(None, use_errno=True)

    def listener(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`HostSockets`."""
        return bound(self._new(host, address, socket.SOCK_STREAM), address, port)

    def datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`HostSockets`."""
        return bound(self._new(host, address, socket.SOCK_DGRAM), address, port)

    async def connect(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`HostSockets`."""
        return await connected(self._new(host, address, socket.SOCK_STREAM), address, port)

    async def connect_datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`HostSockets`."""
        return await connected(self._new(host, address, socket.SOCK_DGRAM), address, port)

    def origin(self, name: Origin) -> str:
        """See :class:`HostSockets`."""
        return name[0]

    def _new(self, host: str, address: str, kind: socket.SocketKind) -> socket.socket:
        namespace = self._namespaces.get(host)
        if namespace is None:
            raise LocalFault(f"the lab has no host {host!r}")
        with self._inside(namespace):
            return unbound(address, kind)

    @contextmanager
    def _inside(self, namespace: int) -> Iterator[None]:
        self._enter(namespace)
        try:
            yield
        finally:
            self._enter(self._own)

    def _enter(self, namespace: int) -> None:
        if self._libc.setns(namespace, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"setns: {os.strerror(number)}")


def unbound(address: str, kind: socket.SocketKind) -> socket.socket:
    """A new non-blocking socket of the family of an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def bound(made: socket.socket, address: str, port: int) -> socket.socket:
    """The socket, bound; a TCP socket listens. Closed again if that fails."""
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        if made.type == socket.SOCK_STREAM:
            made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"cannot stand on {address} port {port}: {error.strerror}") from error
    return made


async def connected(made: socket.socket, address: str, port: int) -> socket.socket:
    """The socket, connected. Closed again if that fails or is cancelled."""
    with ExitStack() as undo:
        undo.callback(made.close)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
        undo.pop_all()
    return made

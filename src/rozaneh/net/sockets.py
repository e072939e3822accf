"""Plain sockets under structured concurrency: on asyncio, uvloop and trio alike.

:class:`Sockets` says where sockets come from. :class:`SystemSockets` makes them on this host; the lab hands out sockets
that were created inside one of its hosts. Everything above is the same code for both.

The streams here are for what waits and decides. Whoever only moves bytes takes the socket away with
:meth:`SocketStream.detach` and gives it to the pump.
"""

import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import anyio
from anyio.abc import ByteStream, Listener, SocketAttribute, TaskGroup
from anyio.lowlevel import checkpoint

__all__ = [
    "PAUSE_WITHOUT_DESCRIPTORS",
    "DatagramSocket",
    "OutOfDescriptorsError",
    "SocketListener",
    "SocketStream",
    "Sockets",
    "SystemSockets",
    "Transparent",
    "accepted",
    "accepted_now",
    "bare_socket_stream",
    "bottom",
    "connected",
]

_BACKLOG = 4096
PAUSE_WITHOUT_DESCRIPTORS = 0.1
"""Seconds until somebody may have given one back."""
_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# accept(2): Linux hands the errors of a new connection to accept, which should then be tried again.
_OF_THE_NEW_CONNECTION = {
    errno.ECONNABORTED,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ENOPROTOOPT,
    errno.EPERM,
    errno.EPROTO,
}
_LARGEST_DATAGRAM = 65535


class Sockets(Protocol):
    """Where sockets come from. All of them are non-blocking and close on exec; errors are ``OSError``."""

    def stream(self, family: socket.AddressFamily) -> socket.socket:
        """A TCP socket that is not connected yet."""

    def datagram(self, family: socket.AddressFamily) -> socket.socket:
        """A UDP socket that is not connected yet."""

    def listener(self, address: str, port: int) -> socket.socket:
        """A TCP socket that is bound to an IP address and listens; port 0 takes a free one."""

    def raw_tcp(self, family: socket.AddressFamily) -> socket.socket:
        """A raw socket for whole TCP segments, where that is allowed."""


@dataclass(frozen=True)
class SystemSockets:
    """Sockets of this host."""

    def stream(self, family: socket.AddressFamily) -> socket.socket:
        """A TCP socket that is not connected yet."""
        return _non_blocking(socket.socket(family, socket.SOCK_STREAM))

    def datagram(self, family: socket.AddressFamily) -> socket.socket:
        """A UDP socket that is not connected yet."""
        return _non_blocking(socket.socket(family, socket.SOCK_DGRAM))

    def listener(self, address: str, port: int) -> socket.socket:
        """A TCP socket that is bound to an IP address and listens; port 0 takes a free one."""
        listening = _non_blocking(socket.socket(family_of(address), socket.SOCK_STREAM))
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        return listening

    def raw_tcp(self, family: socket.AddressFamily) -> socket.socket:
        """A raw socket for whole TCP segments, where that is allowed."""
        return _non_blocking(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP))


@lru_cache(maxsize=4096)
def family_of(address: str) -> socket.AddressFamily:
    """The address family of an IP address without brackets. A name is an ``EINVAL`` error, never a lookup."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise OSError(errno.EINVAL, f"not an IP address: {address[:60]!r}") from None
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def _non_blocking(fresh: socket.socket) -> socket.socket:
    fresh.setblocking(False)  # noqa: FBT003 - the system's own signature
    return fresh


async def connected(fresh: socket.socket, address: str, port: int) -> socket.socket:
    """Connect a non-blocking socket, and close it if that fails or is cancelled.

    Raises:
        OSError: with the number that the system call gave.
    """
    with ExitStack() as undo:
        undo.callback(_close, fresh)
        try:
            fresh.connect((address, port))
        except BlockingIOError:
            await anyio.wait_writable(fresh)
            number = fresh.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number)) from None
        undo.pop_all()
    return fresh


def _close(old: socket.socket) -> None:
    if old.fileno() >= 0:
        anyio.notify_closing(old)
        old.close()


class SocketStream(ByteStream):
    """A byte stream over a connected, non-blocking TCP socket.

    Nagle's algorithm is off, so that each ``send`` leaves as a segment of its own: some ways depend on it.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket: socket.socket | None = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise anyio.ClosedResourceError
        return self._socket

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for bytes.

        Raises:
            EndOfStream: the other end has finished sending.
            BrokenResourceError: the connection broke; the ``OSError`` is its cause.
        """
        await checkpoint()
        while True:
            source = self._open()
            try:
                data = source.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                await anyio.wait_readable(source)
            except OSError as error:
                raise anyio.BrokenResourceError from error
            else:
                if not data:
                    raise anyio.EndOfStream
                return data

    async def send(self, item: bytes) -> None:
        """Send all bytes.

        Raises:
            BrokenResourceError: the connection broke; the ``OSError`` is its cause.
        """
        await checkpoint()
        left = memoryview(item)
        while left:
            sink = self._open()
            try:
                left = left[sink.send(left) :]
            except (BlockingIOError, InterruptedError):
                await anyio.wait_writable(sink)
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Say that nothing more will be sent; receiving goes on."""
        await checkpoint()
        try:
            self._open().shutdown(socket.SHUT_WR)
        except OSError as error:
            raise anyio.BrokenResourceError from error

    def detach(self) -> socket.socket:
        """Give the socket away; whoever takes it closes it. This stream is closed from now on."""
        given = self._open()
        self._socket = None
        return given

    async def aclose(self) -> None:
        """Close the socket at once; whoever waits on this stream gets ``ClosedResourceError``."""
        old, self._socket = self._socket, None
        if old is not None:
            _close(old)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The socket itself, its family, and the addresses and ports of both ends."""
        return {
            SocketAttribute.raw_socket: self._open,
            SocketAttribute.family: lambda: self._open().family,
            SocketAttribute.local_address: lambda: self._open().getsockname()[:2],
            SocketAttribute.local_port: lambda: self._open().getsockname()[1],
            SocketAttribute.remote_address: lambda: self._open().getpeername()[:2],
            SocketAttribute.remote_port: lambda: self._open().getpeername()[1],
        }


@runtime_checkable
class Transparent(Protocol):
    """A stream that shaped the beginning of a conversation and has nothing more to do."""

    def beneath(self) -> ByteStream | None:
        """The stream below, if from now on this one passes bytes unchanged both ways and holds none; else none."""


def bare_socket_stream(stream: ByteStream) -> SocketStream | None:
    """The socket stream at the bottom, if everything above it passes bytes unchanged from now on; else none.

    The pump can then move the bytes from socket to socket.
    """
    below = bottom(stream)
    return below if isinstance(below, SocketStream) else None


def bottom(stream: ByteStream) -> ByteStream | None:
    """The uppermost stream that does something to bytes from now on; none where one still has to do it later."""
    below: ByteStream | None = stream
    while isinstance(below, Transparent):
        below = below.beneath()
    return below


class OutOfDescriptorsError(Exception):
    """A connection waits to be accepted, and the process may have no further descriptor for it."""


async def accepted(listening: socket.socket) -> socket.socket:
    """Wait for one connection. When the process has no descriptors left it waits until there are some.

    Raises:
        ClosedResourceError: the listening socket was closed.
    """
    while True:
        if listening.fileno() < 0:
            raise anyio.ClosedResourceError
        try:
            return accepted_now(listening)
        except (BlockingIOError, InterruptedError):
            await anyio.wait_readable(listening)
        except OutOfDescriptorsError:
            await anyio.sleep(PAUSE_WITHOUT_DESCRIPTORS)


def accepted_now(listening: socket.socket) -> socket.socket:
    """A connection that waits to be accepted, non-blocking.

    Raises:
        BlockingIOError: none does.
        OutOfDescriptorsError: the process has no descriptors left for it.
    """
    while True:
        try:
            return _non_blocking(listening.accept()[0])
        except (BlockingIOError, InterruptedError):
            raise
        except OSError as error:
            if error.errno in _OUT_OF_DESCRIPTORS:
                raise OutOfDescriptorsError from error
            if error.errno not in _OF_THE_NEW_CONNECTION:
                raise


class SocketListener(Listener[SocketStream]):
    """Accepts connections on a socket that is already listening.

    Attributes:
        before_close: told before the socket is closed, for whoever accepts in the event loop's own callbacks.
    """

    def __init__(self, listening: socket.socket) -> None:
        self.before_close: Callable[[], None] | None = None
        self._socket = listening

    @property
    def address(self) -> tuple[str, int]:
        """The IP address and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    async def accept(self) -> SocketStream:
        """Wait for one connection. When the process has no descriptors left it waits until there are some.

        Raises:
            ClosedResourceError: the listener was closed.
        """
        await checkpoint()
        return SocketStream(await accepted(self._socket))

    async def serve(self, handler: Callable[[SocketStream], Any], task_group: TaskGroup | None = None) -> None:
        """Run a handler for each connection, until cancelled or closed."""
        if task_group is None:
            async with anyio.create_task_group() as own:
                await self.serve(handler, own)
            return
        while True:
            task_group.start_soon(handler, await self.accept())

    async def aclose(self) -> None:
        """Stop listening."""
        if self.before_close is not None:
            self.before_close()
        _close(self._socket)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The socket itself, its family, and the address and port that it listens on."""
        return {
            SocketAttribute.raw_socket: lambda: self._socket,
            SocketAttribute.family: lambda: self._socket.family,
            SocketAttribute.local_address: lambda: self.address,
            SocketAttribute.local_port: lambda: self.address[1],
        }


class DatagramSocket:
    """A connected, non-blocking UDP socket."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def send(self, data: bytes) -> None:
        """Send one datagram. Raises ``OSError`` as the system call does."""
        await checkpoint()
        while True:
            try:
                self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                await anyio.wait_writable(self._socket)
            else:
                return

    async def receive(self) -> bytes:
        """Wait for one datagram. Raises ``OSError`` when an ICMP error came back."""
        await checkpoint()
        while True:
            try:
                return self._socket.recv(_LARGEST_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                await anyio.wait_readable(self._socket)

    async def aclose(self) -> None:
        """Close the socket at once."""
        _close(self._socket)

"""Accepting and opening connections: the part of the servers that has to survive bad peers.

Every accepted connection gets a task and a deadline; whatever its peer does (resets, half-open sockets, slow bytes,
broken TLS) ends that task alone and silently.
"""

import asyncio
import ctypes
import errno
import logging
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rozaneh.core import LocalFault, RemoteFault

log = logging.getLogger("rozaneh.lab.world")

PEER_ERRORS = (OSError, EOFError, TimeoutError, RemoteFault, asyncio.LimitOverrunError)
"""What a peer can make happen. ``ssl.SSLError`` and all connection errors are ``OSError``."""

HANDSHAKE_SECONDS = 30.0
IDLE_SECONDS = 120.0
_SHUTDOWN_SECONDS = 2.0
_BUFFER = 1 << 17
_MOST_OPEN = 16_000
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Stream:
    """A byte stream with bounded buffers on both sides."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def exactly(self, count: int) -> bytes:
        """Exactly so many bytes, or ``EOFError``."""
        return await self.reader.readexactly(count)

    async def some(self, most: int = 65_536) -> bytes:
        """At least one byte and at most so many; empty at the end."""
        return await self.reader.read(most)

    async def until(self, end: bytes, most: int) -> bytes:
        """Up to and including a delimiter.

        Raises:
            EOFError: the stream ended before it.
            RemoteFault: it did not come within so many bytes.
        """
        try:
            found = await self.reader.readuntil(end)
        except asyncio.LimitOverrunError:
            raise RemoteFault("the head is too long") from None
        if len(found) > most:
            raise RemoteFault("the head is too long")
        return found

    async def send(self, data: bytes) -> None:
        """Send all of it, waiting while the peer does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def end(self) -> None:
        """Say that nothing more will be sent. TLS cannot say that and go on listening: there it is the end."""
        if self.writer.can_write_eof():
            self.writer.write_eof()
        else:
            self.writer.close()

    def close(self) -> None:
        """Close, telling the peer."""
        self.writer.close()

    def abandon(self) -> None:
        """Close at once, without what TLS would still say."""
        self.writer.transport.abort()

    def reset(self) -> None:
        """Close with a RST."""
        raw: socket.socket | None = self.writer.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            linger(raw)
        self.writer.transport.abort()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def linger(raw: socket.socket) -> None:
    """Make the coming close of a TCP socket a RST."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


_SO_ATTACH_FILTER = 26
_DROP_EVERYTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0


def hush(listener: socket.socket) -> list[socket.socket]:
    """Make a listening socket silent: a filter drops every SYN before the kernel answers it.

    Where the kernel grants this user no filter (its memory for them is limited), the queue of connections is filled
    instead: a full queue drops SYNs as well.

    Returns:
        The connections that fill the queue, to be kept open as long as the listener, which nobody may accept from; none
        where the filter is in place.
    """
    program = ctypes.create_string_buffer(_DROP_EVERYTHING)
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    except PermissionError:
        listener.listen(0)
        fillers = [socket.socket(listener.family, socket.SOCK_STREAM) for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - the system's own signature
            filler.connect_ex(listener.getsockname())
        return fillers
    return []


async def _accepted(raw: socket.socket, context: ssl.SSLContext | None = None) -> Stream:
    """The server's end of an accepted connection, after the TLS handshake if there is a context. Raises ``OSError``."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_BUFFER)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol,
        raw,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None,
        ssl_shutdown_timeout=_SHUTDOWN_SECONDS if context else None,
    )
    return Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def opened(raw: socket.socket, context: ssl.SSLContext | None = None, name: str = "") -> Stream:
    """The client's end of a connection, after the TLS handshake if there is a context. Raises ``OSError``."""
    reader, writer = await asyncio.open_connection(
        sock=raw,
        limit=_BUFFER,
        ssl=context,
        server_hostname=name if context else None,
        ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None,
        ssl_shutdown_timeout=_SHUTDOWN_SECONDS if context else None,
    )
    return Stream(reader, writer)


async def relay(left: Stream, right: Stream) -> None:
    """Carry bytes both ways until both sides have ended, one of them broke, or nothing moved for long."""
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(left, right))
            both.create_task(_carry(right, left))
    except* PEER_ERRORS:
        left.reset()
        right.reset()
    finally:
        left.close()
        right.close()


async def _carry(source: Stream, sink: Stream) -> None:
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            data = await source.some()
            if not data:
                await sink.end()
                return
            await sink.send(data)


class Caller:
    """Somebody who has connected: a socket until a handler makes it a stream. Closed when the handler returns.

    Attributes:
        peer: the caller's address in the lab.
    """

    def __init__(self, raw: socket.socket, peer: str) -> None:
        self.peer = peer
        self._raw: socket.socket | None = raw
        self._stream: Stream | None = None

    async def stream(self, context: ssl.SSLContext | None = None) -> Stream:
        """The connection as a stream, after a TLS handshake if there is a context. Raises ``OSError``."""
        self._stream = await _accepted(self.take(), context)
        return self._stream

    def take(self) -> socket.socket:
        """The socket itself; whoever takes it closes it."""
        raw, self._raw = self._raw, None
        if raw is None:
            raise LocalFault("a caller's socket is taken once")
        return raw

    async def reset_when_spoken_to(self) -> None:
        """Wait for the caller's first byte, then end the connection with a RST."""
        if self._raw is not None:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await asyncio.get_running_loop().sock_recv(self._raw, 1)
            linger(self._raw)

    def close(self) -> None:
        """Close what is open."""
        if self._raw is not None:
            self._raw.close()
        if self._stream is not None:
            self._stream.close()


Handler = Callable[[Caller], Awaitable[None]]
"""Serves one caller."""

MakeProtocol = Callable[[], asyncio.DatagramProtocol]
"""Makes what answers the datagrams of one socket."""


class Doors:
    """All listening sockets of the world and the connections that came in through them.

    Args:
        origin: the lab's address of a peer, given what the socket calls it.
    """

    def __init__(self, origin: Callable[[tuple[str, int]], str]) -> None:
        self._origin = origin
        self._tasks: set[asyncio.Future[None]] = set()
        self._sockets: list[socket.socket] = []
        self._open = 0

    def open(self, listener: socket.socket, handler: Handler) -> None:
        """Serve whoever connects to a listening socket."""
        self._sockets.append(listener)
        self.spawn(self._accept(listener, handler))

    def keep(self, *sockets: socket.socket) -> None:
        """Hold sockets open until the doors close; nobody accepts from them."""
        self._sockets += sockets

    def open_datagrams(self, raw: socket.socket, make: MakeProtocol, *, when_spoken_to: bool = False) -> None:
        """Serve a bound UDP socket.

        Args:
            raw: the socket.
            make: makes the protocol that answers.
            when_spoken_to: make it when the first datagram comes; until then nothing is loaded.
        """
        self._sockets.append(raw)
        self.spawn(self._answer(raw, make, when_spoken_to=when_spoken_to))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the doors until it ends or the world does."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """End everything."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in the next round of the loop
        for raw in self._sockets:
            raw.close()

    async def _answer(self, raw: socket.socket, make: MakeProtocol, *, when_spoken_to: bool) -> None:
        loop = asyncio.get_running_loop()
        if when_spoken_to:
            spoken_to: asyncio.Future[None] = loop.create_future()
            loop.add_reader(raw.fileno(), _settle, spoken_to)
            try:
                await spoken_to
            finally:
                loop.remove_reader(raw.fileno())
        transport, _ = await loop.create_datagram_endpoint(make, sock=raw)
        try:
            await loop.create_future()
        finally:
            transport.close()

    def _ended(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a server of the lab failed", exc_info=error)

    async def _accept(self, listener: socket.socket, handler: Handler) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                raw, name = await loop.sock_accept(listener)
            except OSError as error:
                await asyncio.sleep(0.1 if error.errno in _OUT_OF_FILES else 0.01)
                continue
            if self._open >= _MOST_OPEN:
                raw.close()
                continue
            self._open += 1
            self.spawn(self._serve(Caller(raw, self._origin(name[:2])), handler))

    async def _serve(self, caller: Caller, handler: Handler) -> None:
        try:
            await handler(caller)
        except PEER_ERRORS as error:
            log.debug("%s: %s", caller.peer, error)
        finally:
            self._open -= 1
            caller.close()

"""A world in memory: names, addresses and what happens there, for tests that need no sockets and no real time.

Under trio with ``MockClock(autojump_threshold=0)`` a hundred timeouts of fifteen seconds take milliseconds::

    async with MemoryNetwork(names={"example.org": ["93.184.216.34", "93.184.216.35"]}, delay=0.05) as network:
        network.serve("93.184.216.34", 443, echo)
        network.black_hole("93.184.216.35", 443)
        measured = await measure(build("tcp", network), Target.parse("https://example.org"))

Whatever is not scripted refuses: a connection with ``connection_refused``, a name with ``dns_nxdomain_error``.
"""

import errno
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ssl import SSLError
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import ByteStream, Listener, SocketAttribute, TaskGroup
from anyio.lowlevel import checkpoint

from rozaneh.core import DialFailed, Failure
from rozaneh.net.api import Datagrams
from rozaneh.net.sockets import family_of
from rozaneh.net.trace import Step

Behaviour = Callable[[ByteStream], Awaitable[None]]
"""What the other end of a connection does with its stream, which is closed when it returns. To break the connection it
raises ``ConnectionResetError``."""

DatagramBehaviour = Callable[[bytes], Iterable[tuple[float, bytes]]]
"""What comes back for one datagram: pairs of a delay in seconds and the bytes."""

_Place = tuple[str, int]

_WINDOW = 1 << 20
_FIRST_FREE_PORT = 49152
_CLIENT = "10.0.0.2"


class MemoryNetwork:
    """A scripted network. Use it as an async context manager: behaviours run in its task group.

    Args:
        names: the addresses that the system's resolver gives for a name, or the failure it answers with, or none for a
            resolver that never answers.
        delay: seconds that anything takes in one direction.
    """

    def __init__(
        self, *, names: Mapping[str, Sequence[str] | Failure | None] | None = None, delay: float = 0.0
    ) -> None:
        self.names = dict(names or {})
        self.delay = delay
        self.connections: list[_Place] = []
        """Where connections were asked for, in order."""
        self._behaviours: dict[_Place, Behaviour] = {}
        self._errors: dict[_Place, OSError | None] = {}
        self._datagrams: dict[_Place, DatagramBehaviour] = {}
        self._tasks: TaskGroup | None = None

    def serve(self, address: str, port: int, behaviour: Behaviour) -> None:
        """Let connections to a place succeed, and say what happens on them."""
        self._errors.pop((address, port), None)
        self._behaviours[address, port] = behaviour

    def fail(self, address: str, port: int, number: int) -> None:
        """Let connections to a place fail with an error number of a system call."""
        self._errors[address, port] = OSError(number, os.strerror(number))

    def black_hole(self, address: str, port: int) -> None:
        """Let connections to a place never be answered."""
        self._errors[address, port] = None

    def answer(self, address: str, port: int, behaviour: DatagramBehaviour) -> None:
        """Say what comes back for datagrams to a place. Without this nothing does."""
        self._datagrams[address, port] = behaviour

    async def connect_tcp(self, address: str, port: int) -> ByteStream:
        """Open a connection as it is scripted."""
        family_of(address)
        self.connections.append((address, port))
        await anyio.sleep(2 * self.delay)
        place = (address, port)
        if place in self._errors:
            error = self._errors[place]
            if error is None:
                await anyio.sleep_forever()
            raise OSError(*error.args) if error else TimeoutError
        if place not in self._behaviours:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        client, server = stream_pair(self.delay, client=(_CLIENT, _FIRST_FREE_PORT), server=place)
        self._group.start_soon(_behave, self._behaviours[place], server)
        return client

    async def connect_udp(self, address: str, port: int) -> Datagrams:
        """Open a socket whose datagrams are answered as scripted."""
        family_of(address)
        await checkpoint()
        return _MemoryDatagrams(self._datagrams.get((address, port), lambda _: ()), self.delay)

    async def listen_tcp(self, address: str, port: int) -> Listener[ByteStream]:
        """Listen; connections of this network to the place arrive here."""
        await checkpoint()
        chosen = port or _FIRST_FREE_PORT + len(self._behaviours)
        listener = _MemoryListener((address, chosen), lambda: self._behaviours.pop((address, chosen), None))
        self.serve(address, chosen, listener.arrived)
        return listener

    async def resolve(self, host: str, step: Step | None = None, *, listen_late: float = 0.0) -> list[str]:  # noqa: ARG002 - a scripted resolver has nothing late to say
        """Answer as scripted. Raises ``DialFailed`` with the scripted failure, or that there is no such name."""
        if step is not None:
            step.tag(resolver="memory")
        await anyio.sleep(2 * self.delay)
        found = self.names.get(host, Failure.DNS_NXDOMAIN_ERROR)
        if found is None:
            await anyio.sleep_forever()
        if isinstance(found, Failure):
            raise DialFailed(found, f"{host} is scripted so")
        return list(found or ())

    @property
    def _group(self) -> TaskGroup:
        if self._tasks is None:
            raise RuntimeError("a MemoryNetwork is used in 'async with', so that the far ends can act")
        return self._tasks

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        tasks, self._tasks = self._group, None
        tasks.cancel_scope.cancel()
        return await tasks.__aexit__(kind, value, trace)


async def echo(stream: ByteStream) -> None:
    """Send back whatever comes."""
    async for data in stream:
        await stream.send(data)


async def silence(stream: ByteStream) -> None:
    """Read, and never answer."""
    async for _ in stream:
        pass


def sends(data: bytes) -> Behaviour:
    """Wait for something, answer with these bytes, and close."""

    async def behaviour(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(data)

    return behaviour


def resets(after: int = 1) -> Behaviour:
    """Read this many bytes, and break the connection."""

    async def behaviour(stream: ByteStream) -> None:
        seen = 0
        while seen < after:
            seen += len(await stream.receive())
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    return behaviour


async def _behave(behaviour: Behaviour, stream: "MemoryStream") -> None:
    try:
        await behaviour(stream)
    except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, SSLError):
        pass  # the client went away, which is its right
    except ConnectionResetError:
        stream.reset()
    finally:
        await stream.aclose()


class _Pipe:
    """Bytes on their way in one direction; an empty piece is the end, none is a reset."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._pieces: deque[tuple[float, bytes | None]] = deque()
        self._size = 0
        self._changed = anyio.Event()
        self.reader_gone = False

    def put(self, piece: bytes | None) -> None:
        self._pieces.append((anyio.current_time() + self._delay, piece))
        self._size += len(piece or b"")
        self.notify()

    def notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def room(self) -> None:
        while self._size > _WINDOW and not self.reader_gone:
            await self._changed.wait()

    async def get(self, most: int) -> bytes:
        while not self._pieces:
            await self._changed.wait()
        at, piece = self._pieces[0]
        await anyio.sleep_until(at)
        if piece is None:
            raise anyio.BrokenResourceError from ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if not piece:
            raise anyio.EndOfStream
        taken, rest = piece[:most], piece[most:]
        self._pieces.popleft()
        if rest:
            self._pieces.appendleft((at, rest))
        self._size -= len(taken)
        self.notify()
        return taken


class MemoryStream(ByteStream):
    """One end of a connection in memory. Sending to an end that was closed is a reset, as with TCP."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe, own: _Place, peer: _Place) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._own = own
        self._peer = peer
        self._closed = False
        self._ended = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for bytes."""
        await checkpoint()
        if self._closed:
            raise anyio.ClosedResourceError
        return await self._incoming.get(max_bytes)

    async def send(self, item: bytes) -> None:
        """Send bytes, waiting while the other end has more than a mebibyte to read."""
        await checkpoint()
        if self._closed or self._ended:
            raise anyio.ClosedResourceError
        await self._outgoing.room()
        if self._outgoing.reader_gone:
            raise anyio.BrokenResourceError from ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if item:
            self._outgoing.put(bytes(item))

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        await checkpoint()
        self._end(b"")

    def reset(self) -> None:
        """Break the connection, as a RST does."""
        self._end(None)

    def _end(self, mark: bytes | None) -> None:
        if not self._ended:
            self._ended = True
            self._outgoing.put(mark)

    async def aclose(self) -> None:
        """Close this end."""
        self._closed = True
        self._end(b"")
        self._incoming.reader_gone = True
        self._incoming.notify()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The addresses and ports of both ends; there is no socket."""
        return {
            SocketAttribute.local_address: lambda: self._own,
            SocketAttribute.local_port: lambda: self._own[1],
            SocketAttribute.remote_address: lambda: self._peer,
            SocketAttribute.remote_port: lambda: self._peer[1],
        }


def stream_pair(
    delay: float = 0.0, *, client: _Place = (_CLIENT, _FIRST_FREE_PORT), server: _Place = ("10.0.0.1", 1)
) -> tuple[MemoryStream, MemoryStream]:
    """Both ends of a connection in memory."""
    up, down = _Pipe(delay), _Pipe(delay)
    return MemoryStream(down, up, client, server), MemoryStream(up, down, server, client)


class _MemoryListener(Listener[ByteStream]):
    """Hands out connections that arrive at a place."""

    def __init__(self, address: _Place, forget: Callable[[], object]) -> None:
        self.address = address
        self._forget = forget
        self._send, self._receive = anyio.create_memory_object_stream[tuple[ByteStream, anyio.Event]](1024)

    async def arrived(self, stream: ByteStream) -> None:
        """Queue a connection, and wait until whoever takes it has closed it."""
        over = anyio.Event()
        await self._send.send((stream, over))
        await over.wait()

    async def serve(self, handler: Callable[[ByteStream], Any], task_group: TaskGroup | None = None) -> None:
        """Run a handler for each connection, until cancelled or closed."""
        async with anyio.create_task_group() as own:
            async for stream, over in self._receive:
                (task_group or own).start_soon(_handle, handler, stream, over)

    async def aclose(self) -> None:
        """Stop listening."""
        self._forget()
        self._send.close()
        self._receive.close()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The address and port that it listens on; there is no socket."""
        return {
            SocketAttribute.local_address: lambda: self.address,
            SocketAttribute.local_port: lambda: self.address[1],
        }


async def _handle(handler: Callable[[ByteStream], Any], stream: ByteStream, over: anyio.Event) -> None:
    try:
        await handler(stream)
    finally:
        over.set()


class _MemoryDatagrams:
    """A socket whose datagrams are answered by a script."""

    def __init__(self, behaviour: DatagramBehaviour, delay: float) -> None:
        self._behaviour = behaviour
        self._delay = delay
        self._coming: list[tuple[float, bytes]] = []
        self._changed = anyio.Event()

    async def send(self, data: bytes) -> None:
        """Send one datagram."""
        await checkpoint()
        now = anyio.current_time() + 2 * self._delay
        self._coming += [(now + after, reply) for after, reply in self._behaviour(data)]
        self._coming.sort(key=lambda each: each[0])
        self._changed.set()
        self._changed = anyio.Event()

    async def receive(self) -> bytes:
        """Wait for one datagram."""
        await checkpoint()
        while True:
            changed = self._changed
            at = self._coming[0][0] if self._coming else float("inf")
            with anyio.move_on_at(at) if self._coming else anyio.CancelScope():
                await changed.wait()
            if self._coming and anyio.current_time() >= self._coming[0][0]:
                return self._coming.pop(0)[1]

    async def aclose(self) -> None:
        """Close the socket."""

"""A stream through an SSH server, over asyncssh; apart from ``ssh`` because asyncssh takes a while to import."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import anyio
import asyncssh
import sniffio
from anyio.abc import ByteStream

from rozaneh.core import DialFailed, Failure, Op, Spec, Target
from rozaneh.links.proxy import Proxy
from rozaneh.net import Dialer, Trace
from rozaneh.net.sockets import bare_socket_stream
from rozaneh.net.streams import ClosedOnFailure

_FOREIGN = (asyncssh.Error, OSError, ValueError, TypeError, LookupError, ArithmeticError, EOFError)
"""What asyncssh raises: its own errors, and where a server's bytes are no SSH whatever reading them has led to."""
_SILENT = 3.0
"""Seconds without an answer after which a connection that was there already is not used for the next stream."""


class Shared:
    """A connection to the server and the streams on it; it ends with the last of them."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self.connection = connection
        self._users = 0
        self._left = False

    def enter(self) -> None:
        """One more uses it, or is about to."""
        self._users += 1

    def leave(self) -> None:
        """One less does."""
        self._users -= 1
        if not self._users:
            self._left = True
            self.connection.close()

    @property
    def over(self) -> bool:
        """Whether no stream can begin on it any more."""
        return self._left or self.connection.is_closed()


class Session:
    """The connection to the server that the next stream uses."""

    def __init__(self) -> None:
        self.shared: Shared | None = None
        self.lock: anyio.Lock | None = None

    def drop(self, shared: Shared) -> None:
        """Take another one for the next stream; those that are on this one stay."""
        if self.shared is shared:
            self.shared = None


@dataclass(frozen=True)
class Ssh:
    """Dials through an SSH server that the way below reaches."""

    link: Proxy
    session: Session
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Connect to the server unless that is done, and have it dial, as one step PROXY."""
        peer = Target(host=self.link.host, port=self.link.port)
        async with trace.step(Op.PROXY, peer=peer.authority) as step:
            if sniffio.current_async_library() != "asyncio":
                raise DialFailed(Failure.UNKNOWN_FAILURE, "SSH runs on asyncio alone")
            try:
                shared = await self._shared(peer, step.under)
                with ExitStack() as undo:
                    undo.callback(shared.leave)
                    undo.callback(self._unless_soon(shared, anyio.current_time()))
                    connection = shared.connection
                    opened = await connection.open_connection(target.host, target.port, encoding=None)
                    undo.pop_all()
            except _FOREIGN as error:
                raise _failure(error) from error
            return SshStream(*opened, shared)

    def _unless_soon(self, shared: Shared, began: float) -> Callable[[], None]:
        """What failed after a long silence, or was given up then, may have failed with its connection."""

        def judge() -> None:
            if anyio.current_time() - began >= _SILENT:
                self.session.drop(shared)

        return judge

    async def _shared(self, peer: Target, trace: Trace) -> Shared:
        """The connection, made where there is none; the caller has entered it."""
        self.session.lock = self.session.lock or anyio.Lock()
        async with self.session.lock:
            shared = self.session.shared
            if shared is None or shared.over:
                shared = self.session.shared = Shared(await self._connect(await self.inner.dial(peer, trace)))
            shared.enter()
            return shared

    async def _connect(self, stream: ByteStream) -> asyncssh.SSHClientConnection:
        async with ClosedOnFailure(stream):
            bare = bare_socket_stream(stream)
            if bare is None:
                raise DialFailed(Failure.UNKNOWN_FAILURE, "SSH needs a plain connection below it")
            key = asyncssh.import_public_key(self.link.host_key)
        return await asyncssh.connect(
            self.link.host,
            self.link.port,
            sock=bare.detach(),
            username=self.link.username or "user",
            password=self.link.password or None,
            client_keys=[self.link.key_file] if self.link.key_file else None,
            agent_path=None,
            config=None,
            known_hosts=([key], [], []),
            client_version="OpenSSH_9.2",
        )


def _failure(error: Exception) -> Exception:
    """What asyncssh raises as a failed dial; an error of a system call as it is."""
    if isinstance(error, asyncssh.ChannelOpenError):
        return DialFailed(Failure.CONNECTION_REFUSED, f"the server cannot reach it: {error.reason[:100]}")
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return DialFailed(Failure.SSL_UNKNOWN_AUTHORITY, "the server shows another key than the one given")
    if isinstance(error, asyncssh.Error):
        return DialFailed(Failure.UNKNOWN_FAILURE, f"the SSH server refuses: {error.reason[:100]}")
    if isinstance(error, OSError):
        return error
    return DialFailed(Failure.UNKNOWN_FAILURE, f"no SSH can be spoken: {str(error)[:100]}")


class SshStream(ByteStream):
    """A channel of an SSH connection."""

    def __init__(self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes], shared: Shared) -> None:
        self._reader = reader
        self._writer = writer
        self._shared: Shared | None = shared

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for bytes.

        Raises:
            EndOfStream: the target has ended.
            BrokenResourceError: the connection to the server broke.
        """
        try:
            data = await self._reader.read(max_bytes)
        except _FOREIGN as error:
            raise anyio.BrokenResourceError from error
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Send bytes, waiting while the channel's window is full.

        Raises:
            BrokenResourceError: the connection to the server broke.
        """
        try:
            self._writer.write(item)
            await self._writer.drain()
        except _FOREIGN as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(OSError):
            self._writer.write_eof()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the channel, and with the last one the connection."""
        shared, self._shared = self._shared, None
        if shared is not None:
            self._writer.close()
            shared.leave()
        await anyio.lowlevel.checkpoint()

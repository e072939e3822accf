"""A stream through an SSH server, over asyncssh; apart from ``ssh`` because asyncssh takes a while to import."""

from contextlib import suppress
from dataclasses import dataclass

import anyio
import asyncssh
import sniffio
from anyio.abc import ByteStream

from rozaneh.core import DialFailed, Failure, Op, Spec, Target
from rozaneh.links.proxy import Proxy
from rozaneh.net import Dialer, Trace
from rozaneh.net.sockets import bare_socket_stream


class Session:
    """The one connection to the server that all streams share; it ends with the last of them."""

    def __init__(self) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.lock: anyio.Lock | None = None
        self._users = 0

    def enter(self) -> None:
        """One more uses it, or is about to."""
        self._users += 1

    def leave(self) -> None:
        """One less does."""
        self._users -= 1
        if self._users == 0 and self.connection is not None:
            self.connection.close()
            self.connection = None


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
            self.session.enter()
            try:
                connection = await self._connected(peer, step.under)
                opened = await connection.open_connection(target.host, target.port, encoding=None)
                return SshStream(*opened, self.session)
            except BaseException as error:
                self.session.leave()
                raise _failure(error) from error

    async def _connected(self, peer: Target, trace: Trace) -> asyncssh.SSHClientConnection:
        self.session.lock = self.session.lock or anyio.Lock()
        async with self.session.lock:
            if self.session.connection is None or self.session.connection.is_closed():
                self.session.connection = await self._connect(await self.inner.dial(peer, trace))
            return self.session.connection

    async def _connect(self, stream: ByteStream) -> asyncssh.SSHClientConnection:
        bare = bare_socket_stream(stream)
        if bare is None:
            await anyio.aclose_forcefully(stream)
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


def _failure(error: BaseException) -> BaseException:
    """What asyncssh raises as a failed dial; anything else as it is."""
    if isinstance(error, asyncssh.ChannelOpenError):
        return DialFailed(Failure.CONNECTION_REFUSED, f"the server cannot reach it: {error.reason[:100]}")
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return DialFailed(Failure.SSL_UNKNOWN_AUTHORITY, "the server shows another key than the one given")
    if isinstance(error, asyncssh.Error):
        return DialFailed(Failure.UNKNOWN_FAILURE, f"the SSH server refuses: {error.reason[:100]}")
    return error


class SshStream(ByteStream):
    """A channel of an SSH connection."""

    def __init__(self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes], session: Session) -> None:
        self._reader = reader
        self._writer = writer
        self._session: Session | None = session

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for bytes.

        Raises:
            EndOfStream: the target has ended.
            BrokenResourceError: the connection to the server broke.
        """
        try:
            data = await self._reader.read(max_bytes)
        except (asyncssh.Error, OSError) as error:
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
        except (asyncssh.Error, OSError) as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(OSError):
            self._writer.write_eof()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the channel, and with the last one the connection."""
        session, self._session = self._session, None
        if session is not None:
            self._writer.close()
            session.leave()
        await anyio.lowlevel.checkpoint()

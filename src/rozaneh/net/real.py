"""The real network: sockets of this host, or of a host of the lab, and the resolver that its programs use."""

import errno
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.from_thread
from anyio.abc import ByteStream, Listener
from anyio.lowlevel import EventLoopToken, current_token

from rozaneh.core import DialFailed, Failure
from rozaneh.core.failure import failure_of_errno
from rozaneh.net.api import Datagrams
from rozaneh.net.resolve import DNS_PORT, ask_udp
from rozaneh.net.sockets import (
    DatagramSocket,
    SocketListener,
    Sockets,
    SocketStream,
    SystemSockets,
    connected,
    family_of,
)
from rozaneh.net.trace import Step, Trace

_FAILURE_OF_GAIERROR = {
    socket.EAI_AGAIN: Failure.DNS_TEMPORARY_FAILURE,
    socket.EAI_FAIL: Failure.DNS_NON_RECOVERABLE_FAILURE,
    socket.EAI_NODATA: Failure.DNS_NO_ANSWER,
    socket.EAI_NONAME: Failure.DNS_NXDOMAIN_ERROR,
}


@dataclass(frozen=True)
class RealNetwork:
    """A network of real sockets.

    Attributes:
        sockets: where they come from.
        resolvers: IP addresses to ask over UDP, as the C library would; none to ask the C library itself.
    """

    sockets: Sockets = field(default_factory=SystemSockets)
    resolvers: Sequence[str] = ()

    async def connect_tcp(self, address: str, port: int) -> ByteStream:
        """Open a TCP connection to an IP address. Raises ``OSError`` as the system calls do."""
        fresh = self.sockets.stream(family_of(address))
        return SocketStream(await connected(fresh, address, port))

    async def connect_udp(self, address: str, port: int) -> Datagrams:
        """Open a UDP socket that talks to one IP address and port. Raises ``OSError`` as the system calls do."""
        fresh = self.sockets.datagram(family_of(address))
        return DatagramSocket(await connected(fresh, address, port))

    async def listen_tcp(self, address: str, port: int) -> Listener[ByteStream]:
        """Listen on an address of this host; port 0 takes a free one. Raises ``OSError`` as the system calls do."""
        return SocketListener(self.sockets.listener(address, port))

    async def resolve(self, host: str, step: Step | None = None, *, listen_late: float = 0.0) -> list[str]:
        """Ask the resolver that this host's programs use.

        Raises:
            DialFailed: with the ``dns_*`` failure that the resolver gave.
            OSError: the resolver could not be asked.
        """
        if not self.resolvers:
            return await _ask_the_library(host)
        step = step or Step(Trace(), 0)
        step.tag(resolver=self.resolvers[0])
        servers = [(address, DNS_PORT) for address in self.resolvers]
        return await ask_udp(self, servers, host, step, listen_late=listen_late)


async def _ask_the_library(host: str) -> list[str]:
    """Call ``getaddrinfo`` in a thread of its own.

    The call cannot be stopped and can take half a minute. The thread is left behind when the caller's deadline passes;
    it is a daemon, so that it does not hold up the end of the program either, as a thread of a pool would.
    """
    call = _Call(host, current_token())
    try:
        threading.Thread(target=call.run, name="rozaneh-getaddrinfo", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "no thread can be started") from error
    await call.done.wait()
    if call.error is not None:
        raise DialFailed(_failure_of(call.error), str(call.error))
    return call.addresses


class _Call:
    """One call of ``getaddrinfo``, between the thread that makes it and the task that waits for it."""

    def __init__(self, host: str, token: EventLoopToken) -> None:
        self.done = anyio.Event()
        self.addresses: list[str] = []
        self.error: OSError | None = None
        self._host = host
        self._token = token

    def run(self) -> None:
        """Make the call, and wake the waiting task if its loop is still there."""
        try:
            found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            self.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except OSError as error:
            self.error = error
        except UnicodeError as error:
            self.error = socket.gaierror(socket.EAI_NONAME, str(error))
        try:
            anyio.from_thread.run_sync(self.done.set, token=self._token)
        except (anyio.RunFinishedError, RuntimeError):
            return  # the program has ended meanwhile; nobody waits


def _failure_of(error: OSError) -> Failure:
    if not isinstance(error, socket.gaierror):
        return failure_of_errno(error.errno)
    return _FAILURE_OF_GAIERROR.get(error.errno or 0, Failure.DNS_SERVER_MISBEHAVING)

"""SOCKS5's UDP ASSOCIATE: datagrams for a client, for as long as the connection stands on which it asked.

Theory of operation. Each association has one socket towards its client, which hears that client alone: its address, and
the first port from which it sends. What comes is judged by :mod:`rozaneh.finder.datagrams` and goes by a *path*:
straight to its place, through a tunnel to a server of the user's, or nowhere. A path is made when it is first needed,
and ends with the association or when too many are open. Questions to port 53 go nowhere at all: they are answered here,
by the trustworthy resolvers, because in the clear they would tell which names are wanted.
"""

import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, SocketAttribute, TaskGroup

from rozaneh.codecs import dns_answer, socks5, socks5_udp
from rozaneh.codecs.socks5_udp import Datagram
from rozaneh.core import DialFailed, Failure, RemoteFault, Target
from rozaneh.core.addresses import is_bogon
from rozaneh.dialers.datagrams import Tunnel
from rozaneh.finder import Finder
from rozaneh.finder.datagrams import Carried, Straight
from rozaneh.gateway.events import Closed, Event, Opened, Refused
from rozaneh.net import Datagrams
from rozaneh.net.trace import NETWORK_ERRORS

__all__ = ["Associations"]

_MOST = 128
_MOST_PATHS = 64
_MOST_QUESTIONS = 32
_LARGEST = 65535
_DNS = 53
_STRAIGHT = "udp"
_RCODES = {
    Failure.DNS_NXDOMAIN_ERROR: "NXDOMAIN",
    Failure.DNS_NO_ANSWER: "NOERROR",
    Failure.DNS_REFUSED_ERROR: "REFUSED",
}


@dataclass
class _Path:
    """One way that datagrams take, and what has moved on it."""

    shown: str
    began: float
    scope: anyio.CancelScope
    tunnel: Tunnel | None = None
    waiting: list[tuple[str, int, bytes]] = field(default_factory=list)
    up: int = 0
    down: int = 0


@dataclass
class Associations:
    """Those of a gateway.

    Attributes:
        finder: says where a datagram may go.
        tell: where events go.
        forbids: whether a target must not be reached at all.
        shown: the target as events name it, or empty.
    """

    finder: Finder
    tell: Callable[[Event], None]
    forbids: Callable[[Target], bool]
    shown: Callable[[Target], str]
    _open: int = 0

    async def serve(self, client: ByteStream, port: int) -> None:
        """Carry datagrams for a client until its connection ends.

        Args:
            client: the connection on which it asked.
            port: from which it says that it will send; 0 where it does not.
        """
        if self._open >= _MOST:
            await client.send(socks5.reply(socks5.GENERAL_FAILURE))
            return
        near = client.extra(SocketAttribute.local_address)[0]
        far = str(client.extra(SocketAttribute.remote_address)[0])  # an error where it has gone already
        with _bound(str(near)) as here:
            self._open += 1
            try:
                await client.send(socks5.reply(socks5.SUCCEEDED, str(near), here.getsockname()[1]))
                async with anyio.create_task_group() as tasks:
                    one = _Association(self, here, (far, port), tasks)
                    tasks.start_soon(one.listen)
                    await _until_it_ends(client)
                    tasks.cancel_scope.cancel()
            finally:
                self._open -= 1
                anyio.notify_closing(here)


class _Association:
    """One client's."""

    def __init__(self, of: Associations, here: socket.socket, client: tuple[str, int], tasks: TaskGroup) -> None:
        self._of = of
        self._here = here
        self._client = client
        self._tasks = tasks
        self._paths: OrderedDict[str, _Path] = OrderedDict()
        self._refused: set[tuple[str, int]] = set()
        self._questions = 0

    async def listen(self) -> None:
        """Take what the client sends."""
        while True:
            await anyio.wait_readable(self._here)
            with suppress(OSError):  # an ICMP error of an earlier datagram, or somebody else was sooner
                message, (address, port, *_) = self._here.recvfrom(_LARGEST)
                if address != self._client[0] or port != (self._client[1] or port):
                    continue
                self._client = (address, port)
                with suppress(RemoteFault):
                    self._take(socks5_udp.unpack(message))

    def _take(self, datagram: Datagram) -> None:
        target = Target(host=datagram.host, port=datagram.port)
        if target.port == _DNS:
            if self._questions < _MOST_QUESTIONS:
                self._questions += 1
                self._tasks.start_soon(self._answer, datagram)
            return
        goes = None if self._of.forbids(target) else self._of.finder.carried(target)
        if goes is None:
            self._refuse(target)
            return
        key = goes.key if isinstance(goes, Carried) else f"{target.host} {target.port}"
        path = self._paths.get(key)
        if path is None:
            path = self._begin(key, goes, target)
        self._paths.move_to_end(key)
        if path.tunnel is None:
            path.waiting = [*path.waiting[-7:], (target.host, target.port, datagram.data)]
        else:
            self._tasks.start_soon(self._send, path, target.host, target.port, datagram.data)

    def _refuse(self, target: Target) -> None:
        """There is no answer in the protocol for this; the user is told once."""
        if (target.host, target.port) not in self._refused and len(self._refused) < _MOST_PATHS:
            self._refused.add((target.host, target.port))
            obstacle = "local" if self._of.forbids(target) else "datagrams"
            self._of.tell(Refused(failure="", obstacle=obstacle, seconds=0.0, host=self._of.shown(target)))

    def _begin(self, key: str, goes: Straight | Carried, target: Target) -> _Path:
        while len(self._paths) >= _MOST_PATHS:
            self._paths.popitem(last=False)[1].scope.cancel()
        shown = goes.shown.removesuffix("|tcp") + "|udp" if isinstance(goes, Carried) else _STRAIGHT
        path = self._paths[key] = _Path(shown, anyio.current_time(), anyio.CancelScope())
        self._tasks.start_soon(self._run, key, path, goes, target)
        return path

    async def _run(self, key: str, path: _Path, goes: Straight | Carried, target: Target) -> None:
        """Open a path, send what waits, and give the client what comes back."""
        opened = goes.carrier() if isinstance(goes, Carried) else _straight(self._of.finder, target)
        try:
            with path.scope:
                async with opened as tunnel:
                    for waiting in path.waiting:
                        await self._send(path, *waiting, tunnel=tunnel)
                    path.waiting, path.tunnel = [], tunnel
                    while True:
                        self._give(path, await tunnel.receive(), target)
        except (*NETWORK_ERRORS, DialFailed, TimeoutError):
            pass  # the next datagram makes it anew
        finally:
            path.tunnel = None
            if self._paths.get(key) is path:
                del self._paths[key]
            if path.down:
                seconds = round(anyio.current_time() - path.began, 6)
                self._of.tell(Closed(way=path.shown, up=path.up, down=path.down, seconds=seconds))

    async def _send(self, path: _Path, host: str, port: int, data: bytes, *, tunnel: Tunnel | None = None) -> None:
        tunnel = tunnel or path.tunnel
        if tunnel is not None:
            path.up += len(data)
            with suppress(*NETWORK_ERRORS):  # it may be closed while this waits for its turn
                await tunnel.send(host, port, data)

    def _give(self, path: _Path, datagram: Datagram, target: Target) -> None:
        if not path.down:
            seconds = round(anyio.current_time() - path.began, 6)
            self._of.tell(Opened(way=path.shown, seconds=seconds, host=self._of.shown(target)))
        path.down += len(datagram.data)
        self._say(datagram.host, datagram.port, datagram.data)

    def _say(self, host: str, port: int, data: bytes) -> None:
        with suppress(OSError):  # a full socket loses datagrams, as networks do
            self._here.sendto(socks5_udp.pack(host, port, data), self._client)

    async def _answer(self, datagram: Datagram) -> None:
        """Answer a question of DNS; what is none gets nothing."""
        try:
            with suppress(RemoteFault):
                asked = dns_answer.read_question(datagram.data)
                self._say(datagram.host, datagram.port, await self._found(asked))
        finally:
            self._questions -= 1

    async def _found(self, asked: dns_answer.Asked) -> bytes:
        if asked.version <= 0:
            return dns_answer.answer(asked, (), 0)
        if self._of.forbids(Target(host=asked.host, port=_DNS)):
            return dns_answer.answer(asked, (), 0, failed="NXDOMAIN")
        try:
            addresses, ttl = await self._of.finder.look_up(asked.host)
        except DialFailed as error:
            return dns_answer.answer(asked, (), 0, failed=_RCODES.get(error.failure, "SERVFAIL"))
        return dns_answer.answer(asked, addresses, ttl)


class _Straight:
    """A socket to one place."""

    def __init__(self, datagrams: Datagrams, target: Target) -> None:
        self._datagrams = datagrams
        self._target = target

    async def send(self, host: str, port: int, data: bytes) -> None:  # noqa: ARG002 - it has one place
        await self._datagrams.send(data)

    async def receive(self) -> Datagram:
        return Datagram(host=self._target.host, port=self._target.port, data=await self._datagrams.receive())


@asynccontextmanager
async def _straight(finder: Finder, target: Target) -> AsyncIterator[Tunnel]:
    addresses = (target.host,) if target.is_literal else (await finder.look_up(target.host))[0]
    public = [address for address in addresses if target.is_literal or not is_bogon(address)]
    if not public:
        raise DialFailed(Failure.DNS_BOGON_ERROR, "no public address")
    datagrams = await finder.network.connect_udp(public[0], target.port)
    try:
        yield _Straight(datagrams, target)
    finally:
        with anyio.CancelScope(shield=True):
            await datagrams.aclose()


def _bound(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    here = socket.socket(family, socket.SOCK_DGRAM)
    try:
        here.setblocking(False)  # noqa: FBT003 - the system's own signature
        here.bind((address, 0))
    except OSError:
        here.close()
        raise
    return here


async def _until_it_ends(client: ByteStream) -> None:
    """Wait for the end of the connection; nothing that is said on it means anything."""
    with suppress(*NETWORK_ERRORS):
        while True:
            await client.receive()

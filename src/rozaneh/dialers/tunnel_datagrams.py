"""Datagrams through a tunnel that carries packets: sockets behind it, which send to anywhere."""

import errno
import ipaddress
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Protocol, TypeVar

import anyio

from rozaneh.codecs.socks5_udp import Datagram
from rozaneh.core import DialFailed
from rozaneh.dialers.wireguard import WireGuardWay
from rozaneh.net import Trace
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import family_of

__all__ = ["Tunnel", "through_wireguard"]

_LARGEST = 65535
_MOST_PLACES = 512

_Value = TypeVar("_Value")


class Tunnel(Protocol):
    """Carries datagrams to anywhere. Errors are ``OSError``."""

    async def send(self, host: str, port: int, data: bytes) -> None:
        """Send one to a place; a name is resolved at the far end."""

    async def receive(self) -> Datagram:
        """Wait for one, and where it comes from."""


class _Inside:
    """One socket of each family behind the tunnel. Names are asked of the tunnel's own resolver."""

    def __init__(
        self, network: RealNetwork, sockets: dict[socket.AddressFamily, socket.socket], lives: Callable[[], bool]
    ) -> None:
        self._network = network
        self._lives = lives
        self._over = anyio.Event()
        self._sockets = sockets
        self._names: OrderedDict[str, str] = OrderedDict()
        self._places: OrderedDict[str, None] = OrderedDict()

    async def send(self, host: str, port: int, data: bytes) -> None:
        address = await self._address(host)
        through = self._sockets.get(family_of(address))
        if through is None:
            raise OSError(errno.EAFNOSUPPORT, "the tunnel has no address of this family")
        _newest(self._places, address, None)
        try:
            through.sendto(data, (address, port))
        except OSError:
            if not self._lives():
                self._over.set()
            raise

    async def receive(self) -> Datagram:
        while not self._over.is_set():
            for each in self._sockets.values():
                with suppress(BlockingIOError):
                    data, (address, port, *_) = each.recvfrom(_LARGEST)
                    # Whoever guesses at our port is not heard.
                    if address in self._places:
                        return Datagram(host=address, port=port, data=data)
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(_first, self._over.wait, waiting.cancel_scope)
                for each in self._sockets.values():
                    waiting.start_soon(_first, partial(anyio.wait_readable, each), waiting.cancel_scope)
        raise ConnectionAbortedError("the tunnel has ended")

    async def _address(self, host: str) -> str:
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            known = self._names.get(host) or await self._resolved(host)
            _newest(self._names, host, known)
            return known

    async def _resolved(self, host: str) -> str:
        try:
            return (await self._network.resolve(host))[0]
        except DialFailed as error:
            raise OSError(errno.EHOSTUNREACH, str(error)) from error


def _newest(kept: "OrderedDict[str, _Value]", key: str, value: _Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST_PLACES:
        kept.popitem(last=False)


async def _first(waits: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
    await waits()
    scope.cancel()


@asynccontextmanager
async def through_wireguard(way: WireGuardWay) -> AsyncIterator[Tunnel]:
    """Open sockets behind the tunnel, which is started where it does not run.

    Raises:
        DialFailed: it cannot be started.
        OSError: it has ended.
    """
    network = await way.inside(Trace())
    with ExitStack() as undo:
        sockets = {}
        for family in {family_of(str(ipaddress.ip_interface(each).ip)) for each in way.conf.addresses}:
            sockets[family] = undo.enter_context(network.sockets.datagram(family))
            undo.callback(anyio.notify_closing, sockets[family])
        yield _Inside(network, sockets, way.lives)

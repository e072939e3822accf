"""Datagrams through a server of the user's: SOCKS5's UDP ASSOCIATE, Shadowsocks of 2017 and of 2022, and WireGuard."""

import ipaddress
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio

from rozaneh.codecs import shadowsocks2022_udp, socks5, socks5_udp
from rozaneh.codecs.shadowsocks import METHODS, key_from_password, open_datagram, seal_datagram
from rozaneh.codecs.shadowsocks2022 import METHODS as METHODS_2022
from rozaneh.codecs.socks5_udp import Datagram
from rozaneh.codecs.socks_address import address_header
from rozaneh.core import DialFailed, Failure, RemoteFault, SpecError
from rozaneh.dialers.tunnel_datagrams import Tunnel, through_wireguard
from rozaneh.dialers.upstream import Upstream, parse_upstream
from rozaneh.dialers.wireguard import WireGuardWay
from rozaneh.links.shadowsocks import Shadowsocks
from rozaneh.links.shadowsocks import parse as parse_shadowsocks
from rozaneh.net import Datagrams, Dialer, Network

__all__ = ["Carrier", "Tunnel", "carrier"]

_PATIENCE = 8.0
_BARE = b"\x00\x00\x00"


Carrier = Callable[[], AbstractAsyncContextManager[Tunnel]]
"""Opens a tunnel. Raises ``DialFailed`` or ``OSError``."""


def carrier(way: Dialer, network: Network) -> Carrier | None:
    """How a way carries datagrams; none where it cannot.

    Only a server that is reached directly can: datagrams do not go through the tricks for streams.
    """
    if isinstance(way, WireGuardWay):
        return partial(through_wireguard, way)
    spec = way.spec
    if len(spec.elements) != 2 or spec.elements[1].name != "tcp":
        return None
    element = spec.elements[0]
    try:
        if element.name == "socks5":
            return partial(_through_socks5, parse_upstream(element, port=1080), network)
        if element.name == "ss":
            link = parse_shadowsocks(str(element).replace("%7C", "|"))
            return partial(_through_shadowsocks, link, network) if not link.plugin else None
    except SpecError:
        return None
    return None


class _Socks5:
    """As RFC 1928 section 7."""

    def __init__(self, datagrams: Datagrams) -> None:
        self._datagrams = datagrams

    async def send(self, host: str, port: int, data: bytes) -> None:
        await self._datagrams.send(socks5_udp.pack(host, port, data))

    async def receive(self) -> Datagram:
        while True:
            message = await self._datagrams.receive()
            try:
                return socks5_udp.unpack(message)
            except RemoteFault:
                continue  # whoever guesses at our port is not heard


class _Sealed:
    """Sealed one by one. The address in them is written as SOCKS5 writes it, without the three bytes before."""

    def __init__(self, datagrams: Datagrams, link: Shadowsocks) -> None:
        self._datagrams = datagrams
        self._method = METHODS[link.method]
        self._key = key_from_password(link.password, self._method.key_size)

    async def send(self, host: str, port: int, data: bytes) -> None:
        await self._datagrams.send(seal_datagram(self._method, self._key, address_header(host, port) + data))

    async def receive(self) -> Datagram:
        while True:
            message = await self._datagrams.receive()
            try:
                return socks5_udp.unpack(_BARE + open_datagram(self._method, self._key, message))
            except RemoteFault:
                continue  # it fails its check


class _Sealed2022:
    """Sealed one by one within a session that lasts as long as this."""

    def __init__(self, datagrams: Datagrams, link: Shadowsocks, now: Callable[[], float] = time.time) -> None:
        self._datagrams = datagrams
        self._association = shadowsocks2022_udp.Association(METHODS_2022[link.method], link.keys)
        self._now = now

    async def send(self, host: str, port: int, data: bytes) -> None:
        await self._datagrams.send(self._association.seal(address_header(host, port), data, now=self._now()))

    async def receive(self) -> Datagram:
        while True:
            message = await self._datagrams.receive()
            try:
                return socks5_udp.unpack(_BARE + self._association.open(message, now=self._now()))
            except RemoteFault:
                continue  # it fails a check, or was there before


@asynccontextmanager
async def _through_socks5(upstream: Upstream, network: Network) -> AsyncIterator[Tunnel]:
    address = await _address(network, upstream.host, upstream.address)
    stream = await network.connect_tcp(address, upstream.port)
    try:
        with anyio.fail_after(_PATIENCE):
            opened = await _associated(upstream, stream.send, stream.receive)
        # A proxy may name the address that it listens on; one that names another turns our datagrams on a stranger.
        if opened.host and not ipaddress.ip_address(opened.host).is_unspecified and opened.host != address:
            raise DialFailed(Failure.UNKNOWN_FAILURE, "the proxy wants datagrams at an address that is not its own")
        datagrams = await network.connect_udp(address, opened.port)
        try:
            yield _Socks5(datagrams)
        finally:
            with anyio.CancelScope(shield=True):
                await datagrams.aclose()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(stream)


async def _associated(
    upstream: Upstream, send: Callable[[bytes], Awaitable[None]], receive: Callable[[], Awaitable[bytes]]
) -> socks5.Opened:
    client = socks5.Client("0.0.0.0", 0, upstream.username, upstream.password, datagrams=True)
    await send(client.hello)
    while True:
        for event in client.receive(await receive()):
            if isinstance(event, socks5.Refused):
                raise DialFailed(event.failure, event.reason)
            if isinstance(event, socks5.Opened):
                return event
            await send(event.data)


@asynccontextmanager
async def _through_shadowsocks(link: Shadowsocks, network: Network) -> AsyncIterator[Tunnel]:
    datagrams = await network.connect_udp(await _address(network, link.host, ""), link.port)
    try:
        yield (_Sealed if link.method in METHODS else _Sealed2022)(datagrams, link)
    finally:
        with anyio.CancelScope(shield=True):
            await datagrams.aclose()


async def _address(network: Network, host: str, known: str) -> str:
    """The server's address, resolved as the way for streams would."""
    if known:
        return known
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return (await network.resolve(host))[0]

"""``wireguard:CONF``: connections through a WireGuard server, by ``wireguard-go`` in a network namespace of its own.

``CONF`` is the ``.conf`` file in URL-safe base64. The machine's routes, addresses and name servers are not touched
(:mod:`rozaneh.net.apart`). Names are asked of the file's ``DNS``, inside the tunnel, or of 8.8.8.8; never outside.
WireGuard does not hide that it is WireGuard: its first packet has 148 bytes of known form, and Iran has dropped it
since October 2022 (github.com/net4people/bbs/issues/140).
"""

import base64
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio

from rozaneh.core import DialFailed, Element, Failure, NotHere, Op, Spec, SpecError, Target
from rozaneh.dialers.helper import found
from rozaneh.dialers.tcp import Tcp
from rozaneh.links.wireguard import WireGuard, parse
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.apart import ApartSockets, Order, start
from rozaneh.net.real import RealNetwork
from rozaneh.net.resolve import resolve_target
from rozaneh.net.sockets import connected, family_of
from rozaneh.words import later

_RESOLVER = "8.8.8.8"
_MTU = 1420
_START = 20.0


@dataclass
class _Tunnel:
    """What runs of a way at the moment."""

    sockets: ApartSockets | None = None
    starting: anyio.Lock | None = None


@dataclass(frozen=True)
class WireGuardWay:
    """Dials in a namespace behind a tunnel.

    Attributes:
        program: the path of ``wireguard-go``.
        conf: what the file says.
        network: over which the tunnel's own packets go; none where it has no sockets.
        spec: the whole way.
    """

    program: str
    conf: WireGuard
    network: RealNetwork | None
    spec: Spec
    _running: _Tunnel = field(default_factory=_Tunnel, repr=False, compare=False)

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Start the tunnel where it does not run, as a step PROXY, then dial in it."""
        return await Tcp(await self.inside(trace), Spec((Element("tcp"),))).dial(target, trace)

    async def inside(self, trace: Trace) -> RealNetwork:
        """The network behind the tunnel, which is started where it does not run. Raises ``DialFailed``."""
        return RealNetwork(await self._tunnel(trace), resolvers=tuple(_resolvers(self.conf)))

    def lives(self) -> bool:
        """Whether the tunnel runs."""
        return self._running.sockets is not None and self._running.sockets.lives

    def close(self) -> None:
        """End the tunnel; the next dial starts it again. It ends by itself when nobody has this way any more."""
        if self._running.sockets is not None:
            self._running.sockets.close()
            self._running.sockets = None

    async def _tunnel(self, trace: Trace) -> ApartSockets:
        self._running.starting = self._running.starting or anyio.Lock()
        async with self._running.starting:
            if self._running.sockets is None or not self._running.sockets.lives:
                place = f"{self.conf.host}:{self.conf.port}"
                async with trace.step(Op.PROXY, peer=place, deadline=_START) as step:
                    self._running.sockets = await self._start(step.under)
            return self._running.sockets

    async def _start(self, trace: Trace) -> ApartSockets:
        if self.network is None:
            raise DialFailed(Failure.UNKNOWN_FAILURE, "'wireguard' needs UDP sockets, and this network has none")
        outside = []
        for peer in self.conf.peers:
            known = await resolve_target(self.network, Target(host=peer.host, port=peer.port), trace)
            fresh = self.network.sockets.datagram(family_of(known.addresses[0]))
            outside.append(await connected(fresh, known.addresses[0], peer.port))
        order = Order(
            program=self.program,
            settings=settings(self.conf),
            addresses=self.conf.addresses,
            routes=tuple(dict.fromkeys(network for peer in self.conf.peers for network in peer.allowed)),
            mtu=self.conf.mtu or _MTU,
        )
        return await start(order, outside)


def _resolvers(conf: WireGuard) -> Iterator[str]:
    """The addresses among the file's DNS; the rest are search names."""
    addresses = []
    for each in conf.dns:
        try:
            addresses.append(str(ipaddress.ip_address(each)))
        except ValueError:
            continue
    yield from addresses or [_RESOLVER]


def settings(conf: WireGuard) -> str:
    """The configuration as ``wireguard-go`` reads it (wireguard.com/xplatform), with ``{peer0}`` for an endpoint."""
    lines = [("set", "1"), ("private_key", _hex(conf.private_key)), ("replace_peers", "true")]
    for index, peer in enumerate(conf.peers):
        lines += [("public_key", _hex(peer.public_key)), ("endpoint", f"{{peer{index}}}")]
        lines += [("preshared_key", _hex(peer.preshared_key))] if peer.preshared_key else []
        lines += [("persistent_keepalive_interval", str(peer.keepalive))] if peer.keepalive else []
        lines += [("allowed_ip", str(ipaddress.ip_network(each, strict=False))) for each in peer.allowed]
    return "".join(f"{key}={value}\n" for key, value in lines) + "\n"


def _hex(key: str) -> str:
    return base64.b64decode(key).hex()


def build(element: Element, network: Network) -> Dialer:
    """Make the leaf from its element."""
    try:
        text = base64.b64decode(element.argument, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise SpecError(
            later("expected a .conf file in URL-safe base64; 'rozaneh ways add --file' makes it of a file")
        ) from None
    conf = parse(text)
    if conf.amnezia:
        raise NotHere(later("a file with AmneziaWG's numbers needs AmneziaWG's own program"))
    if isinstance(network, RealNetwork):
        return WireGuardWay(found("wireguard-go"), conf, network, Spec((element,)))
    return WireGuardWay("", conf, None, Spec((element,)))

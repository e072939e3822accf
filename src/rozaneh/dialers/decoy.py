"""``decoy:NAME[;ttl=N]``: send a ClientHello for another name first, which the site never gets.

Both hellos have the same place in the stream. A filter that keeps what came first, or that looks at the first packets
of a connection alone, reads the harmless name; the kernel of the site throws the decoy away, because its checksum is
wrong, and takes the true one. Filters that verify checksums are not fooled, and some routers at home drop what is
broken: for these, ``ttl=N`` sends a sound decoy that lives for N hops. N must reach the filter and not the site, where
it would spoil the connection; nothing here measures it. Filters that read every segment by itself see the true hello.

It takes a raw socket and a look at the numbers of the connection (``TCP_REPAIR``), so it is for Linux, and for root or
who was given the capabilities ``CAP_NET_RAW`` and ``CAP_NET_ADMIN``. Documented for Iran in January 2026
(github.com/SagerNet/sing-box/issues/4044).
"""

import re
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import SocketAttribute

from rozaneh.codecs.tcp_segment import segment
from rozaneh.core import DialFailed, Element, Failure, NotHere, Spec, SpecError, Target
from rozaneh.dialers.first_flight import FirstFlightStream
from rozaneh.links.url import name_of
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import Sockets
from rozaneh.net.trust import Trust
from rozaneh.words import later

_ARGUMENT = re.compile(r"(?P<name>[^;]+)(?:;ttl=(?P<ttl>[0-9]{1,3}))?")
# linux/tcp.h; the module socket does not know them.
_TCP_REPAIR, _TCP_REPAIR_QUEUE, _TCP_QUEUE_SEQ = 19, 20, 21
_RECEIVE_QUEUE, _SEND_QUEUE = 1, 2
_OFF_WITHOUT_A_PROBE = -1


@dataclass(frozen=True)
class Decoy:
    """Shows a name that is not meant.

    Attributes:
        name: what the decoy asks for.
        ttl: how many hops it lives, with a sound checksum; 0 for the usual number and a wrong checksum.
        sockets: where raw sockets come from; none where there are none.
        inner: the way below.
        spec: the whole way.
    """

    name: str
    ttl: int
    sockets: Sockets | None
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below, and find the socket at its bottom."""
        if self.sockets is None:
            raise DialFailed(Failure.UNKNOWN_FAILURE, "'decoy' is not allowed here: this network has no raw sockets")
        stream = await self.inner.dial(target, trace)
        raw: socket.socket | None = stream.extra(SocketAttribute.raw_socket, None)
        if raw is None:
            await anyio.aclose_forcefully(stream)
            raise DialFailed(Failure.UNKNOWN_FAILURE, "'decoy' needs a TCP socket, and this way has none")
        return DecoyStream(stream, self, raw, self.sockets)


class DecoyStream(FirstFlightStream):
    """A stream before whose first flight something leaves that the other end never gets."""

    def __init__(self, inner: ByteStream, way: Decoy, raw: socket.socket, sockets: Sockets) -> None:
        super().__init__(inner)
        self._way = way
        self._raw = raw
        self._sockets = sockets

    async def send_first(self, flight: bytes) -> None:
        """Send the decoy, then the flight."""
        try:
            _throw(self._raw, self._sockets, hello_for(self._way.name), self._way.ttl)
        except OSError as error:
            raise anyio.BrokenResourceError from error
        await self._inner.send(flight)


def _throw(connected: socket.socket, sockets: Sockets, payload: bytes, ttl: int) -> None:
    """Send a payload in the place of the connection's next bytes, without the connection's knowing."""
    (here, port), (there, to) = connected.getsockname()[:2], connected.getpeername()[:2]
    with _standing_still(connected):
        seq, ack = _next_byte(connected, _SEND_QUEUE), _next_byte(connected, _RECEIVE_QUEUE)
    made = segment(((here, port), (there, to)), seq, ack, payload, broken=ttl == 0)
    with sockets.raw_tcp(connected.family) as thrower:
        thrower.bind((here, 0))
        if ttl:
            six = connected.family == socket.AF_INET6
            option = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL)
            thrower.setsockopt(*option, ttl)
        thrower.sendto(made, (there, 0))


def _next_byte(connected: socket.socket, queue: int) -> int:
    connected.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
    return int(struct.unpack("I", connected.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ, 4))[0])


@contextmanager
def _standing_still(connected: socket.socket) -> Iterator[None]:
    """The kernel shows the numbers of a connection only while it is being repaired, as for moving it elsewhere."""
    connected.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    try:
        yield
    finally:
        connected.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF_WITHOUT_A_PROBE)


def hello_for(name: str) -> bytes:
    """A ClientHello of this Python for a name."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("a handshake that needs no answer")


def refused(network: Network) -> str:
    """Why decoys cannot be sent on a network; empty where they can."""
    if sys.platform != "linux":
        return "it takes Linux"
    if not isinstance(network, RealNetwork):
        return ""
    try:
        network.sockets.raw_tcp(socket.AF_INET).close()
        with network.sockets.stream(socket.AF_INET) as tried, _standing_still(tried):
            return ""
    except OSError as error:
        return f"raw sockets need root, or the capabilities CAP_NET_RAW and CAP_NET_ADMIN ({error.strerror})"


def build(element: Element, inner: Dialer, network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    match = _ARGUMENT.fullmatch(element.argument)
    if match is None or (match["ttl"] is not None and not 1 <= int(match["ttl"]) <= 255):
        raise SpecError(later("expected NAME, or NAME;ttl=N with N from 1 to 255, as in 'decoy:example.org'"))
    name = name_of(match["name"], "the name")
    why = refused(network)
    if why:
        raise NotHere(later("not allowed here: {why}", why=why))
    sockets = network.sockets if isinstance(network, RealNetwork) else None
    return Decoy(name, int(match["ttl"] or 0), sockets, inner, Spec((element,)).through(inner.spec))

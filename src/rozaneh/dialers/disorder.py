"""``disorder:N[;delay=MS]``: let the first piece of the first flight arrive last.

The piece leaves with a time to live of one hop, dies at the first router, and is sent again by the kernel once the
other end misses it, by then with the usual time to live. It beats a censor that reads segments in the order in which
they pass and does not keep what is out of order. It costs a retransmission, 200 ms or more.

It needs the socket of this connection itself: over a stream that has none (a world in memory) the dial fails.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import SocketAttribute

from rozaneh.core import DialFailed, Element, Failure, Spec, Target
from rozaneh.dialers.first_flight import Cuts, FirstFlightStream, parse_cuts
from rozaneh.dialers.split import pieces
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.sockets import bare_socket_stream
from rozaneh.net.trust import Trust

_DELAY_MS = 10


@dataclass(frozen=True)
class Disorder:
    """Delays the first piece of the first flight by a retransmission."""

    cuts: Cuts
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below, and find the socket at its bottom."""
        stream = await self.inner.dial(target, trace)
        raw: socket.socket | None = stream.extra(SocketAttribute.raw_socket, None)
        if raw is None:
            await anyio.aclose_forcefully(stream)
            raise DialFailed(Failure.UNKNOWN_FAILURE, "'disorder' needs a TCP socket, and this way has none")
        return DisorderStream(stream, self.cuts, raw)


class DisorderStream(FirstFlightStream):
    """A stream whose first flight leaves in two pieces, of which the first dies at the first router."""

    def __init__(self, inner: ByteStream, cuts: Cuts, raw: socket.socket) -> None:
        super().__init__(inner)
        self._cuts = cuts
        self._raw = raw

    async def send_first(self, flight: bytes) -> None:
        """Send the first piece with one hop to live, and the others as usual."""
        first, *others = pieces(flight, self._cuts)
        if not others:
            await self._inner.send(first)
            return
        with _one_hop_to_live(self._raw):
            await self._inner.send(first)
            await anyio.sleep(self._cuts.delay)
        rest = b"".join(others)
        await self._inner.send(rest[self._at_once(rest) :])

    def _at_once(self, data: bytes) -> int:
        """Send without waiting where nothing but the socket lies below; how many bytes were taken.

        Whoever waits for a busy machine here gives the kernel time to send the first piece again, now with the usual
        time to live, and the pieces arrive in their order.
        """
        if bare_socket_stream(self._inner) is None:
            return 0
        try:
            return self._raw.send(data)
        except OSError:
            return 0


@contextmanager
def _one_hop_to_live(raw: socket.socket) -> Iterator[None]:
    """What the socket sends meanwhile dies at the first router; the kernel's own retransmission afterwards does not."""
    option = (
        (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
        if raw.family == socket.AF_INET6
        else (socket.IPPROTO_IP, socket.IP_TTL)
    )
    usual = raw.getsockopt(*option)
    raw.setsockopt(*option, 1)
    try:
        yield
    finally:
        raw.setsockopt(*option, usual)


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    cuts = parse_cuts(element.argument, most=1, default_delay_ms=_DELAY_MS)
    return Disorder(cuts, inner, Spec((element,)).through(inner.spec))

"""``split:N[,N...][;delay=MS]``: send the first flight in several TCP segments.

It beats a censor that looks for the server's name in single segments, and not one that puts the stream together
first. Documented for Iran before 2024; see docs/howto/add-a-way.md for how such evidence is dated. ``N`` counts
bytes of the first flight, from its end when negative; ``sni`` is the middle of the server's name in a ClientHello,
which may lie in several TLS records when ``tlsfrag`` stands above.
"""

from dataclasses import dataclass
from itertools import pairwise

import anyio

from rozaneh.codecs.tls import middle_of_name
from rozaneh.core import Element, Spec, Target
from rozaneh.dialers.first_flight import Cuts, FirstFlightStream, parse_cuts
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.trust import Trust

_DELAY_MS = 10


@dataclass(frozen=True)
class Split:
    """Cuts the first flight into segments."""

    cuts: Cuts
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below."""
        return SplitStream(await self.inner.dial(target, trace), self.cuts)


class SplitStream(FirstFlightStream):
    """A stream whose first flight leaves in pieces, each in a ``send`` of its own."""

    def __init__(self, inner: ByteStream, cuts: Cuts) -> None:
        super().__init__(inner)
        self._cuts = cuts

    async def send_first(self, flight: bytes) -> None:
        """Send the pieces, with the delay between them."""
        first, *others = pieces(flight, self._cuts)
        await self._inner.send(first)
        for piece in others:
            await anyio.sleep(self._cuts.delay)
            await self._inner.send(piece)


def pieces(flight: bytes, cuts: Cuts) -> list[bytes]:
    """A first flight cut up."""
    edges = [0, *cuts.offsets(len(flight), middle_of_name(flight)), len(flight)]
    return [flight[start:end] for start, end in pairwise(edges)]


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    cuts = parse_cuts(element.argument, default_delay_ms=_DELAY_MS)
    return Split(cuts, inner, Spec((element,)).through(inner.spec))

"""``tlsfrag:N[,N...]``: send the ClientHello in several TLS records.

It beats a censor that puts the TCP stream together and reads one record, and not one that puts records together or
drops a ClientHello that comes in several. It worked in Iran in 2023 and fails on some operators since May 2024.
``N`` counts bytes of the first record's payload, from its end when negative; ``sni`` is the middle of the server's
name. All records leave in one ``send``, so that a ``split`` below cuts the whole. What does not begin with a TLS
handshake passes unchanged.
"""

from dataclasses import dataclass

from rozaneh.codecs.tls import HEADER, RecordCutter, middle_of_name
from rozaneh.core import Element, Spec, SpecError, Target
from rozaneh.dialers.first_flight import Cuts, parse_cuts
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import StreamOver
from rozaneh.net.trust import Trust


@dataclass(frozen=True)
class TlsFrag:
    """Cuts the first TLS record."""

    cuts: Cuts
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below."""
        return TlsFragStream(await self.inner.dial(target, trace), self.cuts)


class TlsFragStream(StreamOver):
    """A stream whose first TLS record leaves as several."""

    def __init__(self, inner: ByteStream, cuts: Cuts) -> None:
        super().__init__(inner)
        self._cuts = cuts
        self._cutter = RecordCutter(self._places)

    def _places(self, record: bytes) -> list[int]:
        middle = middle_of_name(record)
        return self._cuts.offsets(len(record) - HEADER, None if middle is None else middle - HEADER)

    async def send(self, item: bytes) -> None:
        """Send; the first record in pieces, once it is whole."""
        data = self._cutter.cut(item)
        if data:
            await self._inner.send(data)

    def beneath(self) -> ByteStream | None:
        """The stream below, once the first record has left."""
        return self._inner if self._cutter.done else None


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    if ";" in element.argument:
        raise SpecError("expected positions alone: the records leave together, delays belong to a 'split' below")
    return TlsFrag(parse_cuts(element.argument), inner, Spec((element,)).through(inner.spec))

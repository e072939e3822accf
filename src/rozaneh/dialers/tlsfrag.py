"""``tlsfrag:N[,N...][;pad=K]``: send the ClientHello in several TLS records, or after empty ones.

It beats a censor that puts the TCP stream together and reads one record, and not one that puts records together or
drops a ClientHello that comes in several. It worked in Iran in 2023 and fails on some operators since May 2024.
``N`` counts bytes of the first record's payload, from its end when negative; ``sni`` is the middle of the server's
name. All records leave in one ``send``, so that a ``split`` below cuts the whole. What does not begin with a TLS
handshake passes unchanged.

``pad=K`` puts K empty handshake records in front, with or without cuts (``tlsfrag:pad=1``): whoever looks for the
hello in the first record finds nothing there. A browser's handshake stays whole, because records are no part of what
both ends sign. RFC 8446, section 5.1, forbids such records all the same: servers on OpenSSL and Java skip them (OpenSSL
up to 32), those on Go and GnuTLS end the connection. So it is a way for servers of which one knows, and no report from
the field says that a filter was passed by it.
"""

import re
from dataclasses import dataclass

from rozaneh.codecs.tls import HEADER, RecordCutter, middle_of_name
from rozaneh.core import Element, Spec, SpecError, Target
from rozaneh.dialers.first_flight import Cuts, parse_cuts
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import StreamOver
from rozaneh.net.trust import Trust
from rozaneh.words import later

_PADDED = re.compile(r"(?:(?P<places>[^=]*);)?pad=(?P<padding>[0-9]{1,2})")
_MOST_EMPTY = 16


@dataclass(frozen=True)
class TlsFrag:
    """Cuts the first TLS record."""

    cuts: Cuts
    padding: int
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below."""
        return TlsFragStream(await self.inner.dial(target, trace), self.cuts, self.padding)


class TlsFragStream(StreamOver):
    """A stream whose first TLS record leaves as several, or after empty ones."""

    def __init__(self, inner: ByteStream, cuts: Cuts, padding: int = 0) -> None:
        super().__init__(inner)
        self._cuts = cuts
        self._cutter = RecordCutter(self._places, padding)

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
    places, padding = parse_argument(element.argument)
    return TlsFrag(places, padding, inner, Spec((element,)).through(inner.spec))


def parse_argument(argument: str) -> tuple[Cuts, int]:
    """Read the positions and the number of empty records, of which one may be missing.

    Raises:
        SpecError: it is something else.
    """
    match = _PADDED.fullmatch(argument)
    places, padding = (match["places"] or "", int(match["padding"])) if match else (argument, 0)
    if match and not 1 <= padding <= _MOST_EMPTY:
        raise SpecError(later("expected pad=1 to {most}, found {found}", most=f"pad={_MOST_EMPTY}", found=str(padding)))
    if ";" in places:
        raise SpecError(
            later("expected positions alone, or pad=N: the records leave together, delays belong to a 'split' below")
        )
    return (parse_cuts(places) if places or not match else Cuts(())), padding

"""What the strategies that cut a conversation's first flight have in common."""

import re
from abc import abstractmethod
from dataclasses import dataclass

import anyio

from rozaneh.core import SpecError
from rozaneh.net import ByteStream
from rozaneh.net.streams import StreamOver
from rozaneh.words import later

_MOST_CUTS = 64
_LONGEST_DELAY_MS = 1000
_DELAY = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True)
class Cuts:
    """Where to cut a first flight, and how long to wait between the pieces.

    Attributes:
        positions: bytes from the start, negative ones from the end; none stands for the middle of the server's name.
        delay: seconds between the pieces. A little is needed: a router or a network card may join again what arrives
            at once.
    """

    positions: tuple[int | None, ...]
    delay: float = 0.0

    def offsets(self, length: int, middle_of_name: int | None) -> list[int]:
        """The offsets to cut at, ascending; those at the ends or beyond are passed over.

        Args:
            length: bytes in what is cut.
            middle_of_name: where that is; without a name the middle of the whole is taken.
        """
        middle = length // 2 if middle_of_name is None else middle_of_name
        found = (middle if at is None else at + length if at < 0 else at for at in self.positions)
        return sorted({at for at in found if 0 < at < length})


def parse_cuts(argument: str, *, most: int = _MOST_CUTS, default_delay_ms: int = 0) -> Cuts:
    """Read ``N[,N...][;delay=MS]``, where each N is a number of bytes or ``sni``.

    Raises:
        SpecError: it is something else.
    """
    places, *options = argument.split(";")
    texts = places.split(",")
    if len(texts) > most:
        if most == 1:
            raise SpecError(later("expected at most 1 position, found {texts}", texts=len(texts)))
        raise SpecError(later("expected at most {most} positions, found {texts}", most=most, texts=len(texts)))
    delay_ms = default_delay_ms
    for option in options:
        name, _, value = option.partition("=")
        delay_ms = int(value) if _DELAY.fullmatch(value) else _LONGEST_DELAY_MS + 1
        if name != "delay" or delay_ms > _LONGEST_DELAY_MS:
            raise SpecError(
                later(
                    "expected delay=MS with 0 to {longest_delay_ms} after ';', found {option!r}",
                    longest_delay_ms=_LONGEST_DELAY_MS,
                    option=option[:40],
                )
            )
    return Cuts(tuple(_position(text) for text in texts), delay_ms / 1000)


def _position(text: str) -> int | None:
    if text == "sni":
        return None
    try:
        at = int(text)
    except ValueError:
        at = 0
    if at == 0 or abs(at) > 1 << 16:
        raise SpecError(later("expected numbers of bytes other than 0, or 'sni', found {text!r}", text=text[:40]))
    return at


class FirstFlightStream(StreamOver):
    """A stream whose first flight leaves in another shape; everything after it passes unchanged.

    A flight takes time to leave when there are delays between its pieces. What is sent meanwhile waits for it: whoever
    reads from a stream above may make that say its own first bytes, while somebody else already writes to it.

    Subclasses send the flight by :meth:`send_first`.
    """

    def __init__(self, inner: ByteStream) -> None:
        super().__init__(inner)
        self._flown = False
        self._leaving = anyio.Lock()

    async def send(self, item: bytes) -> None:
        """Send; the first bytes in the shape of this strategy."""
        if not self._flown and item:
            async with self._leaving:
                if not self._flown:
                    await self.send_first(item)
                    self._flown = True
                    return
        await self._inner.send(item)

    @abstractmethod
    async def send_first(self, flight: bytes) -> None:
        """Send the first flight."""

    def beneath(self) -> ByteStream | None:
        """The stream below, once the first flight has left."""
        return self._inner if self._flown else None

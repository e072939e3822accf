"""The finder as a dialer: for what this program itself has to reach, such as a control vantage or a collector.

A finder races ways with the client's first bytes. A dialer is asked for a stream before anything is said. So the stream
is handed out at once and connects with the first bytes that are sent on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anyio.abc import ByteStream

from rozaneh.core import DialFailed, Op, Spec, Target
from rozaneh.finder.finder import Finder
from rozaneh.finder.flight import Flight, FlightReader
from rozaneh.finder.refusal import Refusal
from rozaneh.net import Trace
from rozaneh.net.streams import ClosedOnFailure, Prefixed

if TYPE_CHECKING:
    from rozaneh.finder.race import Connection

__all__ = ["SPEC", "Found", "FoundStream"]

SPEC = Spec.parse("finder")
"""How such an attempt names its way; which one it really was is tagged on the step CONNECT as ``way``."""

_SECONDS = 40.0


@dataclass(frozen=True)
class Found:
    """Dials by whatever way the finder finds.

    Attributes:
        finder: the finder; share one, so that what it learnt is used.
        spec: always :data:`SPEC`.
    """

    finder: Finder
    spec: Spec = field(default=SPEC, init=False)

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """A stream that connects when the first bytes are sent on it."""
        return FoundStream(self.finder, target, trace)


class FoundStream(ByteStream):
    """A stream that is connected by its first bytes.

    Attributes:
        connection: how it was connected; none before that, or where no way was found.
    """

    def __init__(self, finder: Finder, target: Target, trace: Trace) -> None:
        self._finder = finder
        self._target = target
        self._trace = trace
        self._reader = FlightReader()
        self._stream: ByteStream | None = None
        self.connection: Connection | None = None

    async def send(self, item: bytes) -> None:
        """Send bytes. Raises ``DialFailed`` when no way was found."""
        if self._stream is not None:
            await self._stream.send(item)
            return
        flight = self._reader.feed(item)
        if flight is not None:
            await self._connect(flight)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for bytes; whatever was sent until now counts as the first bytes."""
        stream = self._stream or await self._connect(self._reader.give_up())
        return await stream.receive(max_bytes)

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        stream = self._stream or await self._connect(self._reader.give_up())
        await stream.send_eof()

    async def aclose(self) -> None:
        """Close the stream, if there is one."""
        if self._stream is not None:
            await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the stream that was found."""
        return self._stream.extra_attributes if self._stream is not None else {}

    async def _connect(self, flight: Flight) -> ByteStream:
        async with self._trace.step(Op.CONNECT, peer=self._target.authority, deadline=_SECONDS) as step:
            connection = await self._finder.connect(self._target, flight)
            if isinstance(connection, Refusal):
                raise DialFailed(connection.failure, f"no way to {self._target.host}, {connection.tried} tried")
            self.connection = connection
            step.tag(way=connection.way.shown, tried=connection.tried)
        stream = Prefixed(connection.first, connection.stream) if connection.first else connection.stream
        self._stream = stream
        async with ClosedOnFailure(stream):
            if connection.rest:
                await stream.send(connection.rest)
        return stream

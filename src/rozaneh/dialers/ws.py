"""``ws:[path=PATH][&host=NAME]``: carry bytes in a WebSocket (RFC 6455) on the way below, usually ``tls``.

To whoever sees only TLS it is a web page that stays open. It passes content networks and web servers that forward
WebSockets, so the server behind them need not show its own address. It is not hidden from the content network.
"""

import secrets
from dataclasses import dataclass

import anyio
from anyio.lowlevel import checkpoint

from rozaneh.codecs.websocket import Frames, Handshake, Refused, frame
from rozaneh.core import DialFailed, Element, Failure, Op, RemoteFault, Spec, SpecError, Target
from rozaneh.links.url import name_of, path_of, query
from rozaneh.net import ByteStream, Dialer, Network, Step, Trace
from rozaneh.net.exchange import HEADERS
from rozaneh.net.streams import ClosedOnFailure, StreamOver
from rozaneh.net.trust import Trust
from rozaneh.words import later

_LARGEST = 1 << 16


@dataclass(frozen=True)
class WebSocket:
    """Opens a WebSocket on the way below."""

    path: str
    host: str
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below, and ask for the upgrade."""
        async with trace.step(Op.PROXY, peer=target.authority) as step:
            stream = await self.inner.dial(target, step.under)
            async with ClosedOnFailure(stream):
                return await upgrade(stream, self.host or target.authority.removesuffix(":443"), self.path, step)


async def upgrade(stream: ByteStream, host: str, path: str, step: Step) -> ByteStream:
    """Ask for a WebSocket on a stream.

    Raises:
        DialFailed: the server refuses.
    """
    handshake = Handshake(host, path, headers=HEADERS[:1])
    await stream.send(handshake.request)
    step.sent += len(handshake.request)
    answer = None
    while answer is None:
        data = await stream.receive()
        step.received += len(data)
        answer = handshake.receive(data)
    if isinstance(answer, Refused):
        step.tag(status=answer.status)
        raise DialFailed(Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the server answers with status {answer.status}")
    return WebSocketStream(stream, handshake.leftover)


class WebSocketStream(StreamOver):
    """A stream whose bytes travel in frames."""

    def __init__(self, inner: ByteStream, first: bytes = b"") -> None:
        super().__init__(inner)
        self._frames = Frames()
        self._first = first
        self._heard = b""
        self._sending = anyio.Lock()

    async def send(self, item: bytes) -> None:
        """Send, in frames of at most 64 KiB."""
        for start in range(0, len(item), _LARGEST):
            await self._say(frame(item[start : start + _LARGEST], mask=secrets.token_bytes(4)))

    async def _say(self, data: bytes) -> None:
        async with self._sending:
            await self._inner.send(data)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive what frames carry; a ping is answered on the way.

        Raises:
            EndOfStream: the server has closed.
            BrokenResourceError: the other end does not speak WebSocket.
        """
        while not self._heard:
            if self._frames.closed:
                raise anyio.EndOfStream
            data, self._first = self._first, b""
            data = data or await self._inner.receive()
            try:
                self._heard = self._frames.receive(data)
            except RemoteFault as fault:
                raise anyio.BrokenResourceError from fault
            replies, self._frames.replies = self._frames.replies, []
            for opcode, payload in replies:
                await self._say(frame(payload, mask=secrets.token_bytes(4), opcode=opcode))
        taken, self._heard = self._heard[:max_bytes], self._heard[max_bytes:]
        return taken

    async def send_eof(self) -> None:
        """Nothing is said: a WebSocket cannot end in one direction alone, and a close would cut off the answer."""
        await checkpoint()


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    settings = dict(query(element.argument))
    if set(settings) - {"path", "host"}:
        raise SpecError(later("expected path=PATH, host=NAME or both, joined by &"))
    path, host = path_of(settings.get("path", "")), name_of(settings.get("host", ""), "host")
    return WebSocket(path, host, inner, Spec((element,)).through(inner.spec))

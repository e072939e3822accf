"""``doh:NAME@IP[:port]``: ask a resolver over HTTPS (RFC 8484), through the way below, then dial what it answers.

As ``dot``, on the port of the web, so that only the resolver's address or its name can be blocked. It speaks
HTTP/1.1; a resolver that insists on HTTP/2 closes the connection, and the lookup fails.

A handshake costs about five kilobytes and a question a half of one. So the connection may be kept, and what several
lookups ask on it goes out at once: the server answers in their order, and whoever of them waits reads for all of them.
One that is called back meanwhile leaves its answers to be read by the next.
"""

from collections import deque
from functools import partial

import anyio

from rozaneh.codecs.dns import KINDS, Lookup
from rozaneh.codecs.http1 import Body, End, Exchange, Head
from rozaneh.core import DialFailed, Element, Failure, Op, RemoteFault, Spec
from rozaneh.dialers.resolver import (
    Conversation,
    Resolver,
    StreamResolving,
    parse_resolver,
    resolver_faults,
    unless_done,
)
from rozaneh.net import ByteStream, Dialer, Network, Step
from rozaneh.net.resolve import patience, tag_lookup
from rozaneh.net.streams import forsake
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust

_PORT = 443
_PATH = "/dns-query"
_MEDIA = "application/dns-message"
_LONGEST_ANSWER = 65535


class _Asked:
    """The questions of one lookup as requests, and the reader of their answers."""

    def __init__(self, lookup: Lookup, host: str) -> None:
        headers = [("Accept", _MEDIA), ("Content-Type", _MEDIA)]
        self._exchanges = deque(
            Exchange("POST", _PATH, host, headers=headers, body=lookup.questions[kind], keep_open=True)
            for kind in KINDS
        )
        self.lookup = lookup
        self.said = b"".join(exchange.request for exchange in self._exchanges)
        self.received = 0
        self.failed: DialFailed | RemoteFault | None = None
        self._body = bytearray()

    @property
    def over(self) -> bool:
        """Whether all answers are there, or none will be."""
        return not self._exchanges or self.failed is not None

    def feed(self, data: bytes) -> bytes:
        """Take bytes, and return what came after the last answer."""
        self.received += len(data)
        while data and self._exchanges:
            data = self._read(self._exchanges[0], data)
        self.received -= len(data)
        return data

    def _read(self, exchange: Exchange, data: bytes) -> bytes:
        for event in exchange.receive(data):
            if isinstance(event, Head) and event.status != 200:
                raise DialFailed(
                    Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the resolver answers with status {event.status}"
                )
            if isinstance(event, Body):
                self._body += event.data
            if len(self._body) > _LONGEST_ANSWER:
                raise RemoteFault("the resolver answers with more than a DNS message can be")
            if isinstance(event, End):
                self.lookup.receive(bytes(self._body))
                self._body.clear()
                self._exchanges.popleft()
                return exchange.leftover
        return b""


class _Posting:
    """A connection to a resolver, in TLS already, on which lookups overlap."""

    def __init__(self, stream: ByteStream, resolver: Resolver) -> None:
        self.broken = False
        self._stream = stream
        self._resolver = resolver
        self._sending = anyio.Lock()
        self._reading = anyio.Lock()
        self._waiting: deque[_Asked] = deque()

    async def ask(self, lookup: Lookup, step: Step) -> None:
        """Put both questions at once, which share one round trip, and wait for the answers."""
        asked = _Asked(lookup, self._resolver.name)
        async with step.under.step(Op.REQUEST, peer=self._resolver.target.authority) as request:
            await self._say(asked)
            request.sent += len(asked.said)
            try:
                while not asked.over:
                    with patience(lookup) as waiting:
                        await self._hear(asked)
                    if waiting.cancelled_caught:
                        return
            except anyio.EndOfStream:
                if not lookup.responses:
                    raise
                # This server answers one question on a connection: one family is enough to go on.
            finally:
                request.received += asked.received
                tag_lookup(lookup, step)
            if asked.failed is not None:
                with resolver_faults():
                    raise asked.failed

    async def _say(self, asked: _Asked) -> None:
        async with self._sending:
            self._waiting.append(asked)
            with unless_done(self._spoil):  # half a request would spoil what follows
                await self._stream.send(asked.said)

    def _spoil(self) -> None:
        self.broken = True

    async def _hear(self, asked: _Asked) -> None:
        async with self._reading:
            if asked.over:
                return
            if self.broken:
                raise anyio.ClosedResourceError
            try:
                data = await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.broken = True
                raise
            while data:
                data = self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        """Give bytes to whoever asked first, and return what is not for them."""
        if not self._waiting:
            self.broken = True
            return b""
        first = self._waiting[0]
        try:
            data = first.feed(data)
        except (RemoteFault, DialFailed) as fault:
            first.failed = fault
            self.broken = True
            data = b""
        if first.over:
            self._waiting.popleft()
        return data

    async def aclose(self) -> None:
        """Close the connection."""
        self.broken = True
        await forsake(self._stream)


async def _begin(stream: ByteStream, step: Step, *, resolver: Resolver, trust: Trust) -> Conversation:
    peer = resolver.target.authority
    return _Posting(await start_tls(stream, step.under, trust, resolver.name, peer=peer, alpn=("http/1.1",)), resolver)


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    resolver = parse_resolver(element.argument, port=_PORT, named=True)
    begin = partial(_begin, resolver=resolver, trust=trust)
    return StreamResolving("doh", resolver, begin, inner, Spec((element,)).through(inner.spec))

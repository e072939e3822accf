"""``doh:NAME@IP[:port]``: ask a resolver over HTTPS (RFC 8484), through the way below, then dial what it answers.

As ``dot``, on the port of the web, so that only the resolver's address or its name can be blocked. It speaks
HTTP/1.1; a resolver that insists on HTTP/2 closes the connection, and the lookup fails.
"""

from functools import partial

import anyio

from rozaneh.codecs.dns import KINDS, Lookup
from rozaneh.codecs.http1 import Body, End, Exchange, Head
from rozaneh.core import DialFailed, Element, Failure, Op, RemoteFault, Spec
from rozaneh.dialers.resolver import Resolver, StreamResolving, parse_resolver, resolver_faults
from rozaneh.net import ByteStream, Dialer, Network, Step
from rozaneh.net.resolve import patience, tag_lookup
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust

_PORT = 443
_PATH = "/dns-query"
_MEDIA = "application/dns-message"
_LONGEST_ANSWER = 65535


async def _ask(stream: ByteStream, lookup: Lookup, step: Step, *, resolver: Resolver, trust: Trust) -> None:
    peer = resolver.target.authority
    secured = await start_tls(stream, step.under, trust, resolver.name, peer=peer, alpn=("http/1.1",))
    headers = [("Accept", _MEDIA), ("Content-Type", _MEDIA)]
    exchanges = [
        Exchange("POST", _PATH, resolver.name, headers=headers, body=lookup.questions[kind], keep_open=True)
        for kind in KINDS
    ]
    async with step.under.step(Op.REQUEST, peer=peer) as request:
        # Both at once: they share one round trip, and the server answers in their order.
        asked = b"".join(exchange.request for exchange in exchanges)
        await secured.send(asked)
        request.sent += len(asked)
        rest = b""
        for exchange in exchanges:
            with resolver_faults(), patience(lookup) as waiting:
                rest = await _answer(secured, exchange, rest, lookup, request)
            tag_lookup(lookup, step)
            if waiting.cancelled_caught:
                return


async def _answer(secured: ByteStream, exchange: Exchange, data: bytes, lookup: Lookup, step: Step) -> bytes:
    """Read one response into the lookup, and return the bytes that came after it."""
    body = bytearray()
    while True:
        for event in exchange.receive(data) if data else ():
            if isinstance(event, Head) and event.status != 200:
                raise DialFailed(
                    Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the resolver answers with status {event.status}"
                )
            if isinstance(event, Body):
                body += event.data
            if len(body) > _LONGEST_ANSWER:
                raise RemoteFault("the resolver answers with more than a DNS message can be")
            if isinstance(event, End):
                lookup.receive(bytes(body))
                return exchange.leftover
        try:
            data = await secured.receive()
        except anyio.EndOfStream:
            if lookup.responses:
                return b""  # this server answers one question on a connection: one family is enough to go on
            raise
        step.received += len(data)


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    resolver = parse_resolver(element.argument, port=_PORT, named=True)
    ask = partial(_ask, resolver=resolver, trust=trust)
    return StreamResolving("doh", resolver, ask, inner, Spec((element,)).through(inner.spec))

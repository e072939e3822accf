"""What to do on an open stream as part of a measurement: a TLS handshake, a request and its answer.

Each function returns an exchange for :func:`rozaneh.net.measure`. The answer is read in two steps. FIRST_BYTE lasts
until something came; THROUGHPUT until the end of the body or its bound, with a sample of the bytes so far every quarter
of a second, because one total time cannot tell a throttle from a slow start.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio

from rozaneh.codecs.http1 import Body, End, Head
from rozaneh.codecs.http1 import Exchange as HttpExchange
from rozaneh.core import DialFailed, Failure, Op, RemoteFault, TagValue, Target
from rozaneh.net.api import ByteStream, Exchange
from rozaneh.net.response import Response
from rozaneh.net.streams import receive_or_nothing
from rozaneh.net.tls import start_tls
from rozaneh.net.trace import Trace
from rozaneh.net.trust import Trust

MOST_BODY = 1 << 19
"""Bytes of body that are read unless the caller says otherwise: OONI's bound, so that bodies can be compared."""

Look = Callable[[bytes], Mapping[str, TagValue]]
"""Takes the body of an answer and says what is worth recording of it."""

_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
HEADERS = (
    ("User-Agent", _AGENT),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
)
"""Further headers of every request: those of a common browser, because some sites answer nobody else."""


def tls_handshake(target: Target, trust: Trust, *, sni: str | None = None, verify: bool = True) -> Exchange:
    """Shake hands and stop.

    Args:
        target: what the stream leads to.
        trust: whom to believe.
        sni: the name to ask for and to verify; the target's host when not given.
        verify: whether to check the certificate.
    """

    async def exchange(stream: ByteStream, trace: Trace) -> None:
        await start_tls(stream, trace, trust, sni or target.host, peer=target.authority, verify=verify)

    return exchange


def https_get(
    target: Target,
    trust: Trust,
    *,
    sni: str | None = None,
    verify: bool = True,
    most_body: int = MOST_BODY,
    part: bool = False,
    look: Look | None = None,
) -> Exchange:
    """Shake hands and get the target's path.

    Args:
        target: what the stream leads to; its host goes into the request.
        trust: whom to believe.
        sni: the name to ask for and to verify; the target's host when not given.
        verify: whether to check the certificate.
        most_body: bytes of body to read at most.
        part: whether to ask the server for these bytes alone (RFC 9110, section 14.2); it may send everything.
        look: told of the body as far as it was read; what it gives is recorded. Only the head of the body is kept.
    """

    async def exchange(stream: ByteStream, trace: Trace) -> None:
        name = sni or target.host
        secured = await start_tls(stream, trace, trust, name, peer=target.authority, verify=verify, alpn=("http/1.1",))
        await _get(secured, trace, target, most_body, part=part, look=look)

    return exchange


def http_get(target: Target, *, most_body: int = MOST_BODY, part: bool = False, look: Look | None = None) -> Exchange:
    """Get the target's path in the clear.

    Args:
        target: what the stream leads to; its host goes into the request.
        most_body: bytes of body to read at most.
        part: as for :func:`https_get`.
        look: as for :func:`https_get`.
    """

    async def exchange(stream: ByteStream, trace: Trace) -> None:
        await _get(stream, trace, target, most_body, part=part, look=look)

    return exchange


def over_http(
    target: Target,
    trust: Trust,
    request: HttpExchange,
    take: Callable[[bytes], bool],
    read: Callable[[ByteStream], Awaitable[bytes]] = receive_or_nothing,
) -> Exchange:
    """Ask with a request of one's own, over TLS where the target speaks HTTPS, and read until there is enough.

    Args:
        target: what the stream leads to.
        trust: whom to believe.
        request: what is sent.
        take: is given what comes, nothing at the end of the stream, and says whether that is enough.
        read: how more is waited for.
    """

    async def exchange(stream: ByteStream, trace: Trace) -> None:
        below = stream
        if target.speaks == "https":
            below = await start_tls(stream, trace, trust, target.host, peer=target.authority, alpn=("http/1.1",))
        async with trace.step(Op.REQUEST, peer=target.authority):
            await below.send(request.request)
        async with trace.step(Op.THROUGHPUT, peer=target.authority):
            while not take(await read(below)):
                pass

    return exchange


def events_of(request: HttpExchange, data: bytes) -> Sequence[Head | Body | End]:
    """What bytes of an answer hold; none at the end of the stream.

    Raises:
        DialFailed: they are no HTTP, or the answer ends in the middle.
    """
    try:
        return request.receive(data)
    except RemoteFault as fault:
        raise DialFailed(Failure.HTTP_REQUEST_FAILED if data else Failure.EOF_ERROR, str(fault)) from fault


async def _get(
    stream: ByteStream, trace: Trace, target: Target, most_body: int, *, part: bool, look: Look | None
) -> None:
    wanted = (("Range", f"bytes=0-{most_body - 1}"),) if part else ()
    request = HttpExchange("GET", target.path, host_header(target), headers=(*HEADERS, *wanted))
    peer = target.authority
    async with trace.step(Op.REQUEST, peer=peer) as step:
        await stream.send(request.request)
        step.sent += len(request.request)
    async with trace.step(Op.FIRST_BYTE, peer=peer) as step:
        data = await stream.receive()
        step.received += len(data)
    async with trace.step(Op.THROUGHPUT, peer=peer) as step:
        response = Response(most_body, anyio.current_time)
        try:
            while not _take(request, data, response):
                data = await receive_or_nothing(stream)
                step.received += len(data)
        finally:
            step.tag(**response.tags())
            if look is not None:
                step.tag(**look(bytes(response.body)))


def _take(request: HttpExchange, data: bytes, response: Response) -> bool:
    """Feed bytes of the answer, and say whether there is enough of it."""
    events = events_of(request, data)
    for event in events:
        if isinstance(event, Head):
            response.head = event
        elif isinstance(event, Body):
            response.add(event.data)
    return response.enough or any(isinstance(event, End) for event in events)


def host_header(target: Target) -> str:
    """What stands in the ``Host`` header: the port is left out where it is the protocol's own."""
    default = {"https": 443, "http": 80}.get(target.speaks)
    return target.authority.removesuffix(f":{default}")

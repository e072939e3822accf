"""Getting a file by HTTPS, by any way that is open: bounded in bytes and time, and no measurement of anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from rozaneh.codecs.http1 import Body, End, Head
from rozaneh.codecs.http1 import Exchange as HttpExchange
from rozaneh.core import DialFailed, Failure, RemoteFault, Target
from rozaneh.net import ByteStream, Deadlines, Dialer, Exchange, measure
from rozaneh.net.exchange import events_of, host_header, over_http
from rozaneh.net.streams import receive_or_nothing
from rozaneh.net.trust import Trust

DEADLINES = Deadlines(first_byte=15.0, request=15.0, throughput=300.0)
"""Seconds for each step; the body may come slowly, as long as it comes."""

_STALLED = 20.0


class NotFetched(RemoteFault):
    """It did not come; the text says how that ended."""


@dataclass
class _Answer:
    """What has come."""

    head: Head | None = None
    body: bytearray = field(default_factory=bytearray)


async def fetch(target: Target, ways: Sequence[Dialer], trust: Trust, *, longest: int) -> bytes:
    """The file at a target.

    Redirects are not followed: where a file has moved to is for its reader to decide.

    Args:
        target: what to get.
        ways: dialers, tried in order, until one reaches the server.
        trust: whom to believe about certificates.
        longest: bytes that are read.

    Raises:
        NotFetched: no way reaches the server, it does not give the file, or the file is longer.
    """
    failure = "no way to try"
    for dialer in ways:
        answer = _Answer()
        async with await measure(
            dialer, target, exchange=_exchange(target, trust, answer, longest), deadlines=DEADLINES
        ) as measured:
            attempt = measured.attempt
        if attempt.ok:
            return bytes(answer.body)
        failure = (attempt.failure or Failure.UNKNOWN_FAILURE).value
        if answer.head is not None:
            failure = _why(answer.head, failure)
            break  # it was reached, and gave no such file
    raise NotFetched(f"{target.authority} did not give the file: {failure}")


def _why(head: Head, failure: str) -> str:
    if 300 <= head.status < 400:
        return f"it sends on to {head.header('location')[:200] or 'nowhere'}; name that address if you believe it"
    return failure if head.status == 200 else f"its answer is {head.status}"


def _exchange(target: Target, trust: Trust, answer: _Answer, longest: int) -> Exchange:
    request = HttpExchange("GET", target.path, host_header(target), headers=[("Accept", "*/*")])
    return over_http(target, trust, request, lambda data: _take(request, data, answer, longest), _some)


async def _some(stream: ByteStream) -> bytes:
    with anyio.move_on_after(_STALLED):
        return await receive_or_nothing(stream)
    raise DialFailed(Failure.GENERIC_TIMEOUT_ERROR, "nothing came any more")


def _take(request: HttpExchange, data: bytes, answer: _Answer, longest: int) -> bool:
    """Feed bytes of the answer, and say whether it is whole."""
    events = events_of(request, data)
    for event in events:
        if isinstance(event, Head):
            answer.head = event
            if event.status != 200:
                raise DialFailed(Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the answer is {event.status}")
        elif isinstance(event, Body):
            answer.body += event.data
            if len(answer.body) > longest:
                raise DialFailed(Failure.HTTP_REQUEST_FAILED, f"longer than {longest} bytes")
    return any(isinstance(event, End) for event in events)

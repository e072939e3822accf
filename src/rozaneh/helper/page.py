"""Fetching a page and its redirects, as the control of OONI's Web Connectivity does."""

from dataclasses import dataclass, field

from rozaneh.codecs.http1 import Body, End, Head, redirected, title
from rozaneh.codecs.http1 import Exchange as HttpExchange
from rozaneh.codecs.test_helper import Page
from rozaneh.core import Failure, RemoteFault, Target, TargetError
from rozaneh.dialers import build
from rozaneh.net import Deadlines, Exchange, Network, measure
from rozaneh.net.exchange import HEADERS, MOST_BODY, events_of, host_header, over_http
from rozaneh.net.response import Response
from rozaneh.net.trust import Trust

MOST_REDIRECTS = 10
_MOST_HEADERS = 60
_LONGEST_VALUE = 1024
_LONGEST_TITLE = 1024
_LONGEST_START = 65_536


@dataclass
class _Answer:
    """What has come of one page."""

    head: Head | None = None
    length: int = 0
    start: bytearray = field(default_factory=bytearray)


async def fetch(
    target: Target,
    network: Network,
    trust: Trust,
    *,
    deadlines: Deadlines,
    headers: tuple[tuple[str, str], ...] = (),
) -> Page:
    """The last page of a chain of redirects, or how it failed. Every hop is dialled through the same door.

    Args:
        target: where to begin, with its addresses where they are known.
        network: where sockets come from.
        trust: whom to believe.
        deadlines: seconds for each kind of step.
        headers: instead of the usual ones of the same names.
    """
    hop = target
    h3 = ""
    for _ in range(MOST_REDIRECTS + 1):
        answer = _Answer()
        dialer = build("tcp", network, trust=trust)
        try:
            exchange = _exchange(hop, trust, headers, answer)
        except RemoteFault:
            return Page(failure=Failure.HTTP_REQUEST_FAILED.value)
        async with await measure(dialer, hop, exchange=exchange, deadlines=deadlines) as measured:
            failure = measured.failure
        if failure is not None or answer.head is None:
            return Page(failure=(failure or Failure.HTTP_REQUEST_FAILED).value)
        h3 = h3 or _h3_endpoint(answer.head, hop)
        location = answer.head.header("location")
        if not 300 <= answer.head.status < 400 or not location:
            return _page(answer.head, answer, h3)
        try:
            hop = Target.parse(redirected(str(hop), location[:2048]))
        except (TargetError, ValueError):
            return Page(failure=Failure.HTTP_INVALID_REDIRECT_LOCATION_HOST.value)
        if hop.speaks not in ("http", "https"):
            return Page(failure=Failure.HTTP_UNEXPECTED_REDIRECT_URL.value)
    return Page(failure=Failure.HTTP_UNEXPECTED_REDIRECT_URL.value)


def _exchange(target: Target, trust: Trust, headers: tuple[tuple[str, str], ...], answer: _Answer) -> Exchange:
    given = {name.lower() for name, _ in headers}
    sent = (*headers, *((name, value) for name, value in HEADERS if name.lower() not in given))
    request = HttpExchange("GET", target.path, host_header(target), headers=sent)

    return over_http(target, trust, request, lambda data: _take(request, data, answer))


def _take(request: HttpExchange, data: bytes, answer: _Answer) -> bool:
    """Feed bytes of the answer, and say whether there is enough of it."""
    events = events_of(request, data)
    for event in events:
        if isinstance(event, Head):
            answer.head = event
        elif isinstance(event, Body):
            answer.length = min(answer.length + len(event.data), MOST_BODY)
            answer.start += event.data[: _LONGEST_START - len(answer.start)]
    return answer.length >= MOST_BODY or any(isinstance(event, End) for event in events)


def _page(head: Head, answer: _Answer, h3: str) -> Page:
    kept: dict[str, str] = {}
    for name, value in head.headers[:_MOST_HEADERS]:
        kept.setdefault(_canonical(name)[:100], value[:_LONGEST_VALUE])
    return Page(
        body_length=answer.length,
        discovered_h3_endpoint=h3,
        title=title(bytes(answer.start))[:_LONGEST_TITLE],
        headers=kept,
        status_code=head.status,
    )


def page_of_http3(response: Response) -> Page:
    """What came over HTTP/3, in the words of a page over TCP."""
    if response.head is None:
        return Page(failure=Failure.HTTP_REQUEST_FAILED.value)
    named = tuple((name, value) for name, value in response.head.headers if not name.startswith(":"))
    head = Head(status=response.head.status, headers=named)
    return _page(head, _Answer(head=head, length=len(response.body), start=response.body[:_LONGEST_START]), "")


def _canonical(name: str) -> str:
    """A header's name as Go writes it, which OONI's data has: ``Content-Type``."""
    return "-".join(part.capitalize() for part in name.split("-"))


def _h3_endpoint(head: Head, hop: Target) -> str:
    """Where a site says that it speaks HTTP/3 (RFC 7838), if it is on its own host."""
    for entry in head.header("alt-svc")[:500].split(","):
        protocol, _, place = entry.strip().partition(";")[0].partition("=")
        port = place.strip('"').removeprefix(":")
        if protocol == "h3" and port.isascii() and port.isdigit() and len(port) < 6:
            return f"{hop.host}:{port}"
    return ""

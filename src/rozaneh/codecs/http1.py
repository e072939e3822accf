"""HTTP/1.1 as a client speaks it, over h11: one request, one response, bytes in and values out."""

import re
from collections.abc import Sequence
from urllib.parse import quote, urljoin

import h11
import msgspec

from rozaneh.core import RemoteFault

Headers = tuple[tuple[str, str], ...]

_LONGEST_HEAD = 32 * 1024
_MOST_EARLY = 100
_SWITCHING = 101
_MOST_SMALL_CHUNKS, _SMALL = 4096, 16
"""So many chunks may be smaller than that on average. Real servers send few or large ones; a body of single bytes costs
its reader a hundred times what it costs the sender."""

_IN_URLS = "%/:=&?~#+!$,;'@()*[]"
"""What is itself in a URL (RFC 3986, 2.2)."""

_TITLE = re.compile(rb"<title[^>]{0,200}>(.{0,1000}?)</title", re.IGNORECASE | re.DOTALL)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a response.

    Attributes:
        status: the status code.
        headers: names in lower case, and values, in order.
    """

    status: int
    headers: Headers

    def header(self, name: str) -> str:
        """The first value of a header, or empty."""
        return next((value for key, value in self.headers if key == name.lower()), "")


class Body(msgspec.Struct, frozen=True):
    """A piece of the body."""

    data: bytes


class End(msgspec.Struct, frozen=True):
    """The response is complete."""


Event = Head | Body | End


class Exchange:
    """One request and its response.

    Args:
        method: for instance ``GET``.
        path: the request target.
        host: value of the ``Host`` header.
        headers: further headers.
        body: what to send after the head.
        keep_open: whether to leave the connection usable; else the server is asked to close it.
    """

    def __init__(
        self,
        method: str,
        path: str,
        host: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        keep_open: bool = False,
    ) -> None:
        self._peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        length = [("Content-Length", str(len(body)))] if body else []
        self._early = self._chunks = self._body_bytes = 0
        close = [] if keep_open else [("Connection", "close")]
        try:
            head = h11.Request(method=method, target=path, headers=[("Host", host), *headers, *length, *close])
            self.request = (self._peer.send(head) or b"") + self._body(body)
        except h11.LocalProtocolError as error:
            raise RemoteFault(f"no HTTP request can ask for this: {error}") from error

    def _body(self, body: bytes) -> bytes:
        sent = self._peer.send(h11.Data(data=body)) if body else b""
        return (sent or b"") + (self._peer.send(h11.EndOfMessage()) or b"")

    @property
    def leftover(self) -> bytes:
        """The bytes that came after the response."""
        return bytes(self._peer.trailing_data[0])

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server; empty bytes say that it has finished sending.

        Raises:
            RemoteFault: the bytes are no HTTP response, or end in the middle of it.
        """
        events: list[Event] = []
        try:
            self._peer.receive_data(data)
            while True:
                event = self._peer.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return events
                self._bound(event)
                events.extend(_translated(event))
                if isinstance(event, h11.EndOfMessage):
                    return events
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not an HTTP response: {error}") from error

    def _bound(self, event: object) -> None:
        """Refuse what costs more to read than it says."""
        if isinstance(event, h11.InformationalResponse):
            self._early = one_more_early(self._early)
        elif isinstance(event, h11.Data):
            self._body_bytes += len(event.data)
            self._chunks += bool(event.chunk_end)
            if self._chunks > _MOST_SMALL_CHUNKS and self._body_bytes < _SMALL * self._chunks:
                raise RemoteFault("not an HTTP response: too many small chunks")


class Switch:
    """Reads the answer to a request after which the connection is no HTTP any more: a CONNECT or an upgrade.

    Args:
        peer: the client's side, which has asked.
    """

    def __init__(self, peer: h11.Connection) -> None:
        self._peer = peer
        self._early = 0

    def receive(self, data: bytes) -> h11.Response | h11.InformationalResponse | None:
        """Take bytes from the server: its final answer or 101, none while that is incomplete.

        Raises:
            RemoteFault: it ends before that, or only announces answers.
            h11.RemoteProtocolError: they are no HTTP response.
        """
        self._peer.receive_data(data)
        event = self._peer.next_event()
        while isinstance(event, h11.InformationalResponse) and event.status_code != _SWITCHING:
            self._early = one_more_early(self._early)
            event = self._peer.next_event()
        if isinstance(event, h11.ConnectionClosed):
            raise RemoteFault("the other end closed the connection without an answer")
        return event if isinstance(event, h11.Response | h11.InformationalResponse) else None


def one_more_early(count: int) -> int:
    """Count an answer that only announces another one.

    Raises:
        RemoteFault: there are more than any server has to announce.
    """
    if count >= _MOST_EARLY:
        raise RemoteFault("not an HTTP response: early answers without end")
    return count + 1


def _translated(event: object) -> list[Event]:
    if isinstance(event, h11.Response):
        return [Head(status=event.status_code, headers=_text(event.headers))]
    if isinstance(event, h11.Data):
        return [Body(bytes(event.data))]
    return [End()] if isinstance(event, h11.EndOfMessage) else []


def _text(headers: h11._headers.Headers) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def redirected(url: str, location: str) -> str:
    """Where an answer to a request for ``url`` sends its reader.

    A location should be ASCII (RFC 9110, 10.2.2), and servers send octets of UTF-8 all the same, which browsers read
    so; other octets stay as they came, percent-encoded.

    Args:
        url: what was asked for.
        location: the value of the header, an octet a character as in :class:`Head`.

    Raises:
        ValueError: the two are not a URL.
    """
    try:
        octets = location.encode("latin-1")
    except UnicodeEncodeError:  # it was read by a library, which has done this
        return urljoin(url, location)
    try:
        return urljoin(url, octets.decode())
    except UnicodeDecodeError:
        return urljoin(url, quote(octets, safe=_IN_URLS))


def title(body: bytes) -> str:
    """The title of an HTML page, with runs of white space made one space; empty when there is none."""
    found = _TITLE.search(body)
    return " ".join(found.group(1).decode("utf-8", "replace").split()) if found else ""

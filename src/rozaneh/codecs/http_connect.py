"""HTTP's CONNECT method (RFC 9110 section 9.3.6), both ends, over h11."""

import base64

import h11
import msgspec

from rozaneh.codecs.http1 import Headers, Switch
from rozaneh.core import RemoteFault, TargetError
from rozaneh.core.target import clean_host

_LONGEST_HEAD = 16 * 1024


class Opened(msgspec.Struct, frozen=True):
    """The proxy has connected; what follows belongs to the target."""


class Refused(msgspec.Struct, frozen=True):
    """The proxy refuses.

    Attributes:
        status: its status code; 407 asks for a user name and password.
    """

    status: int


class ConnectClient:
    """Asks a proxy for a connection.

    Args:
        authority: ``host:port`` of the target, brackets around IPv6.
        username: empty for no authentication.
        password: belongs to the user name.
    """

    def __init__(self, authority: str, username: str = "", password: str = "") -> None:
        self._peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        headers = [("Host", authority)]
        if username:
            token = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
            headers.append(("Proxy-Authorization", f"Basic {token}"))
        try:
            head = self._peer.send(h11.Request(method="CONNECT", target=authority, headers=headers))
            self.request = (head or b"") + (self._peer.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise RemoteFault(f"no proxy can be asked for this: {error}") from error
        self._answer = Switch(self._peer)

    @property
    def leftover(self) -> bytes:
        """The bytes that came after the proxy's answer."""
        return bytes(self._peer.trailing_data[0])

    def receive(self, data: bytes) -> Opened | Refused | None:
        """Take bytes from the proxy; none while its answer is incomplete.

        Raises:
            RemoteFault: the bytes are no HTTP response, or end before it does.
        """
        try:
            answer = self._answer.receive(data)
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not the answer of an HTTP proxy: {error}") from error
        if answer is None:
            return None
        return Opened() if 200 <= answer.status_code < 300 else Refused(answer.status_code)


class RequestHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head of what a client asks of a proxy.

    Attributes:
        method: for instance ``CONNECT``.
        target: the request target as it stands there.
        headers: names in lower case, and values.
    """

    method: str
    target: str
    headers: Headers

    @property
    def authority(self) -> tuple[str, int]:
        """Host and port of a CONNECT.

        Raises:
            RemoteFault: this is no CONNECT, or its target is not ``host:port``.
        """
        host, colon, port = self.target.rpartition(":")
        if self.method != "CONNECT" or not colon or not (port.isascii() and port.isdigit()):
            raise RemoteFault(f"expected CONNECT host:port, got {self.method[:20]} {self.target[:60]!r}")
        try:
            clean = clean_host(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
        except TargetError as error:
            raise RemoteFault(str(error)) from error
        if len(port) > 5 or not 1 <= int(port) <= 65535:
            raise RemoteFault(f"not a port: {port[:10]}")
        return clean, int(port)


class ConnectServer:
    """Reads the head of one request to a proxy."""

    def __init__(self) -> None:
        self._peer = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)

    @property
    def leftover(self) -> bytes:
        """The bytes that came after the head: with CONNECT they are for the target."""
        return bytes(self._peer.trailing_data[0])

    def receive(self, data: bytes) -> RequestHead | None:
        """Take bytes from the client; none while the head is incomplete.

        Raises:
            RemoteFault: the bytes are no HTTP request, or end before its head does.
        """
        try:
            self._peer.receive_data(data)
            event = self._peer.next_event()
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not an HTTP request: {error}") from error
        if isinstance(event, h11.ConnectionClosed):
            raise RemoteFault("the client closed the connection without a request")
        if not isinstance(event, h11.Request):
            return None
        return RequestHead(
            method=event.method.decode("ascii"),
            target=event.target.decode("latin-1"),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers),
        )


def reply(status: int, reason: str, body: str = "") -> bytes:
    """The bytes of a proxy's answer; one without a body of 200 opens the tunnel."""
    if status == 200:
        return f"HTTP/1.1 200 {reason}\r\n\r\n".encode("ascii")
    text = (body or reason).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + text

"""What a client wants: SOCKS5, SOCKS4a, HTTP CONNECT or a plain HTTP request on one port, told apart by the first byte.

The wish is read with bounds on its size, by a parser without input or output; the deadline is the gateway's. Whatever
is none of these is answered in a way that its sender can read, and never acted upon: a page in a browser can make it
send a POST to this port.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from anyio.abc import ByteStream

from rozaneh.codecs import http_connect, http_forward, socks4, socks5
from rozaneh.codecs.http_connect import RequestHead
from rozaneh.core import Failure, RemoteFault, Target
from rozaneh.core.target import Speaks
from rozaneh.gateway.one_request import OneRequest
from rozaneh.gateway.pac import PATHS, answer

__all__ = ["Association", "Credentials", "Front", "Heard", "Nothing", "Tongue", "Wish", "hear"]

Credentials = tuple[str, str]
"""A user name and a password that clients have to show."""

_SPEAKS: dict[int, Speaks] = {443: "https", 80: "http", 53: "dns"}
_WHO_ARE_YOU = (
    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="rozaneh", charset="UTF-8"\r\n'
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Nothing(msgspec.Struct, frozen=True):
    """A client that asked for nothing we do; it has been told.

    Attributes:
        reason: one line for a person.
    """

    reason: str


class Tongue(Protocol):
    """How to answer a client."""

    def accepted(self) -> bytes:
        """It may speak to its target now."""

    def refused(self, failure: Failure, reason: str, *, forbidden: bool) -> bytes:
        """There is no connection."""


@dataclass(frozen=True, slots=True)
class _Socks:
    def accepted(self) -> bytes:
        return _SUCCEEDED

    def refused(self, failure: Failure, reason: str, *, forbidden: bool) -> bytes:  # noqa: ARG002 - SOCKS has no words
        return socks5.reply(socks5.NOT_ALLOWED) if forbidden else socks5.reply_for(failure)


@dataclass(frozen=True, slots=True)
class _Socks4:
    def accepted(self) -> bytes:
        return socks4.GRANTED

    def refused(self, failure: Failure, reason: str, *, forbidden: bool) -> bytes:  # noqa: ARG002 - it has one word
        return socks4.REFUSED


@dataclass(frozen=True, slots=True)
class _Http:
    plain: bool = False

    def accepted(self) -> bytes:
        return b"" if self.plain else http_connect.reply(200, "Connection established")

    def refused(self, failure: Failure, reason: str, *, forbidden: bool) -> bytes:
        if forbidden:
            return http_connect.reply(403, "Forbidden", reason)
        if failure is Failure.GENERIC_TIMEOUT_ERROR:
            return http_connect.reply(504, "Gateway Timeout", reason)
        return http_connect.reply(502, "Bad Gateway", reason)


_SUCCEEDED = socks5.reply(socks5.SUCCEEDED)
_SOCKS, _SOCKS4, _HTTP, _PLAIN_HTTP = _Socks(), _Socks4(), _Http(), _Http(plain=True)


@dataclass(frozen=True, slots=True)
class Wish:
    """A connection that a client wants.

    Attributes:
        target: where to.
        rest: what the client said already, to its target.
        tongue: how to answer it.
        body: bytes that it may still say, where it speaks of one request alone; none where it may say what it likes.
    """

    target: Target
    rest: bytes
    tongue: Tongue
    body: int | None = None

    def speaker(self, client: ByteStream) -> ByteStream:
        """The client, as it is to be listened to from now on."""
        return client if self.body is None else OneRequest(client, self.body)


@dataclass(frozen=True, slots=True)
class Association:
    """Datagrams that a client wants to send.

    Attributes:
        port: from which it says that it will; 0 where it does not.
    """

    port: int


Heard = Wish | Association | Nothing
"""What a client wants, once that is known."""


class Front:
    """Takes a client's bytes until it is known what it wants. No input or output: :attr:`answer` is what to send it.

    Args:
        credentials: what it has to show first; none where nothing is asked.
        door: the address and port by which it came.
    """

    __slots__ = ("_credentials", "_data", "_door", "_http", "_listen", "_socks", "answer")

    def __init__(self, credentials: Credentials | None, door: Callable[[], tuple[str, int]]) -> None:
        self.answer = b""
        self._credentials = credentials
        self._door = door
        self._data = b""
        self._listen: Callable[[bytes], Heard | None] = self._begin

    def receive(self, data: bytes) -> Heard | None:
        """Take bytes; none while more are needed. Whatever happens, ``answer`` is to be sent, and is replaced.

        Raises:
            RemoteFault: it speaks nothing that we know.
        """
        self.answer = b""
        heard = self._listen(data)
        if heard is not None:
            self._listen = _no_more  # its own method would keep it until the collector of cycles comes
        return heard

    def _begin(self, data: bytes) -> Heard | None:
        first = data[:1]
        if first[0] == socks5.VERSION:
            self._socks = socks5.Server(self._credentials)
            self._listen = self._socks5
        elif first[0] == socks4.VERSION:
            self._listen = self._socks4
        elif first.isalpha():
            self._http = http_connect.ConnectServer()
            self._listen = self._request
        elif first[0] == 0x16:
            raise RemoteFault("a client began with TLS: set it to an HTTP or SOCKS5 proxy, not to an HTTPS one")
        else:
            raise RemoteFault(f"a client began with byte 0x{first[0]:02x}; expected SOCKS5 or HTTP")
        return self._listen(data)

    def _socks5(self, data: bytes) -> Heard | None:
        for event in self._socks.receive(data):
            match event:
                case socks5.Send():
                    self.answer += event.data
                case socks5.Asked():
                    return Wish(_target(event.host, event.port), self._socks.leftover, _SOCKS)
                case socks5.Associates():
                    return Association(event.port)
                case socks5.Rejected():
                    return Nothing(event.reason)
        return None

    def _socks4(self, data: bytes) -> Heard | None:
        if self._credentials is not None:
            self.answer = socks4.REFUSED
            return Nothing("a client speaks SOCKS4, which has no password; set it to SOCKS5")
        self._data += data
        try:
            asked = socks4.request(self._data)
            return None if asked is None else Wish(_target(asked.host, asked.port), asked.leftover, _SOCKS4)
        except RemoteFault:
            self.answer = socks4.REFUSED
            raise

    def _request(self, data: bytes) -> Heard | None:
        try:
            head = self._http.receive(data)
            return None if head is None else self._asked(head, self._http.leftover)
        except RemoteFault as fault:
            self.answer = http_connect.reply(400, "Bad Request", str(fault))
            raise

    def _asked(self, head: RequestHead, leftover: bytes) -> Heard:
        if head.method != "CONNECT" and not head.target.startswith("http"):
            return self._page(head)
        if not _known(head, self._credentials):
            self.answer = _WHO_ARE_YOU
            return Nothing("a client gave no user name and password, or wrong ones")
        if head.method == "CONNECT":
            return Wish(_target(*head.authority), leftover, _HTTP)
        plain = http_forward.forward(head)
        # What follows the request on this connection is for somebody else, perhaps: it is never sent there.
        body = leftover[: plain.body]
        return Wish(_target(plain.host, plain.port), plain.head + body, _PLAIN_HTTP, plain.body - len(body))

    def _page(self, head: RequestHead) -> Nothing:
        """This port is no web server; its one page tells programs how to use it, and only by the port's own name."""
        address, port = self._door()
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        named = [value for key, value in head.headers if key == "host"]
        if head.method == "GET" and head.target in PATHS and named in ([place], [f"localhost:{port}"]):
            self.answer = answer(place)
            return Nothing("")
        self.answer = http_connect.reply(400, "Bad Request", "this is a proxy, not a web server")
        return Nothing("a client took the proxy for a web server")


def _no_more(_: bytes) -> None:
    """Nobody is to be asked again."""


async def hear(client: ByteStream, front: Front) -> Heard:
    """Read what a client wants.

    Args:
        client: the client.
        front: takes its bytes, and may have taken some already.

    Raises:
        RemoteFault: it speaks nothing that we know.
        EndOfStream, BrokenResourceError: it has gone.
    """
    heard = None
    while heard is None:
        data = await client.receive()
        try:
            heard = front.receive(data)
        finally:
            if front.answer:
                await client.send(front.answer)
    return heard


def _known(head: RequestHead, credentials: Credentials | None) -> bool:
    """Whether the client showed what it has to."""
    if credentials is None:
        return True
    shown = next((value for key, value in head.headers if key == "proxy-authorization"), "")
    scheme, _, token = shown.partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, ":".join(credentials).encode())


def _target(host: str, port: int) -> Target:
    if not port:
        raise RemoteFault("a client asked for port 0")
    return Target(host=host, port=port, speaks=_SPEAKS.get(port, "raw"))

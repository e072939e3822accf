"""What a client wants: SOCKS5, SOCKS4a, HTTP CONNECT or a plain HTTP request on one port, told apart by the first byte.

The wish is read with bounds on its size; the deadline is the gateway's. Whatever is none of these is answered in a way
that its sender can read, and never acted upon: a page in a browser can make it send a POST to this port.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Protocol

import msgspec
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.codecs import http_connect, http_forward, socks4, socks5
from rozaneh.codecs.http_connect import RequestHead
from rozaneh.core import Failure, RemoteFault, Target
from rozaneh.core.target import Speaks
from rozaneh.gateway.one_request import OneRequest
from rozaneh.gateway.pac import PATHS, answer

__all__ = ["Association", "Credentials", "Nothing", "Wish", "hear"]

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
        return socks5.reply(socks5.SUCCEEDED)

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


@dataclass(frozen=True, slots=True)
class Wish:
    """A connection that a client wants.

    Attributes:
        target: where to.
        rest: what the client said already, to its target.
        tongue: how to answer it.
        client: the client, as it is to be listened to from now on.
    """

    target: Target
    rest: bytes
    tongue: Tongue
    client: ByteStream


@dataclass(frozen=True, slots=True)
class Association:
    """Datagrams that a client wants to send.

    Attributes:
        port: from which it says that it will; 0 where it does not.
    """

    port: int


async def hear(client: ByteStream, credentials: Credentials | None = None) -> Wish | Association | Nothing:
    """Read what a client wants.

    Args:
        client: the client.
        credentials: what it has to show first; none where nothing is asked.

    Raises:
        RemoteFault: it speaks nothing that we know.
        EndOfStream, BrokenResourceError: it has gone.
    """
    first = await client.receive(1)
    if first[0] == socks5.VERSION:
        return await _hear_socks5(client, first, credentials)
    if first[0] == socks4.VERSION:
        return await _hear_socks4(client, first, credentials)
    if first.isalpha():
        return await _hear_http(client, first, credentials)
    if first[0] == 0x16:
        raise RemoteFault("a client began with TLS: set it to an HTTP or SOCKS5 proxy, not to an HTTPS one")
    raise RemoteFault(f"a client began with byte 0x{first[0]:02x}; expected SOCKS5 or HTTP")


async def _hear_socks5(
    client: ByteStream, data: bytes, credentials: Credentials | None
) -> Wish | Association | Nothing:
    server = socks5.Server(credentials)
    while True:
        for event in server.receive(data):
            match event:
                case socks5.Send():
                    await client.send(event.data)
                case socks5.Asked():
                    return Wish(_target(event.host, event.port), server.leftover, _Socks(), client)
                case socks5.Associates():
                    return Association(event.port)
                case socks5.Rejected():
                    return Nothing(event.reason)
        data = await client.receive()


async def _hear_socks4(client: ByteStream, data: bytes, credentials: Credentials | None) -> Wish | Nothing:
    if credentials is not None:
        await client.send(socks4.REFUSED)
        return Nothing("a client speaks SOCKS4, which has no password; set it to SOCKS5")
    try:
        while (asked := socks4.request(data)) is None:
            data += await client.receive()
        return Wish(_target(asked.host, asked.port), asked.leftover, _Socks4(), client)
    except RemoteFault:
        await client.send(socks4.REFUSED)
        raise


async def _hear_http(client: ByteStream, data: bytes, credentials: Credentials | None) -> Wish | Nothing:
    server = http_connect.ConnectServer()
    try:
        while (head := server.receive(data)) is None:
            data = await client.receive()
        if head.method != "CONNECT" and not head.target.startswith("http"):
            return await _page(client, head)
        if not _known(head, credentials):
            await client.send(_WHO_ARE_YOU)
            return Nothing("a client gave no user name and password, or wrong ones")
        if head.method == "CONNECT":
            host, port = head.authority
            return Wish(_target(host, port), server.leftover, _Http(), client)
        plain = http_forward.forward(head)
    except RemoteFault as fault:
        await client.send(http_connect.reply(400, "Bad Request", str(fault)))
        raise
    # What follows the request on this connection is for somebody else, perhaps: it is never sent there.
    body = server.leftover[: plain.body]
    rest = OneRequest(client, plain.body - len(body))
    return Wish(_target(plain.host, plain.port), plain.head + body, _Http(plain=True), rest)


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


async def _page(client: ByteStream, head: RequestHead) -> Nothing:
    """This port is no web server; the one page that it has tells programs how to use it, and only by its own name."""
    address, port = str(client.extra(SocketAttribute.local_address)[0]), client.extra(SocketAttribute.local_port)
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    named = [value for key, value in head.headers if key == "host"]
    if head.method == "GET" and head.target in PATHS and named in ([place], [f"localhost:{port}"]):
        await client.send(answer(place))
        return Nothing("")
    await client.send(http_connect.reply(400, "Bad Request", "this is a proxy, not a web server"))
    return Nothing("a client took the proxy for a web server")


def _target(host: str, port: int) -> Target:
    if not port:
        raise RemoteFault("a client asked for port 0")
    return Target(host=host, port=port, speaks=_SPEAKS.get(port, "raw"))

"""What a client wants: SOCKS5 or HTTP CONNECT on one port, told apart by the first byte.

The wish is read with bounds on its size; the deadline is the gateway's. Whatever is neither is answered in a way that
its sender can read, and never acted upon: a page in a browser can make it send a POST to this port.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec
from anyio.abc import ByteStream

from rozaneh.codecs import http_connect, socks5
from rozaneh.core import Failure, RemoteFault, Target
from rozaneh.core.target import Speaks

__all__ = ["Nothing", "Wish", "hear"]

_SOCKS_VERSIONS = (4, 5)
_NOT_ALLOWED = 2
_SPEAKS: dict[int, Speaks] = {443: "https", 80: "http", 53: "dns"}


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
        return socks5.reply(_NOT_ALLOWED) if forbidden else socks5.reply_for(failure)


@dataclass(frozen=True, slots=True)
class _Http:
    def accepted(self) -> bytes:
        return http_connect.reply(200, "Connection established")

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
    """

    target: Target
    rest: bytes
    tongue: Tongue


async def hear(client: ByteStream) -> Wish | Nothing:
    """Read what a client wants.

    Raises:
        RemoteFault: it speaks nothing that we know.
        EndOfStream, BrokenResourceError: it has gone.
    """
    first = await client.receive(1)
    if first[0] in _SOCKS_VERSIONS:
        return await _hear_socks(client, first)
    if first.isalpha():
        return await _hear_http(client, first)
    if first[0] == 0x16:
        raise RemoteFault("a client began with TLS: set it to an HTTP or SOCKS5 proxy, not to an HTTPS one")
    raise RemoteFault(f"a client began with byte 0x{first[0]:02x}; expected SOCKS5 or HTTP")


async def _hear_socks(client: ByteStream, data: bytes) -> Wish | Nothing:
    server = socks5.Server()
    while True:
        for event in server.receive(data):
            match event:
                case socks5.Send():
                    await client.send(event.data)
                case socks5.Asked():
                    return Wish(_target(event.host, event.port), server.leftover, _Socks())
                case socks5.Rejected():
                    return Nothing(event.reason)
        data = await client.receive()


async def _hear_http(client: ByteStream, data: bytes) -> Wish | Nothing:
    server = http_connect.ConnectServer()
    try:
        while (head := server.receive(data)) is None:
            data = await client.receive()
        if head.method != "CONNECT":
            return await _decline(client, head)
        host, port = head.authority
    except RemoteFault as fault:
        await client.send(http_connect.reply(400, "Bad Request", str(fault)))
        raise
    return Wish(_target(host, port), server.leftover, _Http())


async def _decline(client: ByteStream, head: http_connect.RequestHead) -> Nothing:
    """Plain requests are not proxied; nor does this port answer as a web server, whoever asks."""
    if head.target.startswith(("http://", "https://")):
        advice = "this proxy takes SOCKS5 and CONNECT: use the scheme socks5h:// for it, or ask for https:// addresses"
        await client.send(http_connect.reply(501, "Not Implemented", advice))
        return Nothing("a client asked for a plain request to be proxied; with socks5h:// it works")
    await client.send(http_connect.reply(400, "Bad Request", "this is a proxy, not a web server"))
    return Nothing("a client took the proxy for a web server")


def _target(host: str, port: int) -> Target:
    if not port:
        raise RemoteFault("a client asked for port 0")
    return Target(host=host, port=port, speaks=_SPEAKS.get(port, "raw"))

"""Relays: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT inside TLS (RFC 9110, 9.3.6).

Names are resolved at the relay, so that the client's resolver never sees them.
"""

import asyncio
import base64
import binascii
import hmac
import struct
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

import msgspec

from rozaneh.core import RemoteFault
from rozaneh.lab.topology import Service
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import option_text
from rozaneh.lab.world.doors import HANDSHAKE_SECONDS, Caller, Stream, relay
from rozaneh.lab.world.http import Response
from rozaneh.lab.world.web import Web, read_request, send_response

_VERSION = 5
_NO_AUTHENTICATION, _USER_PASSWORD, _NONE_ACCEPTED = 0, 2, 0xFF
_SUCCEEDED, _UNREACHABLE, _REFUSED, _NO_COMMAND = 0, 4, 5, 7
_ADDRESS_LENGTHS = {1: 4, 4: 16}
_NAME = 3


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client of a relay wants to go."""

    host: str
    port: int


async def read_destination(read: Callable[[int], Awaitable[bytes]]) -> Destination:
    """Read the form that SOCKS5 and Shadowsocks share: type, address or name, port.

    Args:
        read: gives exactly so many bytes.

    Raises:
        RemoteFault: an address type that does not exist, or a name that is no text.
    """
    kind = (await read(1))[0]
    if kind == _NAME:
        name = await read((await read(1))[0])
        if not name or not name.isascii() or not name.decode("ascii").isprintable():
            raise RemoteFault("not a host name")
        host = name.decode("ascii").lower()
    elif kind in _ADDRESS_LENGTHS:
        packed = await read(_ADDRESS_LENGTHS[kind])
        host = str(IPv4Address(packed) if kind == 1 else IPv6Address(packed))
    else:
        raise RemoteFault("not an address type of SOCKS5")
    return Destination(host=host, port=int.from_bytes(await read(2), "big"))


def socks5(service: Service, host: str, dialler: Dialler) -> Callable[[Caller], Awaitable[None]]:
    """A door for SOCKS5, CONNECT only; with name and password if the service has them."""
    user, password = option_text(service, "user"), option_text(service, "password")

    async def serve(caller: Caller) -> None:
        stream = await caller.stream()
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await _greet(stream, user, password)
            version, command, _ = await stream.exactly(3)
            if version != _VERSION:
                raise RemoteFault("not a SOCKS5 request")
            wanted = await read_destination(stream.exactly)
            if command != 1:
                await stream.send(_reply(_NO_COMMAND))
                return
        try:
            far = await dialler.open(host, wanted.host, wanted.port)
        except ConnectionRefusedError:
            await stream.send(_reply(_REFUSED))
            return
        except OSError:
            await stream.send(_reply(_UNREACHABLE))
            return
        await stream.send(_reply(_SUCCEEDED))
        await relay(stream, far)

    return serve


async def _greet(stream: Stream, user: str, password: str) -> None:
    version, count = await stream.exactly(2)
    methods = await stream.exactly(count)
    wanted = _USER_PASSWORD if user else _NO_AUTHENTICATION
    if version != _VERSION or wanted not in methods:
        await stream.send(bytes((_VERSION, _NONE_ACCEPTED)))
        raise RemoteFault("no method of authentication in common")
    await stream.send(bytes((_VERSION, wanted)))
    if user:
        await _check_password(stream, user, password)


async def _check_password(stream: Stream, user: str, password: str) -> None:
    version, length = await stream.exactly(2)
    given_user = await stream.exactly(length)
    given_password = await stream.exactly((await stream.exactly(1))[0])
    right = version == 1 and _same(given_user, user) and _same(given_password, password)
    await stream.send(bytes((1, 0 if right else 1)))
    if not right:
        raise RemoteFault("wrong user or password")


def _same(given: bytes, wanted: str) -> bool:
    return hmac.compare_digest(given, wanted.encode())


def _reply(code: int) -> bytes:
    return struct.pack("!BBBB4sH", _VERSION, code, 0, 1, b"\0\0\0\0", 0)


def https_proxy(
    service: Service, host: str, address: str, dialler: Dialler, web: Web
) -> Callable[[Caller], Awaitable[None]]:
    """A door for HTTP CONNECT inside TLS. Other requests get a web page, as a relay that hides would do."""
    user, password = option_text(service, "user"), option_text(service, "password")

    async def serve(caller: Caller) -> None:
        stream = await caller.stream(web.front(address))
        while True:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                request = await read_request(stream)
            if request is None:
                return
            if request.method == "CONNECT":
                break
            response = await web.respond(address, request, caller.peer, secure=True)
            await send_response(stream, request, response, keep=request.keep)
            if not request.keep:
                return
        if user and not authorised(request.headers.get("proxy-authorization", ""), user, password):
            needed = (("Proxy-Authenticate", 'Basic realm="lab"'),)
            await send_response(stream, request, Response(status=407, headers=needed, close=True), keep=False)
            return
        try:
            wanted = parse_authority(request.path)
            far = await dialler.open(host, wanted.host, wanted.port)
        except (OSError, RemoteFault):
            await send_response(stream, request, Response(status=502, body=b"cannot connect\n", close=True), keep=False)
            return
        await stream.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await relay(stream, far)

    return serve


def authorised(header: str, user: str, password: str) -> bool:
    """Whether a header of HTTP's Basic scheme holds these (RFC 7617)."""
    scheme, _, text = header.partition(" ")
    try:
        given = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and _same(given, f"{user}:{password}")


def parse_authority(text: str) -> Destination:
    """Read ``host:port`` or ``[IPv6]:port``.

    Raises:
        RemoteFault: it is neither.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]").lower()
    if not host or len(host) > 253 or not (port.isascii() and port.isdigit()) or not 0 < int(port[:6]) < 65_536:
        raise RemoteFault("not a host and a port")
    return Destination(host=host, port=int(port))

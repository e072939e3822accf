"""Tunnels inside TLS: trojan, and VLESS in WebSockets, written apart from the product's so that each checks the other.

Sources: trojan-gfw.github.io/trojan/protocol; XTLS ``docs/config/features/vless`` (version 0); RFC 6455. Whoever does
not know the password, or the path and the user, meets a web site.
"""

import asyncio
import base64
import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.lab.topology import Service
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import option_text
from rozaneh.lab.world.doors import HANDSHAKE_SECONDS, Caller, Stream, relay
from rozaneh.lab.world.http import Response
from rozaneh.lab.world.relays import Destination, read_destination
from rozaneh.lab.world.web import Web, read_request, send_response

_Read = Callable[[int], Awaitable[bytes]]
_Serve = Callable[[Caller], Awaitable[None]]

_LONGEST_LINE = 4096
_LONGEST_FRAME = 1 << 20
_CONNECT = 1
_NOT_FOUND = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VLESS_LENGTHS = {1: 4, 3: 16}
_VLESS_NAME = 2
_BINARY, _CLOSE = 2, 8


def trojan(service: Service, host: str, address: str, dialler: Dialler, web: Web) -> _Serve:
    """A door for trojan, CONNECT only."""
    shown = hashlib.sha224(option_text(service, "password").encode()).hexdigest().encode()

    async def serve(caller: Caller) -> None:
        stream = await caller.stream(web.front(address))
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            line = await stream.until(b"\r\n", _LONGEST_LINE)
            if not hmac.compare_digest(line[:-2], shown):
                await stream.send(_NOT_FOUND)
                return
            command = (await stream.exactly(1))[0]
            wanted = await read_destination(stream.exactly)
            if command != _CONNECT or await stream.exactly(2) != b"\r\n":
                raise RemoteFault("a request that trojan does not have")
        await relay(stream, await dialler.open(host, wanted.host, wanted.port))

    return serve


def vless(service: Service, host: str, address: str, dialler: Dialler, web: Web) -> _Serve:
    """A door for VLESS in WebSockets at one path; other paths are those of a web site.

    Raises:
        LocalFault: its user is no UUID.
    """
    path = option_text(service, "path", "/")
    try:
        user = uuid.UUID(option_text(service, "user")).bytes
    except ValueError:
        raise LocalFault(f"service 'vless' {service.names[:1]}: the option 'user' has to be a UUID") from None

    async def serve(caller: Caller) -> None:
        stream = await caller.stream(web.front(address))
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            request = await read_request(stream)
            if request is None:
                return
            key = request.headers.get("sec-websocket-key", "")
            if request.path != path or not key:
                response = Response(status=404, body=b"nothing here\n", close=True)
                await send_response(stream, request, response, keep=False)
                return
            digest = base64.b64encode(hashlib.sha1(f"{key}{_WEBSOCKET}".encode(), usedforsecurity=False).digest())
            await stream.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
            )
            near = _Framed(stream)
            wanted = await vless_request(near.exactly, user)
        far = await dialler.open(host, wanted.host, wanted.port)
        await near.send(bytes(2))
        await relay(near, far)

    return serve


async def vless_request(read: _Read, user: bytes) -> Destination:
    """Read what a client of VLESS wants.

    Args:
        read: gives exactly so many bytes.
        user: who may want something, 16 bytes.

    Raises:
        RemoteFault: it is no such request, or somebody else's.
    """
    version, given, more = (await read(1))[0], await read(16), (await read(1))[0]
    await read(more)
    command, high, low, kind = await read(4)
    if version or command != _CONNECT or not hmac.compare_digest(given, user):
        raise RemoteFault("a request that VLESS does not have, or a stranger's")
    if kind == _VLESS_NAME:
        name = (await read((await read(1))[0])).decode("ascii", "replace")
    elif kind in _VLESS_LENGTHS:
        packed = await read(_VLESS_LENGTHS[kind])
        name = str(IPv4Address(packed) if kind == 1 else IPv6Address(packed))
    else:
        raise RemoteFault("an address type that VLESS does not have")
    return Destination(host=name.lower(), port=high << 8 | low)


async def read_frame(read: _Read) -> bytes | None:
    """Read one frame of a client: what it carries, which is nothing in a ping; none when it says goodbye.

    Raises:
        RemoteFault: it is not masked, or too long.
    """
    first, second = await read(2)
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(await read(2 if size == 126 else 8), "big")
    if not second & 0x80 or size > _LONGEST_FRAME:
        raise RemoteFault("a frame that is not masked, or too long")
    mask, payload = await read(4), await read(size)
    if first & 0x0F == _CLOSE:
        return None
    if first & 0x0F > _BINARY:
        return b""
    stream = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


class _Framed(Stream):
    """A stream whose bytes travel in WebSocket frames; this is the server's end."""

    def __init__(self, inner: Stream) -> None:
        super().__init__(inner.reader, inner.writer)
        self._left = b""

    async def some(self, most: int = 65_536) -> bytes:
        while not self._left:
            if not await self._frame():
                return b""
        taken, self._left = self._left[:most], self._left[most:]
        return taken

    async def exactly(self, count: int) -> bytes:
        while len(self._left) < count:
            if not await self._frame():
                raise EOFError
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    async def send(self, data: bytes) -> None:
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7f" + size.to_bytes(8, "big")
        if 126 <= size < 65_536:
            length = b"\x7e" + size.to_bytes(2, "big")
        await super().send(bytes([0x80 | _BINARY]) + length + data)

    async def _frame(self) -> bool:
        """Read one frame; false at the end."""
        try:
            data = await read_frame(super().exactly)
        except EOFError:
            return False
        self._left += data or b""
        return data is not None

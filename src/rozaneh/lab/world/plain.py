"""Servers that speak little: echo, banner, opaque bytes."""

import asyncio
import secrets
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

from rozaneh.lab.world.doors import IDLE_SECONDS, Caller, Stream

_LONGEST_ANSWER = 2048


async def echo(caller: Caller) -> None:
    """Send back what comes, until it ends."""
    stream = await caller.stream()
    while data := await _some(stream):
        await stream.send(data)


def banner(text: str) -> Callable[[Caller], Awaitable[None]]:
    """A door that speaks first, as SSH and SMTP do, and then only listens."""

    async def serve(caller: Caller) -> None:
        stream = await caller.stream()
        await stream.send(text.encode() + b"\r\n")
        while await _some(stream):
            pass

    return serve


def opaque(context: Callable[[], ssl.SSLContext] | None = None) -> Callable[[Caller], Awaitable[None]]:
    """A door that answers a caller's bytes with as many that mean nothing; inside TLS if there is a context.

    What a client sees of MTProto, Noise or obfs4 without their keys.
    """

    async def serve(caller: Caller) -> None:
        stream = await caller.stream(context() if context else None)
        while data := await _some(stream):
            await stream.send(secrets.token_bytes(min(len(data), _LONGEST_ANSWER)))

    return serve


class EchoDatagrams(asyncio.DatagramProtocol):
    """Sends every datagram back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # Python 3.11's own datagram transport is not registered as one, so asking by isinstance would say no.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Send it back."""
        self._transport.sendto(data, addr)


async def _some(stream: Stream) -> bytes:
    async with asyncio.timeout(IDLE_SECONDS):
        return await stream.some()

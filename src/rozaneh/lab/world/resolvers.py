"""DNS over UDP, TCP and TLS."""

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import cast

from rozaneh.core import RemoteFault
from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.dns import answer, parse_question, refusal
from rozaneh.lab.world.doors import IDLE_SECONDS, Caller


class OverUdp(asyncio.DatagramProtocol):
    """A resolver on one UDP socket."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # Python 3.11's own datagram transport is not registered as one, so asking by isinstance would say no.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer at once."""
        try:
            reply: bytes | None = answer(parse_question(data), self._directory, udp=True)
        except RemoteFault:
            reply = refusal(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def over_stream(
    directory: Directory, context: Callable[[], ssl.SSLContext] | None = None
) -> Callable[[Caller], Awaitable[None]]:
    """A door for DNS over TCP (RFC 7766) or, with a TLS context, over TLS (RFC 7858)."""

    async def serve(caller: Caller) -> None:
        stream = await caller.stream(context() if context else None)
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                try:
                    length = int.from_bytes(await stream.exactly(2), "big")
                except asyncio.IncompleteReadError:
                    return
                question = parse_question(await stream.exactly(length))
            reply = answer(question, directory, udp=False)
            await stream.send(struct.pack("!H", len(reply)) + reply)

    return serve

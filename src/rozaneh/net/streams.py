"""Small parts that streams are put together from."""

import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketAttribute


async def receive_exactly(stream: ByteStream, count: int) -> bytes:
    """Read this many bytes and not one more.

    Raises:
        IncompleteRead: the stream ended before.
    """
    got = bytearray()
    while len(got) < count:
        try:
            got += await stream.receive(count - len(got))
        except anyio.EndOfStream:
            raise anyio.IncompleteRead from None
    return bytes(got)


async def receive_or_nothing(stream: ByteStream) -> bytes:
    """Read what comes next; empty at the end of the stream."""
    try:
        return await stream.receive()
    except anyio.EndOfStream:
        return b""


class StreamOver(ByteStream):
    """A stream that passes everything to another one; the base of those that change one thing."""

    def __init__(self, inner: ByteStream) -> None:
        self._inner = inner

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """As the stream below."""
        return await self._inner.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        """As the stream below."""
        await self._inner.send(item)

    async def send_eof(self) -> None:
        """As the stream below."""
        await self._inner.send_eof()

    async def aclose(self) -> None:
        """As the stream below."""
        await self._inner.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """As the stream below."""
        return self._inner.extra_attributes


class Prefixed(StreamOver):
    """A stream of which some bytes had already been read: they come first."""

    def __init__(self, first: bytes, inner: ByteStream) -> None:
        super().__init__(inner)
        self._first = first

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The bytes already read, then those of the stream below."""
        if not self._first:
            return await self._inner.receive(max_bytes)
        taken, self._first = self._first[:max_bytes], self._first[max_bytes:]
        return taken

    def beneath(self) -> ByteStream | None:
        """The stream below once the bytes already read are gone."""
        return None if self._first else self._inner


async def forsake(stream: ByteStream) -> None:
    """Close a stream of which nobody wants anything any more, now.

    What the other end has not acknowledged is given up too. The system would go on repeating it for a minute or more
    after an ordinary close, which is most of what a ClientHello into a black hole costs.
    """
    with suppress(OSError, anyio.ClosedResourceError):  # it may be closed already, by whoever holds it below
        raw = stream.extra(SocketAttribute.raw_socket, None)
        if isinstance(raw, socket.socket):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await anyio.aclose_forcefully(stream)


class ClosedOnFailure:
    """Forsakes a stream where the block that was to hand it on ends in any other way, cancellation included.

    Args:
        stream: what is left to the caller if the block ends well.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def __aenter__(self) -> None:
        """Nothing is done before it is known how the block ends."""

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close where something was raised; it is passed on."""
        if kind is not None:
            await forsake(self._stream)

"""What the strategies have in common that say something of their own before the first byte of a conversation."""

from collections.abc import Callable

import anyio

from rozaneh.core import RemoteFault
from rozaneh.net import ByteStream
from rozaneh.net.streams import StreamOver


class OpeningStream(StreamOver):
    """A stream that says something with the first data, or before the first read, and nothing after it.

    Args:
        inner: the stream below.
        words: what to say.
        hear: takes what comes back, and returns what of it is the target's.
    """

    def __init__(self, inner: ByteStream, words: bytes, hear: Callable[[bytes], bytes] | None = None) -> None:
        super().__init__(inner)
        self._words = words
        self._hear = hear
        self._heard = b""

    async def send(self, item: bytes) -> None:
        """Send; what has to be said first leaves in the same piece."""
        words, self._words = self._words, b""
        if words or item:
            await self._inner.send(words + item)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive what is the target's.

        Raises:
            BrokenResourceError: the other end does not speak this protocol.
        """
        if self._words:
            await self.send(b"")
        if self._hear is None:
            return await self._inner.receive(max_bytes)
        while not self._heard:
            data = await self._inner.receive()
            try:
                self._heard = self._hear(data)
            except RemoteFault as fault:
                raise anyio.BrokenResourceError from fault
        taken, self._heard = self._heard[:max_bytes], self._heard[max_bytes:]
        return taken

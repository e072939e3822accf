"""A client from which one request is taken and not a byte more."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from rozaneh.net.streams import StreamOver

__all__ = ["OneRequest"]


class OneRequest(StreamOver):
    """Passes what belongs to a request's body; what comes after it ends the stream, as if the client had finished.

    Args:
        inner: the client.
        body: bytes of the body that have yet to come.
    """

    def __init__(self, inner: anyio.abc.ByteStream, body: int) -> None:
        super().__init__(inner)
        self._left = body

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive of the body; wait for the client's end when all of it is here.

        Raises:
            EndOfStream: the client has finished, or has begun to say something else.
        """
        data = await self._inner.receive(min(max_bytes, self._left) if self._left else max_bytes)
        if not self._left:
            raise anyio.EndOfStream
        self._left -= len(data)
        return data

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the stream below."""
        return self._inner.extra_attributes

"""What the connections of one event loop share: buffers to copy and to change bytes in, and pipes to splice through."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field

try:
    import fcntl
except ImportError:  # there is no splice there either
    fcntl = None  # type: ignore[assignment]  # the stubs know no system without it

__all__ = ["CHUNK", "PIPE_BYTES", "SPLICE", "Pool", "Read"]

CHUNK = 65536
PIPE_BYTES = 1 << 20
SPLICE = getattr(os, "splice", None)

_SEALED = 1 << 18

Read = tuple[memoryview, int, bool]
"""What to send on, how many bytes that is for the user, and whether there may be more to read at once."""


@dataclass(slots=True)
class Pool:
    """What the connections of one event loop share: buffers, and pipes that nobody needs at the moment.

    Attributes:
        most: how many idle pipes to keep.
        splice: whether to move bulk inside the kernel at all.
        buffer: to copy through; like the others it holds nothing between two calls from the loop.
    """

    most: int = 16
    splice: bool = SPLICE is not None
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(CHUNK)))
    _opening: tuple[memoryview, memoryview] | None = None
    _idle: list[tuple[int, int]] = field(default_factory=list)

    def read(self, source: socket.socket) -> Read | None:
        """Read one buffer; none at the end. Raises ``OSError`` as the system call does."""
        got = source.recv_into(self.buffer)
        return (self.buffer[:got], got, got == CHUNK) if got else None

    def for_opening(self) -> tuple[memoryview, memoryview]:
        """A large buffer to read sealed bytes into, and one as large to open them into; made when first asked for."""
        if self._opening is None:
            self._opening = memoryview(bytearray(_SEALED)), memoryview(bytearray(_SEALED))
        return self._opening

    def take(self) -> tuple[int, int]:
        """Borrow an empty pipe: its reading and its writing end. Raises ``OSError`` when there can be no more."""
        if self._idle:
            return self._idle.pop()
        ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Beyond a total that the system sets for one user it refuses to enlarge pipes; small ones work as well.
        with suppress(OSError):
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return ends

    def give(self, pipe: tuple[int, int], *, empty: bool) -> None:
        """Give a pipe back; one that still holds bytes is closed."""
        if empty and len(self._idle) < self.most:
            self._idle.append(pipe)
        else:
            _close_pipe(pipe)

    def close(self) -> None:
        """Close the idle pipes."""
        while self._idle:
            _close_pipe(self._idle.pop())


def _close_pipe(pipe: tuple[int, int]) -> None:
    for end in pipe:
        os.close(end)

"""Bytes from socket to socket inside the event loop and the kernel: the fast half of :mod:`rozaneh.net.pump`.

Each direction is a :class:`_Half`. It begins by copying through one buffer that all halves share, which is the cheapest
for the small messages of which most connections consist. A read that fills the buffer means bulk: the half then borrows
a pipe and moves the bytes through it inside the kernel with ``splice(2)``, until little is left to move. A pipe is held
only while bytes are in it or about to be, so ten thousand idle connections hold none. Bytes that have to be sealed or
opened on the way (:mod:`rozaneh.net.coded`) are always copied.
"""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio

from rozaneh.core import Failure, RemoteFault
from rozaneh.net.coded import Change, Coding, Decoding, Encoding
from rozaneh.net.pool import CHUNK, PIPE_BYTES, SPLICE, Pool
from rozaneh.net.trace import failure_of

__all__ = ["Flow", "Pair"]

_ROUNDS = 8
"""How often one half moves bytes before the others get their turn."""
_BACK_TO_COPYING = 8192
_MOMENT = 0.002
_FLAGS = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)
_NOTHING = memoryview(b"")
_NO_SPLICE = {errno.EINVAL, errno.ENOSYS, errno.EPERM}
_KEEPALIVE = tuple(
    (getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 300), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5))
    if hasattr(socket, name)
)


@dataclass(slots=True, eq=False)
class Flow:
    """What has been moved so far; it may be read while the bytes move.

    Attributes:
        up: bytes from the near end (the client) to the far end.
        down: bytes from the far end to the near end.
        began: when the pump took over, in seconds of the event loop's clock.
        last_up: when bytes last came from the near end, on the same clock.
        last_down: when bytes last came from the far end.
        failure: how it ended, or none for an orderly end or none yet.
        broken_by: which end broke it, ``near`` or ``far``, when ``failure`` is set.
        half_closed: whether one end has finished sending.
        stop: ends the connection at once; none before the pump has begun.
    """

    up: int = 0
    down: int = 0
    began: float = 0.0
    last_up: float = 0.0
    last_down: float = 0.0
    failure: Failure | None = None
    broken_by: str = ""
    half_closed: bool = False
    stop: Callable[[], None] | None = None

    @property
    def last(self) -> float:
        """When bytes last moved."""
        return max(self.began, self.last_up, self.last_down)

    def count(self, moved: int, now: float, *, upward: bool) -> None:
        """Add bytes that moved just now."""
        if upward:
            self.last_up = now
            self.up += moved
        else:
            self.last_down = now
            self.down += moved

    def broke(self, error: BaseException, end: str) -> None:
        """An end broke; the first to break is the one that counts."""
        if self.failure is None:
            self.failure, self.broken_by = failure_of(error), end


class Pair:
    """Two sockets and the two directions between them.

    Args:
        pool: what it shares with others.
        ends: the client's socket, and the other one.
        flow: where to count.
        linger: seconds without a byte after which it is closed once one end has finished.
        over: told once, when no more bytes will move.
    """

    __slots__ = ("_halves", "_linger", "_over", "_sockets", "_timer", "flow", "loop", "pool")

    def __init__(
        self,
        pool: Pool,
        ends: tuple[socket.socket, socket.socket],
        flow: Flow,
        linger: float,
        over: Callable[[], None],
    ) -> None:
        near, far = ends
        self.loop = asyncio.get_running_loop()
        self.pool = pool
        self.flow = flow
        self._linger = linger
        self._over: Callable[[], None] | None = over
        self._sockets = ends
        self._halves: tuple[_Half, ...] = (_Half(self, near, far, upward=True), _Half(self, far, near, upward=False))
        self._timer: asyncio.TimerHandle | None = None

    def start(self, *, to_near: bytes = b"", to_far: bytes = b"", coding: Coding | None = None) -> None:
        """Begin to move bytes, after those that were read already.

        Args:
            to_near: bytes already read from the far end.
            to_far: bytes already read from the near end.
            coding: what changes the bytes of the far end, if anything does.
        """
        self.flow.stop = self.finish
        for each in self._sockets:
            _keep_alive(each)
        up, down = self._halves
        if coding is None:
            up.begin(to_far)
        else:
            up.begin(to_far, Encoding(coding), said=coding.encode(to_far))
        if self._over is None:
            return
        if coding is None:
            down.begin(to_near)
        else:
            down.begin(to_near + coding.decoded, Decoding(coding))

    @property
    def is_over(self) -> bool:
        """Whether no more bytes will move."""
        return self._over is None

    def half_ended(self) -> None:
        """One direction has said its last byte."""
        if all(half.ended for half in self._halves):
            self.finish()
        else:
            self.flow.half_closed = True
            self._watch()

    def _watch(self) -> None:
        left = self.flow.last + self._linger - self.loop.time()
        if left <= 0:
            self.finish()
        else:
            self._timer = self.loop.call_later(left, self._watch)

    def broke(self, error: OSError | anyio.BrokenResourceError, broken: socket.socket) -> None:
        """An end broke: remember who, and pass it on as a reset."""
        self.flow.broke(error, "near" if broken is self._sockets[0] else "far")
        for each in self._sockets:
            if each is not broken:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.finish()

    def finish(self) -> None:
        """Move no more bytes, close both sockets, and tell whoever waits for the end; harmless when repeated."""
        over, self._over = self._over, None
        if over is None:
            return
        self.flow.stop = None
        if self._timer is not None:
            self._timer.cancel()
        for half in self._halves:
            half.stop()
        for each in self._sockets:
            each.close()
        self._halves = ()  # each half knows its pair: what is over is not left to the collector of cycles
        over()


class _Half:
    """One direction: from a source to a sink, through the shared buffer or through a pipe."""

    __slots__ = (
        "_bulk",
        "_change",
        "_in_pipe",
        "_left",
        "_pair",
        "_pipe",
        "_sink",
        "_source",
        "_upward",
        "_waits",
        "ended",
    )

    def __init__(self, pair: Pair, source: socket.socket, sink: socket.socket, *, upward: bool) -> None:
        self._pair = pair
        self._source = source
        self._sink = sink
        self._upward = upward
        self._change: Change | None = None
        self._left = _NOTHING
        self._pipe: tuple[int, int] | None = None
        self._in_pipe = 0
        self._bulk = self._waits = False
        self.ended = False

    def begin(self, first: bytes, change: Change | None = None, *, said: bytes | None = None) -> None:
        """Say what was read already, then go on reading.

        Args:
            first: what was read already.
            change: what happens to all that is read from now on.
            said: what to send for the first bytes, where that is something else.
        """
        self._change = change
        if first:
            self._count(len(first))
        said = first if said is None else said
        if said:
            self._left = self._send(memoryview(said))
        if self._pair.is_over:
            return
        if self._left:
            self._wait_for_sink()
        else:
            self.listen()

    def listen(self) -> None:
        self._pair.loop.add_reader(self._source.fileno(), self._readable)

    def stop(self) -> None:
        """Leave the loop and give the pipe back; harmless when repeated."""
        loop = self._pair.loop
        loop.remove_reader(self._source.fileno())
        if self._waits:
            loop.remove_writer(self._sink.fileno())
        self._settle()

    def _readable(self) -> None:
        try:
            for _ in range(_ROUNDS):
                if not (self._splice() if self._bulk else self._copy()):
                    break
        except (BlockingIOError, InterruptedError):
            self._settle()
        except OSError as error:
            self._pair.broke(error, self._source)
        except RemoteFault as fault:
            # What a stream says of it, and the client gets no end that looks like one.
            self._pair.broke(anyio.BrokenResourceError(str(fault)), self._source)

    def _copy(self) -> bool:
        """Move one buffer; true when there may be more to move at once."""
        pool, change = self._pair.pool, self._change
        read = change.read(self._source, pool) if change else pool.read(self._source)
        if read is None:
            self._end()
            return False
        data, plain, full = read
        if plain:
            self._count(plain)
        left = self._send(data) if data else data
        if self._pair.is_over:
            return False
        if left:
            self._left = memoryview(bytes(left))  # its buffer is for others meanwhile
            self._wait_for_sink()
            return False
        self._bulk = full and change is None and pool.splice
        if change is not None and not full and plain >= CHUNK:
            self._rest()
        return full

    def _rest(self) -> None:
        """Let more come: what moves this fast costs least in large pieces, and is not late by a moment."""
        loop = self._pair.loop
        loop.remove_reader(self._source.fileno())
        loop.call_later(_MOMENT, self._go_on)

    def _go_on(self) -> None:
        if not self._pair.is_over:
            self.listen()

    def _send(self, data: memoryview) -> memoryview:
        """Send what the sink takes; the rest. Where the sink breaks, everything is over."""
        try:
            return data[self._sink.send(data) :]
        except (BlockingIOError, InterruptedError):
            return data
        except OSError as error:
            self._pair.broke(error, self._sink)
            return _NOTHING

    def _splice(self) -> bool:
        """Move up to a pipe's worth inside the kernel; true when there may be more to move at once."""
        assert SPLICE is not None  # noqa: S101 - `_bulk` is never set without it
        pool = self._pair.pool
        try:
            self._pipe = self._pipe or pool.take()
        except OSError:
            # No descriptors left for a pipe at this moment: copying does the same for more work.
            self._bulk = False
            return True
        try:
            got = SPLICE(self._source.fileno(), self._pipe[1], PIPE_BYTES, flags=_FLAGS)
        except OSError as error:
            if error.errno not in _NO_SPLICE:
                raise
            self._bulk = pool.splice = False
            self._settle()
            return True
        if not got:
            self._end()
            return False
        self._count(got)
        self._in_pipe = got
        if not self._drain():
            return False
        if got < _BACK_TO_COPYING:
            self._bulk = False
            self._settle()
        return True

    def _drain(self) -> bool:
        """Empty the pipe into the sink; false when the sink takes no more for now, or broke."""
        assert SPLICE is not None  # noqa: S101 - as above
        assert self._pipe is not None  # noqa: S101 - as above
        try:
            while self._in_pipe:
                self._in_pipe -= SPLICE(self._pipe[0], self._sink.fileno(), self._in_pipe, flags=_FLAGS)
        except (BlockingIOError, InterruptedError):
            self._wait_for_sink()
            return False
        except OSError as error:
            self._pair.broke(error, self._sink)
            return False
        return True

    def _writable(self) -> None:
        if self._in_pipe:
            if not self._drain():
                return
        elif self._left:
            self._left = self._send(self._left)
            if self._left or self._pair.is_over:
                return
        self._waits = False
        self._pair.loop.remove_writer(self._sink.fileno())
        if self._upward:
            self._pair.flow.last_up = self._pair.loop.time()
        else:
            self._pair.flow.last_down = self._pair.loop.time()
        self.listen()

    def _wait_for_sink(self) -> None:
        loop = self._pair.loop
        loop.remove_reader(self._source.fileno())
        loop.add_writer(self._sink.fileno(), self._writable)
        self._waits = True

    def _settle(self) -> None:
        """Give the pipe back: nothing is to be moved for now, or ever."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            self._pair.pool.give(pipe, empty=not self._in_pipe)

    def _end(self) -> None:
        """The source has finished: say so to the sink."""
        self._pair.loop.remove_reader(self._source.fileno())
        self._settle()
        self.ended = True
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                self._pair.broke(error, self._sink)
                return
        self._pair.half_ended()

    def _count(self, got: int) -> None:
        self._pair.flow.count(got, self._pair.loop.time(), upward=self._upward)


def _keep_alive(each: socket.socket) -> None:
    """Let the system notice, within ten minutes, that the other end has vanished without a word."""
    with suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            each.setsockopt(socket.IPPROTO_TCP, option, value)

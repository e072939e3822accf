"""Move bytes both ways between two streams until both directions have ended.

Theory of operation. What waits and decides uses streams and tasks; what only moves bytes must not. When both ends are
plain sockets (:func:`rozaneh.net.sockets.bare_socket_stream`) and the event loop is asyncio's or uvloop's, the pump
takes the sockets away from their streams and registers them with the loop (:mod:`rozaneh.net.splice`): no task, no
stream object and no copy that is not needed for a chunk. So it does where the far end is one cipher above a plain
socket (:mod:`rozaneh.net.coded`). Otherwise two tasks carry chunks from stream to stream.

An end that stops sending is passed on as such (half-close), and the other direction goes on. A reset is passed on as a
reset, so that a client never takes a broken answer for a complete one.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, TaskGroup

from rozaneh.net.coded import coded_socket_stream
from rozaneh.net.pool import Pool
from rozaneh.net.sockets import bare_socket_stream
from rozaneh.net.splice import Flow, Pair
from rozaneh.net.trace import NETWORK_ERRORS

__all__ = ["Flow", "Pump", "on_asyncio"]

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Pump:
    """Moves bytes; one for each event loop, shared by all its connections.

    Attributes:
        linger: seconds without a byte after which a connection that one end has already finished is closed.
        pool: the pipes and the buffers that the connections share.
    """

    linger: float = 300.0
    pool: Pool = field(default_factory=Pool)

    async def run(
        self,
        near: ByteStream,
        far: ByteStream,
        *,
        to_near: bytes = b"",
        to_far: bytes = b"",
        flow: Flow | None = None,
    ) -> Flow:
        """Move bytes until both directions have ended, and close both streams.

        Args:
            near: the client's side.
            far: the other side.
            to_near: bytes already read from the far end, to be written to the near end first.
            to_far: bytes already read from the near end.
            flow: where to count, for somebody who watches; a new one by default.

        Returns:
            The counts and how it ended. What the network does is never raised.
        """
        flow = flow or Flow()
        flow.began = anyio.current_time()
        try:
            one, (other, coding) = bare_socket_stream(near), coded_socket_stream(far)
            if one is not None and other is not None and on_asyncio():
                ended = anyio.Event()
                pair = Pair(self.pool, (one.detach(), other.detach()), flow, self.linger, ended.set)
                pair.start(to_near=to_near, to_far=to_far, coding=coding)
                try:
                    await ended.wait()
                finally:
                    pair.finish()
            elif await _write_first(far, to_far, flow, upward=True) and await _write_first(
                near, to_near, flow, upward=False
            ):
                await _Chunks(near, far, flow, self.linger).run()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(near)
                await anyio.aclose_forcefully(far)
        return flow

    def join(
        self,
        near: socket.socket,
        far: socket.socket,
        flow: Flow,
        over: Callable[[], None],
        *,
        to_near: bytes = b"",
        to_far: bytes = b"",
    ) -> None:
        """Move bytes between two sockets in the event loop's own callbacks, without a task; only on asyncio's loops.

        Args:
            near: the client's socket; both are closed at the end.
            far: the other one.
            flow: where to count; its ``stop`` ends it at once.
            over: told once at the end, which may be within this call.
            to_near: as for :meth:`run`.
            to_far: as for :meth:`run`.
        """
        Pair(self.pool, (near, far), flow, self.linger, over).start(to_near=to_near, to_far=to_far)

    def close(self) -> None:
        """Give back what is kept for the next connections."""
        self.pool.close()


async def _write_first(sink: ByteStream, data: bytes, flow: Flow, *, upward: bool) -> bool:
    try:
        if data:
            flow.count(len(data), flow.began, upward=upward)
            await sink.send(data)
    except NETWORK_ERRORS as error:
        flow.broke(error, "far" if upward else "near")
        return False
    return True


def on_asyncio() -> bool:
    """Whether an asyncio loop runs here, rather than trio: the kernel's way needs its readers and writers."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The way between streams of any kind: two tasks, with one chunk in each at a time."""

    near: ByteStream
    far: ByteStream
    flow: Flow
    linger: float

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            self.flow.stop = tasks.cancel_scope.cancel
            for upward in (True, False):
                tasks.start_soon(self._carry, upward, tasks)

    async def _carry(self, upward: bool, tasks: TaskGroup) -> None:
        """Carry one direction to its end, then give the other one as long as it moves bytes."""
        source, sink = (self.near, self.far) if upward else (self.far, self.near)
        ends = ("near", "far") if upward else ("far", "near")
        at = ends[0]
        try:
            while True:
                at = ends[0]
                try:
                    data = await source.receive(_CHUNK)
                except anyio.EndOfStream:
                    break
                self.flow.count(len(data), anyio.current_time(), upward=upward)
                at = ends[1]
                await sink.send(data)
            at = ends[1]
            await sink.send_eof()
            if not self.flow.half_closed:
                self.flow.half_closed = True
                await self._linger()
        except NETWORK_ERRORS as error:
            self.flow.broke(error, at)
        tasks.cancel_scope.cancel()

    async def _linger(self) -> None:
        """Wait until no byte has moved for long. Whoever ends second cancels this wait."""
        left = self.linger
        while left > 0:
            await anyio.sleep(left)
            left = self.flow.last + self.linger - anyio.current_time()

"""The clients of one listener, accepted in the event loop's own callbacks.

Each of them is a chain of stages (:mod:`rozaneh.gateway.visit`) and no task, as long as it is what nearly all of them
are. Whoever needs a task is given one, and everything that was done for it until then.
"""

import asyncio
import socket

import anyio
from anyio.abc import SocketAttribute, TaskGroup

from rozaneh.gateway.steps import SoFar, Stage, Steps
from rozaneh.gateway.visit import Greeting
from rozaneh.net.pump import Pump
from rozaneh.net.sockets import (
    PAUSE_WITHOUT_DESCRIPTORS,
    OutOfDescriptorsError,
    SocketListener,
    Sockets,
    SocketStream,
    accepted_now,
)

__all__ = ["Quick"]


class Quick:
    """The clients of one listener; see the module's text. Only on an event loop of asyncio's kind.

    Args:
        steps: the gateway.
        listener: on which they come.
        sockets: where sockets to targets come from; none where that takes a task.
        pump: moves the bytes.
        patience: seconds after which a client is told to go ahead although nothing is connected yet.
    """

    def __init__(
        self, steps: Steps, listener: SocketListener, sockets: Sockets | None, *, pump: Pump, patience: float
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.steps = steps
        self.sockets = sockets
        self.pump = pump
        self.patience = patience
        self._listener = listener
        self._door: socket.socket = listener.extra(SocketAttribute.raw_socket)
        self._here: set[Stage] = set()
        self._tasks: TaskGroup | None = None
        self._left = anyio.Event()
        self._shut = anyio.Event()
        self._broken: OSError | None = None
        self._pause: asyncio.TimerHandle | None = None

    async def attend(self, tasks: TaskGroup) -> None:
        """Serve those who come until cancelled or, once the listener is closed, until the last of them has ended.

        Args:
            tasks: where those are served who need a task.

        Raises:
            ClosedResourceError: the listener was closed.
            OSError: nobody can be accepted any more.
        """
        if self._door.fileno() < 0:
            raise anyio.ClosedResourceError
        self._tasks = tasks
        self._listener.before_close = self._shut_door
        self._open_door()
        try:
            await self._shut.wait()
            if self._broken is not None:
                raise self._broken
            while self._here:
                self._left = anyio.Event()
                await self._left.wait()
        finally:
            self._close_door()
            self._listener.before_close = None
            for stage in tuple(self._here):
                stage.break_off()
        raise anyio.ClosedResourceError

    def come(self, stage: Stage) -> None:
        """Somebody is at this stage now."""
        self._here.add(stage)

    def go(self, stage: Stage) -> None:
        """Somebody has left it."""
        self._here.discard(stage)
        if not self._here:
            self._left.set()

    def hand_over(self, stage: Stage, near: socket.socket, so_far: SoFar) -> None:
        """Somebody needs a task."""
        assert self._tasks is not None  # noqa: S101 - nobody comes before there is one
        self._tasks.start_soon(self.steps.serve_client, SocketStream(near), so_far)
        self.go(stage)

    def _come(self) -> None:
        if self._tasks is None or self._tasks.cancel_scope.cancel_called:
            self._close_door()  # everybody is being broken off: who comes now is for the time after that
            return
        try:
            near = accepted_now(self._door)
        except (BlockingIOError, InterruptedError):
            return
        except OutOfDescriptorsError:
            self._close_door()
            self._pause = self.loop.call_later(PAUSE_WITHOUT_DESCRIPTORS, self._open_door)
        except OSError as error:
            self._broken = error
            self._shut_door()
        else:
            if self.steps.full(len(self._here)):
                near.close()
            else:
                Greeting(self, near)

    def _open_door(self) -> None:
        self.loop.add_reader(self._door.fileno(), self._come)

    def _close_door(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        if self._door.fileno() >= 0:
            self.loop.remove_reader(self._door.fileno())

    def _shut_door(self) -> None:
        """Nobody comes any more."""
        self._close_door()
        self._shut.set()

"""Whether anybody is let through. While it is off nothing is connected, and nothing goes any other way either."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

__all__ = ["Switch"]


@dataclass(slots=True)
class Switch:
    """One for all the doors of a gateway.

    Attributes:
        paused: whether it is off.
        let_go: called when everything is broken off, for connections that are kept and not in use.
    """

    paused: bool = False
    let_go: list[Callable[[], None]] = field(default_factory=list)
    _doors: set[anyio.CancelScope] = field(default_factory=set)

    def pause(self) -> None:
        """Turn it off: what is open is broken off, what comes is refused."""
        self.paused = True
        self.break_off()

    def resume(self) -> None:
        """Turn it on again."""
        self.paused = False

    def turn(self, *, on: bool) -> None:
        """Turn it on or off."""
        if on:
            self.resume()
        else:
            self.pause()

    def break_off(self) -> None:
        """End every connection that is open."""
        for door in tuple(self._doors):
            door.cancel()
        for let_go in self.let_go:
            let_go()

    @contextmanager
    def door(self) -> Iterator[None]:
        """Around what the gateway does of its own accord: it is broken off with everything else."""
        with anyio.CancelScope() as scope:
            self._doors.add(scope)
            try:
                yield
            finally:
                self._doors.discard(scope)

    async def serve(self, attend: Callable[[TaskGroup], Awaitable[None]]) -> None:
        """Attend to clients until cancelled, or until no more come and the last of them has ended.

        Args:
            attend: serves those who come, in a task group, until it is cancelled; it raises ``ClosedResourceError``
                where no more will come. It is begun again after everybody was broken off.
        """
        closed = False
        while not closed:
            async with anyio.create_task_group() as clients:
                self._doors.add(clients.cancel_scope)
                try:
                    await attend(clients)
                except anyio.ClosedResourceError:
                    closed = True  # no further clients; those who are here are waited for
            self._doors.discard(clients.cancel_scope)

"""What the stages of a client are given and hand on: the joints between visits, their door and the gateway."""

import asyncio
import socket
from dataclasses import dataclass
from typing import Protocol

from rozaneh.core import RemoteFault, Target
from rozaneh.finder import Connection, Shortcut
from rozaneh.gateway.front import Front, Heard
from rozaneh.net.pump import Flow, Pump
from rozaneh.net.sockets import Sockets, SocketStream

__all__ = ["Host", "SoFar", "Stage", "Steps"]


@dataclass(slots=True)
class SoFar:
    """What was done for a client before a task took it over.

    Attributes:
        front: reads what it wants, and may have read a part.
        began: when it had said so; else when it came. Seconds of the event loop's clock.
        heard: what it wants, if that is known.
        told: whether it was told to go ahead.
        shortcut: the dial that goes on.
    """

    front: Front
    began: float
    heard: Heard | None = None
    told: bool = False
    shortcut: Shortcut | None = None


class Stage(Protocol):
    """A client, at some stage."""

    def break_off(self) -> None:
        """End it at once."""


class Steps(Protocol):
    """What the stages ask for and tell of: the gateway."""

    def front(self, near: socket.socket) -> Front:
        """What reads the wish of a client that has just come."""

    def shortcut(self, heard: Heard) -> Shortcut | None:
        """The short way to what a client wants; none where there is none or nobody is to be led there."""

    def misheard(self, fault: RemoteFault) -> None:
        """A client speaks nothing that we know."""

    def full(self, here: int) -> bool:
        """Whether there is no room for a further client, beside so many that are served without a task."""

    def opened(self, target: Target, made: Connection, began: float) -> Flow:
        """A connection was made; where its bytes are to be counted."""

    def closed(self, target: Target, made: Connection, flow: Flow, *, broken_off: bool) -> None:
        """It has ended."""

    async def serve_client(self, client: SocketStream, so_far: SoFar | None = None) -> None:
        """Serve a client in a task."""


class Host(Protocol):
    """What all clients of a listener share: :class:`rozaneh.gateway.quick.Quick`."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""

    @property
    def steps(self) -> Steps:
        """The gateway."""

    @property
    def sockets(self) -> Sockets | None:
        """Where sockets to targets come from; none where that takes a task."""

    @property
    def pump(self) -> Pump:
        """Moves the bytes."""

    @property
    def patience(self) -> float:
        """Seconds after which a client is told to go ahead although nothing is connected yet."""

    def come(self, stage: Stage) -> None:
        """Somebody is at this stage now."""

    def go(self, stage: Stage) -> None:
        """Somebody has left it."""

    def hand_over(self, stage: Stage, near: socket.socket, so_far: SoFar) -> None:
        """Somebody needs a task."""

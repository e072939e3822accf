"""One client in the event loop's own callbacks: from its first byte until the pump has it, without a task.

Theory of operation. What waits in a task costs a scope, a future and a context each time, and ten of those cost more
than all that is done for a connection. So a client passes through stages, each with one reader on its socket and one
timer: :class:`Greeting` until it has said what it wants, :class:`Dialling` until its target has answered, then
:class:`Moving`. They know the one case that is by far the commonest, a destination that was just reached directly
(:class:`~rozaneh.finder.Shortcut`). Whatever else they meet, and whatever takes longer than a moment, they hand to a
task (:meth:`rozaneh.gateway.Gateway.serve_client`) with all that was done until then, and have no opinion of their own.
"""

import os
import socket
from dataclasses import replace

from rozaneh.core import RemoteFault, Target
from rozaneh.finder import Connection, Flight, FlightReader, Shortcut
from rozaneh.gateway.front import Heard, Wish
from rozaneh.gateway.steps import Host, SoFar
from rozaneh.net.pump import Flow
from rozaneh.net.sockets import family_of

__all__ = ["Greeting"]

_CHUNK = 65536


class Greeting:
    """A client that has yet to say what it wants.

    Args:
        host: what it shares with others.
        near: its socket.
    """

    __slots__ = ("_host", "_near", "_so_far", "_timer")

    def __init__(self, host: Host, near: socket.socket) -> None:
        loop = host.loop
        now = loop.time()
        self._host = host
        self._near = near
        self._so_far = SoFar(host.steps.front(near), now)
        self._timer = loop.call_at(now + host.patience, self._hand_over)
        host.come(self)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.add_reader(near.fileno(), self._readable)

    def break_off(self) -> None:
        """End it at once."""
        self._forsake()
        self._near.close()
        self._host.go(self)

    def _readable(self) -> None:
        so_far = self._so_far
        data = _received(self._near)
        if data is None:
            return
        if not data:
            self.break_off()
            return
        try:
            so_far.heard = so_far.front.receive(data)
        except RemoteFault as fault:
            self._host.steps.misheard(fault)
            _say(self._near, so_far.front.answer)
            self.break_off()
            return
        if not _say(self._near, so_far.front.answer):
            self.break_off()
        elif so_far.heard is not None:
            so_far.began = self._host.loop.time()
            self._go_on(so_far.heard)

    def _go_on(self, heard: Heard) -> None:
        host = self._host
        shortcut = host.steps.shortcut(heard) if host.sockets is not None else None
        if shortcut is None or host.sockets is None or not isinstance(heard, Wish):
            self._hand_over()
            return
        try:
            far = host.sockets.stream(family_of(shortcut.address))
        except OSError:
            shortcut.abandon(host.loop.time())
            self._hand_over()
            return
        self._timer.cancel()
        host.go(self)
        Dialling(host, (self._near, far), self._so_far, heard, shortcut)

    def _hand_over(self) -> None:
        self._forsake()
        self._host.hand_over(self, self._near, self._so_far)

    def _forsake(self) -> None:
        self._timer.cancel()
        self._host.loop.remove_reader(self._near.fileno())


class Dialling:
    """A client whose target is dialled by the short way.

    Args:
        host: what it shares with others.
        ends: its socket, with a reader of the loop's on it, and one to connect.
        so_far: what was done for it.
        wish: what it wants.
        shortcut: the way.
    """

    __slots__ = (
        "_due",
        "_far",
        "_host",
        "_listens",
        "_near",
        "_reader",
        "_said",
        "_shortcut",
        "_so_far",
        "_timer",
        "_wish",
    )

    def __init__(
        self, host: Host, ends: tuple[socket.socket, socket.socket], so_far: SoFar, wish: Wish, shortcut: Shortcut
    ) -> None:
        self._host = host
        self._near, self._far = ends
        self._so_far = so_far
        self._wish = wish
        self._said = wish.rest
        self._shortcut = shortcut
        self._reader = FlightReader()
        self._listens = True
        self._due = so_far.began + host.patience
        self._timer = host.loop.call_at(self._due, self._late)
        host.come(self)
        host.loop.add_reader(self._near.fileno(), self._too_early)
        self._connect()

    def break_off(self) -> None:
        """End it at once."""
        self._forsake()
        self._shortcut.abandon(self._host.loop.time())
        self._near.close()
        self._far.close()
        self._host.go(self)

    def _late(self) -> None:
        """Whatever takes longer than this is for a task."""
        loop = self._host.loop
        if loop.time() < self._due:
            self._timer = loop.call_at(self._due, self._late)
        else:
            self._hand_over()

    # The steps, in order

    def _connect(self) -> None:
        try:
            self._far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._far.connect((self._shortcut.address, self._shortcut.target.port))
        except BlockingIOError:
            self._host.loop.add_writer(self._far.fileno(), self._connected)
        except OSError as error:
            self._hand_over(error)
        else:
            self._connected()

    def _connected(self) -> None:
        loop, shortcut = self._host.loop, self._shortcut
        loop.remove_writer(self._far.fileno())
        number = self._far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._hand_over(OSError(number, os.strerror(number)))
            return
        shortcut.connected(loop.time())
        self._due = shortcut.due
        self._so_far.told = True
        if not _say(self._near, self._wish.tongue.accepted()):
            self._hand_over()  # the client has gone; what that means for the dial is decided there
            return
        flight = self._reader.feed(self._said) if self._said else None
        if flight is not None:
            self._fly(flight)
        else:
            loop.add_reader(self._near.fileno(), self._listen)
            self._listens = True

    def _listen(self) -> None:
        data = _received(self._near)
        if data is None:
            return
        if not data:
            self._hand_over()
            return
        self._said += data
        flight = self._reader.feed(data)
        if flight is not None:
            self._fly(flight)

    def _fly(self, flight: Flight) -> None:
        """Say the client's first bytes."""
        loop, shortcut = self._host.loop, self._shortcut
        error = None
        try:
            sent = self._far.send(flight.data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as broken:
            sent, error = 0, broken
        waits = shortcut.said(flight, sent, loop.time())
        self._due = shortcut.due
        if error is not None or (waits and sent < len(flight.data)):
            self._hand_over(error)
        elif waits:
            if self._listens:
                loop.add_reader(self._near.fileno(), self._too_early)
            loop.add_reader(self._far.fileno(), self._answered)
        else:
            self._win()

    def _answered(self) -> None:
        try:
            data = self._far.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._hand_over(error)
            return
        good = self._shortcut.hear(data) if data else False
        if good:
            self._win()
        elif good is not None:
            self._hand_over()

    def _win(self) -> None:
        host = self._host
        self._timer.cancel()
        made = self._shortcut.won(self._far, host.loop.time())
        flow = host.steps.opened(self._shortcut.target, made, self._so_far.began)
        Moving(host, self._shortcut.target, made, flow).begin(self._near, self._far)
        host.go(self)

    # What they have in common

    def _too_early(self) -> None:
        """The client speaks before its turn, or has gone: it is listened to later."""
        self._listens = False
        self._host.loop.remove_reader(self._near.fileno())

    def _forsake(self) -> None:
        """Wait for nothing any more."""
        loop = self._host.loop
        self._timer.cancel()
        loop.remove_reader(self._near.fileno())
        loop.remove_reader(self._far.fileno())
        loop.remove_writer(self._far.fileno())

    def _hand_over(self, error: OSError | None = None) -> None:
        """Let a task go on from here.

        Args:
            error: what the socket to the target has failed with.
        """
        self._forsake()
        so_far, shortcut = self._so_far, self._shortcut
        so_far.heard = replace(self._wish, rest=self._said)
        if shortcut.from_memory:
            shortcut.abandon(self._host.loop.time())
            self._far.close()
        else:
            shortcut.resume(self._far, error)
            so_far.shortcut = shortcut
        self._host.hand_over(self, self._near, so_far)


class Moving:
    """A client whose bytes move, perhaps for hours: what it took to get here is given up.

    Args:
        host: what it shares with others.
        target: what it reached.
        made: how.
        flow: where its bytes are counted.
    """

    __slots__ = ("_broken_off", "_flow", "_host", "_made", "_target")

    def __init__(self, host: Host, target: Target, made: Connection, flow: Flow) -> None:
        self._host = host
        self._target = target
        self._made = made
        self._flow = flow
        self._broken_off = False
        host.come(self)

    def begin(self, near: socket.socket, far: socket.socket) -> None:
        """Let the pump have both sockets."""
        made = self._made
        self._host.pump.join(near, far, self._flow, self._over, to_near=made.first, to_far=made.rest)

    def break_off(self) -> None:
        """End it at once."""
        self._broken_off = True
        if self._flow.stop is not None:
            self._flow.stop()

    def _over(self) -> None:
        self._host.steps.closed(self._target, self._made, self._flow, broken_off=self._broken_off)
        self._host.go(self)


def _received(source: socket.socket) -> bytes | None:
    """What has come, nothing at the end or where it broke; none while there is nothing."""
    try:
        return source.recv(_CHUNK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _say(near: socket.socket, data: bytes) -> bool:
    """Answer a client in a few bytes; whether it takes them."""
    try:
        return not data or near.send(data) == len(data)
    except OSError:
        return False

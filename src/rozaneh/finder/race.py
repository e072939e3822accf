"""How a race is run, the dial that it may go on with, and the connection that comes of it."""

from typing import Protocol

import msgspec
from anyio.abc import ByteStream

from rozaneh.finder.runner import Runner
from rozaneh.finder.search import Search
from rozaneh.finder.ways import Way
from rozaneh.net import Deadlines, Dialer, Trace

__all__ = ["Begun", "Connection", "Rules", "connection_of"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How a race is run. Times are seconds.

    Attributes:
        stagger: what a runner is given before the next may start, at least.
        deadlines: for each kind of step.
        most_dials: ways tried for one connection.
        most_at_once: ways that run at the same time.
        search: no further way is started after this time.
        wait_for_client: how long a client may be silent before its server is listened to.
        outage: after which nothing more is waited for while it is known that nothing abroad answers.
        hurry: what deadlines are multiplied with meanwhile.
    """

    stagger: float = 0.25
    deadlines: Deadlines = Deadlines(tls_handshake=8.0, first_byte=60.0)
    most_dials: int = 12
    most_at_once: int = 4
    search: float = 20.0
    wait_for_client: float = 0.2
    outage: float = 1.0
    hurry: float = 0.4


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was made. Whoever takes it closes the stream.

    Attributes:
        stream: to the target; the client's flight has been said on it.
        first: bytes that the target has answered already.
        rest: bytes of the client that came after the flight and have yet to be sent.
        way: how it was reached.
        obstacle: what is in the way of the direct connection; empty when nothing is, as far as was seen.
        tried: how many ways were tried.
        answered: whether the target was heard; what is neither TLS nor a plain request is sent without waiting.
        pace: seconds that the slowest of lookup, connecting and the first answer took.
    """

    stream: ByteStream
    first: bytes
    rest: bytes
    way: Way
    obstacle: str
    tried: int
    answered: bool
    pace: float = 0.0


def connection_of(runner: Runner, stream: ByteStream, rest: bytes, tried: int) -> Connection:
    """The connection that a runner has made.

    Args:
        runner: who has won.
        stream: to the target.
        rest: bytes of the client that have yet to be sent.
        tried: how many ways were tried.
    """
    return Connection(
        stream=stream,
        first=runner.heard.first,
        rest=rest,
        way=runner.way,
        obstacle=runner.obstacle,
        tried=tried,
        answered=bool(runner.heard.first),
        pace=runner.pace,
    )


class Begun(Dialer, Protocol):
    """A dial that was begun before its race, and that the race goes on with."""

    @property
    def search(self) -> Search:
        """The search that it was the first dial of."""

    @property
    def runner(self) -> Runner:
        """That dial, as far as it has come."""

    @property
    def trace(self) -> Trace:
        """Its record."""

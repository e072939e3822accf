"""The short way: a destination that was reached directly just now is dialled again without a race.

Theory of operation. A race has tasks, cancel scopes and deadlines, and they cost some milliseconds of a processor.
Where the direct way led to a destination within the last minute, no race is expected. So whoever owns the sockets does
the same steps in the event loop's own callbacks and tells a :class:`Shortcut` of each: connected, said, heard. It
records them as any other attempt, and asks the same :class:`~rozaneh.finder.search.Search` that a race would ask.

What fails, or takes longer than a race would wait (:attr:`Shortcut.due`), goes on as a race: the shortcut is then the
dialer of its first runner, at the step which that has reached. Nothing is dialled or said twice, and everything that is
decided about failures is decided there.
"""

import socket
import time
from dataclasses import dataclass
from typing import Self

import anyio
from anyio.abc import ByteStream

from rozaneh.core import Attempt, Failure, Op, Spec, Target
from rozaneh.finder.flight import Answer, Flight
from rozaneh.finder.race import Connection, Rules, connection_of
from rozaneh.finder.runner import Runner
from rozaneh.finder.search import Search
from rozaneh.finder.speak import awaits_answer
from rozaneh.net import Report, Trace
from rozaneh.net.clock import event_clock
from rozaneh.net.sockets import SocketStream, connected
from rozaneh.net.streams import StreamOver

__all__ = ["Shortcut"]

_NOTHING = Flight()


@dataclass(slots=True, eq=False)
class Shortcut:
    """One connection by the direct way, recorded step by step.

    Attributes:
        search: the search that this would be the first dial of.
        runner: that dial.
        trace: its record.
        address: the IP address to connect to.
        rules: how long a race would wait.
        report: told of the attempt when it has ended.
    """

    search: Search
    runner: Runner
    trace: Trace
    address: str
    rules: Rules
    report: Report
    _flight: Flight = _NOTHING
    _sent: int = 0
    _answer: Answer | None = None
    _socket: socket.socket | None = None
    _error: OSError | None = None
    _began: float = 0.0

    @classmethod
    def begin(cls, search: Search, rules: Rules, report: Report) -> Self | None:
        """The short way to the target of a search; none where it was not open lately or something is in the way."""
        clock = event_clock()
        now = clock()
        target = search.target
        chosen, address = search.first_again(now)
        if chosen is None:
            return None
        trace = Trace(rules.deadlines, clock=clock)
        if not target.is_literal:
            trace.note(Op.RESOLVE, engine="remembered", query=target.host, answers=(address,))
            target = target.at(address)
        patience = max(2 * rules.stagger, search.knowledge.weather.patience)
        runner = Runner.begin(chosen, target, now=now, patience=patience)
        runner.watch(trace)
        search.started(runner)
        return cls(search, runner, trace, address, rules, report, _began=now)

    @property
    def target(self) -> Target:
        """What it leads to."""
        return self.search.target

    @property
    def spec(self) -> Spec:
        """The direct way."""
        return self.runner.way.spec

    @property
    def due(self) -> float:
        """When a race would look for something else, unless there is progress; seconds of the event loop's clock."""
        if self.runner.phase == "ready":
            return self.runner.since + self.rules.wait_for_client
        return self.runner.stuck_at

    @property
    def from_memory(self) -> bool:
        """Whether it still waits at an address that may be out of date; a race would look the name up."""
        return self.runner.phase == "dialling" and not self.search.target.is_literal

    def connected(self, now: float) -> None:
        """There is a connection."""
        self.trace.ended(Op.CONNECT, self._began, peer=self._peer)
        self.runner.connected(now)

    def said(self, flight: Flight, sent: int, now: float) -> bool:
        """The client's first bytes were said, or as many of them as could be.

        Returns:
            Whether an answer has to be waited for.
        """
        self._flight, self._sent = flight, sent
        slowness = self.search.knowledge.weather.patience
        self.runner.speaking(now, self.rules.stagger, slowness, kind=flight.kind)
        waits = awaits_answer(flight)
        if waits:
            self._answer = Answer(flight, picky=self.search.picky(self.runner.way))
        if flight.kind != "tls":
            self.trace.ended(Op.REQUEST, now, sent=sent)
        return waits

    def hear(self, data: bytes) -> bool | None:
        """Take bytes of an answer: whether it is acceptable; none while that cannot be told."""
        answer = self._answer
        if answer is None:
            return True
        verdict = answer.feed(data)
        if verdict is None:
            return None
        if verdict.failure is not None:
            return False
        tls = self._flight.kind == "tls"
        self.trace.ended(
            Op.TLS if tls else Op.FIRST_BYTE,
            self.runner.since,
            sent=self._sent if tls else 0,
            received=len(answer.data),
            tags={"sni": self._flight.name, **verdict.facts} if tls else verdict.facts,
        )
        self.runner.heard.first = answer.data
        return True

    def won(self, far: socket.socket, now: float) -> Connection:
        """The target is reached.

        Args:
            far: the socket, which the connection owns from now on.
            now: seconds of the event loop's clock.
        """
        self._ended(None, now)
        self.search.won(self.runner, now)
        # Of what is neither TLS nor a plain request, the socket may not have taken all at once.
        rest = self._flight.data[self._sent :] + self._flight.rest
        return connection_of(self.runner, SocketStream(far), rest, self.search.dials)

    def abandon(self, now: float) -> None:
        """It comes to nothing, and not by any fault of the network's."""
        self.search.known.open_until = now
        self._ended(Failure.INTERRUPTED, now)

    def resume(self, far: socket.socket, error: OSError | None) -> None:
        """A race goes on from here, by :meth:`dial`.

        Args:
            far: the socket, connected or connecting.
            error: what it has failed with, if it has.
        """
        self._socket, self._error = far, error

    async def dial(self, _target: Target, trace: Trace) -> ByteStream:
        """Go on: wait for the connection if there is none yet.

        Raises:
            DialFailed: it does not come about.
        """
        far, self._socket = self._socket, None
        assert far is not None  # noqa: S101 - a shortcut is a dialer only once it was told to be
        if self.runner.phase != "dialling":
            heard = self._answer.data if self._answer is not None else b""
            return _GoesOn(SocketStream(far), self._sent, heard, self._error)
        async with trace.step(Op.CONNECT, since=self._began, peer=self._peer):
            if self._error is not None:
                far.close()
                raise self._error
            return SocketStream(await connected(far, self.address, self.search.target.port))

    @property
    def _peer(self) -> str:
        port = self.search.target.port
        return f"[{self.address}]:{port}" if ":" in self.address else f"{self.address}:{port}"

    def _ended(self, failure: Failure | None, now: float) -> None:
        took = round(now - self._began, 6)
        attempt = Attempt(
            target=self.runner.target,
            spec=self.spec.redacted(),
            started=time.time() - took,
            took=took,
            failure=failure,
            observations=self.trace.observations,
        )
        self.report(attempt)
        self.search.ended(self.runner, attempt, now)


class _GoesOn(StreamOver):
    """A stream on which something was said and heard already: that is not said again, and is heard first."""

    def __init__(self, inner: ByteStream, said: int, heard: bytes, error: OSError | None) -> None:
        super().__init__(inner)
        self._said = said
        self._heard = heard
        self._error = error

    async def send(self, item: bytes) -> None:
        unsaid, self._said = item[self._said :], max(0, self._said - len(item))
        if unsaid and self._error is not None:
            raise anyio.BrokenResourceError from self._error
        if unsaid:
            await self._inner.send(unsaid)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self._heard:
            taken, self._heard = self._heard[:max_bytes], self._heard[max_bytes:]
            return taken
        if self._error is not None:
            raise anyio.BrokenResourceError from self._error
        return await self._inner.receive(max_bytes)

    def beneath(self) -> ByteStream | None:
        """The stream below, once there is nothing left to pretend."""
        return None if self._said or self._heard or self._error is not None else self._inner

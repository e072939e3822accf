"""One connection being made: a race that the evidence steers.

Theory of operation. The first runner is the way that is known to work for this destination or, where nothing is known,
the direct one; so an unblocked destination costs nothing more than a direct connection. Another runner starts when all
that run have failed or are *stuck*, which means that they take longer than their own round trips would explain.
:class:`~rozaneh.finder.search.Search` decides which, at that moment, from everything seen until then.

All runners say the client's own first bytes. The first that hears an acceptable answer wins; the others are cancelled
and recorded as interrupted, which teaches nothing. Whatever may be said only once is said by one runner alone.
"""

from collections.abc import Callable

import anyio
from anyio.abc import ByteStream, TaskGroup

from rozaneh.core import Attempt, DialFailed, LocalFault
from rozaneh.finder.canaries import Canaries
from rozaneh.finder.flight import Flight
from rozaneh.finder.race import Begun, Connection, Rules, connection_of
from rozaneh.finder.rank import Ranked
from rozaneh.finder.refusal import Refusal
from rozaneh.finder.runner import Runner, Watched, refuse_substitute
from rozaneh.finder.search import Search
from rozaneh.finder.speak import speak
from rozaneh.finder.ways import Way
from rozaneh.net import Deadlines, Dialer, Report, Trace, measure
from rozaneh.net.trace import NETWORK_ERRORS, dial_failed
from rozaneh.words import text_of

__all__ = ["Opening"]

_UPSTREAM_PATIENCE = 1.5
"""Seconds that a server of the user's has to answer where no canary has."""
_SILENT_SERVER = 1.5
"""Seconds beyond what it should take for which a server of the user's is waited for while there is another one."""
_MEANWHILE = 3
"""Ways that are tried while it is not known whether anything abroad answers."""


class Opening:
    """See the module's text. Made by :meth:`rozaneh.finder.Finder.opening`."""

    def __init__(
        self,
        search: Search,
        rules: Rules,
        *,
        dialer: Callable[[Way], Dialer],
        canaries: Canaries,
        report: Report,
        warn: Callable[[str], None],
        begun: Begun | None = None,
    ) -> None:
        self._search = search
        self._begun = begun
        self._rules = rules
        self._dialer = dialer
        self._canaries = canaries
        self._looked = self._flying = self._cut = False
        self._report = report
        self._warn = warn
        self._flight: Flight | None = None
        self._flown = anyio.Event()
        self._connected = anyio.Event()
        self._over = anyio.Event()
        self._wake = anyio.Event()
        self._began = anyio.current_time()
        self._running: dict[Runner, anyio.CancelScope] = {}
        self._said_once = False
        self._won: Runner | None = None

    async def reachable(self, seconds: float) -> Refusal | None:
        """Wait until the first way is connected, at most so long; a refusal if it is certain that there is none."""
        with anyio.move_on_after(seconds):
            await self._connected.wait()
        return self._search.refusal

    async def server_speaks(self) -> None:
        """Wait until the race is over without a word of the client, because the server spoke or nothing is left."""
        await self._over.wait()

    async def carry(self, flight: Flight | None) -> Connection | Refusal:
        """Say the client's first bytes, and wait for the way that gets them through.

        Args:
            flight: what the client said; none where the server spoke before it.
        """
        self._flight = flight
        self._flown.set()
        await self._over.wait()
        won = self._won
        if won is None or won.stream is None:
            return self._search.refusal or Refusal()
        stream, won.stream = won.stream, None
        return connection_of(won, stream, flight.rest if flight is not None else b"", self._search.dials)

    async def run(self, tasks: TaskGroup) -> None:
        """Race until somebody wins or nothing is left to try; runs beside whoever uses the opening."""
        known = self._search.known
        known.waiting.add(self._poke)
        if self._begun is not None:
            self._run(self._begun.runner, tasks, self._begun)
        try:
            while self._won is None and self._search.refusal is None:
                self._wake = anyio.Event()
                self._look_outside(anyio.current_time(), tasks)
                chosen = self._next(anyio.current_time())
                if chosen is not None:
                    self._start(chosen, tasks)
                elif self._may_wait(anyio.current_time()):
                    with anyio.move_on_after(self._until_stuck(anyio.current_time())):
                        await self._wake.wait()
                else:
                    self._search.refuse(anyio.current_time())
        finally:
            known.waiting.discard(self._poke)
            known.release(self._search)
            for scope in self._running.values():
                scope.cancel()
            self._connected.set()
            self._over.set()

    async def aclose(self) -> None:
        """Close the stream that won if nobody took it."""
        if self._won is not None and self._won.stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(self._won.stream)

    @property
    def _deadlines(self) -> Deadlines:
        """Short ones while nothing abroad answers, so that people are told soon."""
        outage = self._in_outage(anyio.current_time())
        return self._rules.deadlines.scaled(self._rules.hurry) if outage else self._rules.deadlines

    @property
    def _slowness(self) -> float:
        return self._search.knowledge.weather.patience

    def _poke(self) -> None:
        self._wake.set()

    def _until_stuck(self, now: float) -> float | None:
        """Seconds until the next runner may count as stuck; none when none will."""
        left = [runner.stuck_at - now for runner in self._running if runner.may_get_stuck(now)]
        if self._in_outage(now):
            left.append(self._began + self._rules.outage - now)
        if self._search.has_another_server:
            given_up = (runner.stuck_at + _SILENT_SERVER - now for runner in self._running if runner.way.private)
            left += [end for end in given_up if end > 0]
        if self._cut:
            ends = (runner.since + _UPSTREAM_PATIENCE - now for runner in self._running if runner.way.private)
            left += [end for end in ends if end > 0]
        return max(min(left), 0.001) if left else None

    def _may_wait(self, now: float) -> bool:
        """Whether something may still come of what runs."""
        if self._flying:
            return True
        if self._cut:
            self._upstreams_are_silent(now)
        if self._in_outage(now) and now >= self._began + self._rules.outage:
            return not all(runner.stuck(now) for runner in self._running)
        return bool(self._running) or self._search.someone_else_searches

    def _look_outside(self, now: float, tasks: TaskGroup) -> None:
        """Send canaries when nobody has answered what runs, once for this connection."""
        search = self._search
        hangs = bool(self._running) and all(runner.unheard and runner.stuck(now) for runner in self._running)
        if not hangs or self._looked:
            return
        if search.knowledge.weather.may_look(now):
            self._looked = self._flying = True
            tasks.start_soon(self._fly)
        elif search.knowledge.weather.abroad_was_silent(now):
            self._looked = self._cut = True

    def _upstreams_are_silent(self, now: float) -> None:
        """The user's own servers count as the canaries do, once they have had their time."""
        for runner in self._running:
            if runner.way.private and runner.unheard and now >= runner.since + _UPSTREAM_PATIENCE:
                self._search.knowledge.weather.foreign_silent(runner.way.key, now, asked=runner.since)

    async def _fly(self) -> None:
        weather = self._search.knowledge.weather
        asked = anyio.current_time()
        try:
            self._cut = not await self._canaries.fly(
                lambda peer: weather.foreign_silent(peer, anyio.current_time(), asked=asked),
                lambda attempt: self._search.knowledge.spent(attempt.observations, anyio.current_time()),
            )
            if not self._cut:
                weather.foreign_answered(anyio.current_time())
        except anyio.get_cancelled_exc_class():
            weather.looked_in_vain()
            raise
        finally:
            self._flying = False
            self._poke()

    def _in_outage(self, now: float) -> bool:
        return bool(self._search.knowledge.weather.outage(now))

    def _next(self, now: float) -> Ranked | None:
        if self._search.begins:
            return self._search.first(now)
        if self._search.dials >= self._rules.most_dials or self._said_once or now > self._began + self._rules.search:
            return None
        if self._flying and self._search.dials >= _MEANWHILE:
            return None
        for runner, scope in self._running.items():
            self._search.progress(runner, now)
            if self._search.is_pointless(runner):
                scope.cancel()
        if not all(runner.stuck(now) for runner in self._running):
            return None
        self._give_up_silent_server(now)
        kind = self._flight.kind if self._flight is not None else "raw"
        chosen = self._search.alternative(now, tuple(self._running), kind)
        if chosen is not None and len(self._running) >= self._rules.most_at_once:
            self._give_up_oldest()
        return chosen

    def _give_up_silent_server(self, now: float) -> None:
        """Of the user's own servers one runs at a time; a silent one must not keep the others waiting."""
        for runner, scope in self._running.items():
            if runner.way.private and now >= runner.stuck_at + _SILENT_SERVER and self._search.has_another_server:
                knowledge = self._search.knowledge
                if runner.unreached and not knowledge.awake.slept(runner.begun, now):
                    knowledge.upstream_unreached(runner.way, now)
                scope.cancel()

    def _give_up_oldest(self) -> None:
        """Make room: of the ways that are stuck, the one that has been so for longest. The direct one is waited for."""
        oldest = next((runner for runner in self._running if runner.obstacle), None)
        if oldest is not None:
            self._running[oldest].cancel()

    def _start(self, chosen: Ranked, tasks: TaskGroup) -> None:
        patience = max(2 * self._rules.stagger, self._slowness)  # a dial may take a lookup and a handshake
        runner = Runner.begin(chosen, self._search.target, now=anyio.current_time(), patience=patience)
        self._search.started(runner)
        self._run(runner, tasks)

    def _run(self, runner: Runner, tasks: TaskGroup, begun: Begun | None = None) -> None:
        scope = self._running[runner] = anyio.CancelScope()
        tasks.start_soon(self._try, runner, scope, begun)

    async def _try(self, runner: Runner, scope: anyio.CancelScope, begun: Begun | None) -> None:
        def report(attempt: Attempt) -> None:
            self._report(attempt)
            self._search.ended(runner, attempt, anyio.current_time())
            if self._search.begins:
                self._began = anyio.current_time()

        async def exchange(stream: ByteStream, trace: Trace) -> None:
            refuse_substitute(runner, trace)
            await self._exchange(runner, stream, trace)

        with scope:
            try:
                measured = await measure(
                    begun or Watched(self._dialer(runner.way), runner.watch),
                    runner.target,
                    exchange=exchange,
                    report=report,
                    deadlines=self._deadlines,
                    trace=begun.trace if begun is not None else None,
                )
                if measured.ok:
                    await self._win(runner, measured.detach())
            except LocalFault as fault:
                self._warn(text_of(fault))
        del self._running[runner]
        self._poke()

    async def _win(self, runner: Runner, stream: ByteStream) -> None:
        if self._won is not None or self._search.refusal is not None:
            await anyio.aclose_forcefully(stream)
            return
        runner.stream = stream
        self._won = runner
        self._search.won(runner, anyio.current_time())

    async def _exchange(self, runner: Runner, stream: ByteStream, trace: Trace) -> None:
        if runner.phase == "dialling":
            runner.connected(anyio.current_time())
        self._connected.set()
        self._poke()
        if await self._server_speaks_first(runner, stream):
            return
        flight = self._flight
        if flight is None or not flight.data:
            return
        if not flight.replayable:
            if self._said_once:
                await anyio.sleep_forever()  # until the runner that says it has won or lost
            self._said_once = True
        since = None
        if runner.phase == "speaking":
            since = runner.since  # it was begun before the race
        else:
            runner.speaking(anyio.current_time(), self._rules.stagger, self._slowness, kind=flight.kind)
        self._poke()
        picky = self._search.picky(runner.way)
        await speak(flight, stream, trace, runner.heard, picky=picky, since=since)

    async def _server_speaks_first(self, runner: Runner, stream: ByteStream) -> bool:
        """Wait for the client's first bytes, and after a while for the server's as well; whether those came first."""
        with anyio.move_on_at(runner.since + self._rules.wait_for_client):
            await self._flown.wait()
        if self._flown.is_set():
            return False
        broken: list[DialFailed] = []
        async with anyio.create_task_group() as both:

            async def listen() -> None:
                try:
                    runner.heard.first = await stream.receive()
                except NETWORK_ERRORS as error:
                    broken.append(dial_failed(error))
                both.cancel_scope.cancel()

            both.start_soon(listen)
            await self._flown.wait()
            both.cancel_scope.cancel()
        if broken:
            raise broken[0]
        return bool(runner.heard.first)

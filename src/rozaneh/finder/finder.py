"""The finder: makes connections, and learns from each of them."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta

import anyio

from rozaneh.core import Attempt, Failure, Observation, Op, Spec, Target
from rozaneh.diagnosis.suspicion import suspect as _suspect
from rozaneh.dialers.decoy import refused as decoys_refused
from rozaneh.finder.asking import dialer
from rozaneh.finder.canaries import Canaries, places
from rozaneh.finder.curfew import Curfew, Hour, expected
from rozaneh.finder.datagrams import Carried, Straight, carried, look_up
from rozaneh.finder.flight import Flight
from rozaneh.finder.hosts import DOUBTED
from rozaneh.finder.knowledge import Knowledge, Suspect
from rozaneh.finder.liveness import gave_up, refuses_certificate
from rozaneh.finder.memory import Memory
from rozaneh.finder.opening import Opening
from rozaneh.finder.race import Connection, Rules
from rozaneh.finder.refusal import Refusal
from rozaneh.finder.resolvers import Resolvers
from rozaneh.finder.routes import Routes
from rozaneh.finder.search import NAMED_IN_CLEAR, REFUSES, Search
from rozaneh.finder.shortcut import Shortcut
from rozaneh.finder.table import Table
from rozaneh.finder.warming import warm
from rozaneh.finder.ways import DIRECT, Way, Ways
from rozaneh.finder.why import Why, explain
from rozaneh.net import Dialer, Network, Report
from rozaneh.net.clock import Clock, SystemClock
from rozaneh.net.splice import Flow
from rozaneh.net.trust import Trust

__all__ = ["Finder"]

_HUNG = 5.0
_RECOVERS = 15.0
"""Seconds after which transfers that stood still with this process should have gone on."""
_HANDSHAKE = b"\x16"
_TLS_PORT = 443
_COST_OF_INQUIRY = 12_000
"""Bytes that are set aside for an inquiry until it is over: it shakes hands and takes the beginning of a page."""
_REFUSED_FOR = 86400.0
"""Seconds for which a service is believed to turn away whoever comes from here."""
_INQUIRED_FOR = 600.0
_PLACES_REFUSED = frozenset({timedelta(hours=3, minutes=30)})
"""Zones of places from which services turn visitors away (I35). Half past three is Iran's alone."""
_MOST_DIALERS = 256


class Finder:
    """Finds the way that works for each destination.

    Args:
        network: where sockets come from.
        ways: the stacks that lead through the user's own servers.
        memory: what worked before; one in RAM by default.
        clock: the time of day.
        table: what gets past what; the shipped one by default.
        trust: whom TLS to resolvers and upstreams believes.
        where: says which network this device is on, as :func:`rozaneh.finder.place.identity` does.
        salt: the device's key.
        report: told of every attempt, winners and losers alike.
        warn: told, in one line, of what is wrong on this side.
        suspect: what a failed attempt suggests.
        rules: how races are run.
        routes: what the user wants for some destinations, whatever the evidence says.
        clear_lookups: whether the name of a destination that is known to be blocked may be asked for in the clear where
            no resolver can be asked in secret.

    Raises:
        SpecError: one of the ways is none.
    """

    def __init__(
        self,
        network: Network,
        *,
        ways: Sequence[Spec] = (),
        memory: Memory | None = None,
        clock: Clock | None = None,
        table: Table | None = None,
        trust: Trust | None = None,
        where: Callable[[], str] = lambda: "",
        salt: bytes = b"",
        report: Report = lambda _: None,
        warn: Callable[[str], None] = lambda _: None,
        suspect: Suspect = _suspect,
        rules: Rules | None = None,
        routes: Routes | None = None,
        clear_lookups: bool = False,
    ) -> None:
        self.network = network
        self._salt = salt
        self._answers = 0
        self.trust = trust or Trust.system()
        self._report = report
        self._warn = warn
        self._rules = rules or Rules()
        self._dialers: dict[Way, Dialer] = {}
        self._resolvers = Resolvers(network, self.trust)
        self._knowledge = Knowledge(
            table=(table or Table.shipped()).without({"decoy"} if decoys_refused(network) else ()),
            memory=memory or Memory(),
            ways=Ways(ways, salt),
            clock=clock or SystemClock(),
            where=where,
            asks=self._resolvers,
            suspect=suspect,
            clear_lookups=clear_lookups,
            routes=routes or Routes(),
        )
        for way in self._knowledge.ways.upstreams:
            self.dialer_of(way)
        self._canaries = Canaries(
            places(self._knowledge.table.resolvers, self._resolvers),
            self.dialer_of(self._knowledge.ways.direct),
            report,
        )

    @asynccontextmanager
    async def opening(self, target: Target, begun: Shortcut | None = None) -> AsyncIterator[Opening]:
        """Begin to make a connection: the first way is dialled at once, before the client has said anything.

        Args:
            target: what is to be reached.
            begun: a dial of the direct way to go on with.
        """
        self._knowledge.arrive()
        search = begun.search if begun is not None else Search(self._knowledge, target)
        opening = Opening(
            search,
            self._rules,
            dialer=self.dialer_of,
            canaries=self._canaries,
            report=self._report,
            warn=self._warn,
            begun=begun,
        )
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(opening.run, tasks)
                try:
                    yield opening
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            await opening.aclose()

    def shortcut(self, target: Target) -> Shortcut | None:
        """The direct way to a target to which it has led within the last minute, without a race; else none."""
        self._knowledge.arrive()
        return Shortcut.begin(Search(self._knowledge, target), self._rules, self._report)

    async def connect(self, target: Target, flight: Flight) -> Connection | Refusal:
        """Make a connection for a client whose first bytes are already here."""
        async with self.opening(target) as opening:
            return await opening.carry(flight)

    def ended(self, target: Target, connection: Connection, flow: Flow, now: float, patience: float = 0.0) -> str:
        """A connection has ended: learn from one on which the target was never heard.

        Args:
            target: what was reached.
            connection: as it was made.
            flow: what was moved on it.
            now: seconds of the event loop's clock.
            patience: seconds of silence that are no ordinary pause of it.

        Returns:
            What is in doubt now, or empty.
        """
        if self._knowledge.awake.slept(flow.last, now):
            return ""
        doubt: str = gave_up(flow, now, patience)
        if doubt:
            self.doubt(target, connection, doubt, now)
        known = self._knowledge.hosts.known(target)
        if self.disbelieved(target, connection, flow, now):
            doubt = "tls_interception"
        heard = connection.answered or flow.down
        hung = flow.failure is not None and flow.broken_by == "far"
        left = flow.failure is None and now - flow.began > _HUNG
        if heard or connection.way.key != DIRECT or not (hung or left):
            return doubt
        failure = flow.failure or Failure.GENERIC_TIMEOUT_ERROR
        silent = Observation(op=Op.FIRST_BYTE, t0=0.0, took=now - flow.began, failure=failure)
        started = self._knowledge.clock.now().timestamp()
        attempt = Attempt(
            target=target, spec=DIRECT, started=started, took=silent.took, failure=failure, observations=(silent,)
        )
        known.tried.append(attempt)
        if self._knowledge.ways.upstreams:
            known.learn("protocol_filter", None, now + self._knowledge.table.residual("protocol_filter"))
        return doubt

    def doubt(self, target: Target, connection: Connection, doubt: str, now: float) -> None:
        """Transfers stop or crawl on a connection: the next one to this target takes another way.

        Args:
            target: what was reached.
            connection: as it was made.
            doubt: what its bytes suggest.
            now: seconds of the event loop's clock.
        """
        knowledge = self._knowledge
        if knowledge.weather.outage(now) or knowledge.awake.slept(now - _RECOVERS, now):
            return  # everything stops then, by whatever way
        known = self._knowledge.hosts.known(target)
        key = connection.way.key
        known.doubted[key] = now + DOUBTED
        if known.way is None or known.way.key == key or not known.blocked(now):
            obstacle = known.blocked(now) or doubt
            known.learn(obstacle if obstacle.startswith(NAMED_IN_CLEAR) else doubt, None, now + DOUBTED)
        if connection.obstacle:
            self._knowledge.remember(connection.obstacle, connection.way, worked=False)

    def disbelieved(self, target: Target, connection: Connection, flow: Flow, now: float) -> bool:
        """Where a client left because of a certificate somebody else answers: the next one takes another way.

        Args:
            target: what was reached.
            connection: as it was made.
            flow: what was moved on it.
            now: seconds of the event loop's clock.

        Returns:
            Whether it did.
        """
        if connection.way.private or connection.first[:1] != _HANDSHAKE or not refuses_certificate(flow, now):
            return False
        self.mistrust(target, connection.way, "tls_interception")
        return True

    def mistrust(self, target: Target, way: Way, obstacle: str) -> None:
        """A way does not do for a target: the next connection takes another one."""
        known, now = self._knowledge.hosts.known(target), anyio.current_time()
        until = now + (_REFUSED_FOR if obstacle == REFUSES else DOUBTED)
        known.doubted[way.key] = until
        known.learn(obstacle, None, until)

    def relieve(self, target: Target, way: Way) -> None:
        """A way does for a target after all."""
        known = self._knowledge.hosts.known(target)
        known.doubted.pop(way.key, None)
        if known.way is None and not known.obstacle.startswith(NAMED_IN_CLEAR):
            known.learn("", None, anyio.current_time())

    def may_inquire(self, target: Target, doubt: str) -> bool:
        """Whether a question of our own may be asked about a doubt now; it counts as asked.

        Whether a service turns visitors away is asked only where that happens, and where there is another way out.
        """
        if target.port != _TLS_PORT:
            return False
        knowledge, now = self._knowledge, anyio.current_time()
        known = knowledge.hosts.known(target)
        if knowledge.routes.of(target.host) is not None:
            return False
        if doubt == REFUSES and (known.blocked(now) or not self._minds_refusals):
            return False
        if now < known.inquired_until or knowledge.budget.left(now) < _COST_OF_INQUIRY:
            return False
        known.inquired_until = now + (_REFUSED_FOR if doubt == REFUSES else _INQUIRED_FOR)
        knowledge.budget.spend(now, _COST_OF_INQUIRY)
        return True

    @property
    def _minds_refusals(self) -> bool:
        """Whether services turn visitors away here, and there is another way out."""
        offset = self._knowledge.clock.now().utcoffset()
        return bool(self._knowledge.ways.upstreams) and offset in _PLACES_REFUSED

    def inquired(self, asked: Iterable[Attempt]) -> None:
        """An inquiry is over: what it has cost, instead of what was set aside for it."""
        now = anyio.current_time()
        self._knowledge.budget.spend(now, -_COST_OF_INQUIRY)
        for attempt in asked:
            self._knowledge.spent(attempt.observations, now)

    def why(self, host: str) -> tuple[Why, ...]:
        """What was tried for a host in this session, what was seen, and why it is reached as it is, for each port."""
        return explain(self._knowledge, host, anyio.current_time())

    def outage(self) -> str:
        """``whole_outage``, ``domestic_only`` or empty, as the last minute showed."""
        return self._knowledge.weather.outage(anyio.current_time())

    def curfew(self, watched: Iterable[Hour] = ()) -> Curfew | None:
        """The cut that is usual on this network and is on now or comes next, as far as it is known.

        Args:
            watched: hours of this line that are known from elsewhere, beside those that are remembered.
        """
        knowledge = self._knowledge
        knowledge.arrive()
        return expected([*knowledge.memory.line(knowledge.context.network), *watched], knowledge.clock.now())

    def beat(self) -> None:
        """Take note that this process runs; to be called about twice a second while the finder is in use."""
        if self._knowledge.beat(anyio.current_time()):
            self.let_go()

    def rest(self) -> None:
        """It is in use no more, for now."""
        self._knowledge.awake.rest()

    def look_at_line(self) -> None:
        """Remember whether the line abroad is open or cut now, where the user's own connections have shown it."""
        knowledge = self._knowledge
        weather, answers = knowledge.weather, self._answers
        self._answers = weather.answers
        if self.outage():
            self.line_was(knowledge.clock.now(), cut=True)
        elif weather.answers != answers and weather.answers:
            self.line_was(knowledge.clock.now(), cut=False)

    async def warm(self) -> tuple[int, int]:
        """Go each of the user's ways once: how many answered, and how many were gone."""
        return await warm(self._knowledge, self.dialer_of, self._canaries.where[0], self._report)

    def line_was(self, at: datetime, *, cut: bool) -> None:
        """Remember that the line abroad was open, or cut, at a moment."""
        self._knowledge.memory.line_was(self._knowledge.context.network, at, cut=cut)

    def line_is_back(self) -> None:
        """A cut is over as far as is known: what it led through a server may be reached in the usual way again.

        What is known to be blocked stays so, and no name is shown by looking.
        """
        self._knowledge.line_is_back()
        self._knowledge.hosts.choose_anew(NAMED_IN_CLEAR)

    def carried(self, target: Target) -> Straight | Carried | None:
        """Where a datagram to a target may go; none where nowhere."""
        return carried(self._knowledge, self.network, self.dialer_of, target, anyio.current_time())

    async def look_up(self, host: str) -> tuple[tuple[str, ...], int]:
        """The public addresses of a name, by the trustworthy resolvers alone, and for how many seconds they hold.

        Raises:
            DialFailed: none could be asked, or the name has none.
        """
        return await look_up(self._knowledge, self.network, self.trust, host)

    def keeping(self) -> AbstractAsyncContextManager[None]:
        """Within this, connections to resolvers stay open between lookups."""
        return self._resolvers.keeping()

    def let_go(self) -> None:
        """Close the connections that are kept and not in use."""
        self._resolvers.forget()

    def use(self, ways: Sequence[Spec]) -> None:
        """Take these servers of the user's from now on, instead of those before.

        Raises:
            SpecError: one of them is no way; nothing has changed then.
        """
        fresh = Ways(ways, self._salt)
        for way in fresh.upstreams:
            self.dialer_of(way)
        self._knowledge.ways = fresh
        self._knowledge.fallen.keep(way.key for way in fresh.upstreams)

    def forget(self) -> None:
        """Forget what was reached, what is in the way of it and what worked, here and on disk."""
        self._knowledge.forget()
        self._dialers.clear()

    def dialer_of(self, way: Way) -> Dialer:
        """The dialer for a way, made once.

        Raises:
            SpecError: there is no such way.
        """
        found = self._dialers.get(way)
        if found is None:
            found = self._dialers[way] = dialer(way, self.network, self.trust, self._resolvers)
            if len(self._dialers) > _MOST_DIALERS:
                del self._dialers[next(iter(self._dialers))]
        return found

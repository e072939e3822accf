"""What the finder knows: the table, the memory, this session's destinations, and how the resolvers do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from rozaneh.core import Attempt, Context, Failure, Observation, Op
from rozaneh.finder.awake import Awake
from rozaneh.finder.budget import Budget, cost
from rozaneh.finder.fallen import Fallen, unreached
from rozaneh.finder.hosts import Hosts
from rozaneh.finder.memory import Memory
from rozaneh.finder.resolvers import Resolvers
from rozaneh.finder.routes import Routes
from rozaneh.finder.table import Table
from rozaneh.finder.ways import Way, Ways
from rozaneh.finder.weather import Weather
from rozaneh.net.clock import Clock

__all__ = ["Knowledge", "Suspect", "unheard"]

Suspect = Callable[[Attempt], Iterable[tuple[str, float]]]
"""What one failed attempt suggests, with weights: :func:`rozaneh.diagnosis.suspect`."""

_PROVED = 0.5
_HOPELESS = 3.0
_AVOIDED = 120.0
"""Seconds for which a resolver that failed is asked last."""
_SILENCE = {Failure.GENERIC_TIMEOUT_ERROR, Failure.NETWORK_UNREACHABLE, Failure.HOST_UNREACHABLE, Failure.NETWORK_DOWN}


@dataclass(slots=True)
class Knowledge:
    """Everything that decides which way is tried, apart from the evidence of the connection at hand.

    Attributes:
        table: what gets past what.
        memory: what worked on this network at this hour.
        ways: the direct way and the user's servers.
        clock: the time of day.
        where: the identity of the network that this device is on; empty while it is on none.
        asks: asks resolvers.
        suspect: what a failed attempt suggests.
        clear_lookups: whether a name that must be hidden may be asked for in the clear where all else is silent.
        routes: what the user wants whatever the evidence says.
        hosts: this session's destinations.
        weather: whether anything abroad answers.
        budget: how much may be tried here that is not proven.
        awake: whether this process ran all the time.
        fallen: which of the user's servers could not be reached lately.
    """

    table: Table
    memory: Memory
    ways: Ways
    clock: Clock
    where: Callable[[], str]
    asks: Resolvers
    suspect: Suspect
    clear_lookups: bool = False
    routes: Routes = field(default_factory=Routes)
    hosts: Hosts = field(default_factory=Hosts)
    weather: Weather = field(default_factory=Weather)
    budget: Budget = field(default_factory=Budget)
    awake: Awake = field(default_factory=Awake)
    fallen: Fallen = field(default_factory=Fallen)
    _network: str = ""
    _away: bool = False
    _avoided: dict[str, float] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The date, for evidence that expires."""
        return self.clock.now().date()

    @property
    def context(self) -> Context:
        """Which network this is, and the local hour."""
        now = self.clock.now()
        return Context(network=self._network, hour=now.hour, weekday=now.weekday())

    def arrive(self) -> None:
        """Notice a change of network: what was learnt of destinations on another one is worth nothing here.

        While there is none, what is known of the last one is kept: it is mostly the one that comes back, and whoever
        forgets a block shows the name again.
        """
        network = self.where()
        if not network:
            self._away = True
            return
        if self._away:
            self._away, self.weather, self.fallen = False, Weather(), Fallen()
        if network != self._network:
            self._network = network
            self._begin_anew()

    def beat(self, now: float) -> bool:
        """Notice that this process stood still: what was believed of the line is looked at anew."""
        stood_still = self.awake.beat(now)
        if stood_still:
            self.weather, self.fallen = Weather(), Fallen()
            self._avoided.clear()
        return stood_still

    def overslept(self, attempt: Attempt, now: float) -> bool:
        """Whether an attempt that has just failed may have done so because this process stood still."""
        failed = attempt.failure not in (None, Failure.INTERRUPTED)
        return failed and self.awake.slept(now - attempt.took, now)

    def forget(self) -> None:
        """Forget everything that was learnt, in this session and before."""
        self.memory.wipe()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.hosts.forget()
        self.weather, self.fallen = Weather(), Fallen()
        self.budget = Budget()
        self.asks.forget()
        self._avoided.clear()

    def suspicions(self, attempt: Attempt) -> dict[str, float]:
        """What a failed attempt suggests, by obstacle."""
        return {str(name): weight for name, weight in self.suspect(attempt)}

    def seen(self, obstacle: str, way: str) -> tuple[float, float]:
        """Decayed counts of successes and failures here, around this hour."""
        return self.memory.seen(self.context, obstacle, way, self.clock.now().timestamp())

    def is_proven(self, obstacle: str, way: Way) -> bool:
        """Whether a way has got past an obstacle here lately, three times of four or more."""
        good, bad = self.seen(obstacle, way.key)
        return good > _PROVED and good >= 3 * bad

    def is_hopeless(self, obstacle: str, way: Way) -> bool:
        """Whether a way has failed against an obstacle here lately again and again, and hardly ever got past it."""
        good, bad = self.seen(obstacle, way.key)
        return bad >= _HOPELESS and bad >= 3 * good

    def remember(self, obstacle: str, way: Way, *, worked: bool) -> None:
        """Keep an outcome."""
        self.memory.record(self.context, obstacle, way.key, worked=worked, now=self.clock.now().timestamp())

    def spent(self, steps: Iterable[Observation], now: float) -> None:
        """Steps were taken that no user asked for."""
        self.budget.spend(now, cost(steps))

    def resolvers(self, now: float) -> list[str]:
        """The trustworthy resolvers, best first: those that failed lately come last."""
        names = [row.use for row in self.table.resolvers]
        return sorted(names, key=lambda name: self._avoided.get(name, 0.0) > now)

    def resolver_failed(self, resolver: str, attempt: Attempt, now: float) -> None:
        """A resolver could not be asked."""
        if self.overslept(attempt, now):
            return
        self._avoided[resolver] = now + _AVOIDED
        if unheard(attempt):
            self.weather.foreign_silent(resolver, now, asked=now - attempt.took)

    def upstream_failed(self, way: Way, attempt: Attempt, now: float) -> None:
        """A way through the user's server failed."""
        if self.overslept(attempt, now):
            return
        if unreached(attempt):
            self.upstream_unreached(way, now)
        if unheard(attempt):
            self.weather.foreign_silent(way.key, now, asked=now - attempt.took)

    def upstream_unreached(self, way: Way, now: float) -> None:
        """A server of the user's could not be reached."""
        self.fallen.fell(way.key, now)

    def upstream_answered(self, way: Way, now: float) -> None:
        """A server of the user's led somewhere."""
        self.fallen.stands(way.key)
        self.weather.upstream_answered(way.key, now)

    def line_is_back(self) -> None:
        """A cut is over as far as anybody knows: what could not be reached before may be there again."""
        self.fallen = Fallen()
        self.weather.may_be_over()


def unheard(attempt: Attempt) -> bool:
    """Whether not even a connection came about, for want of any answer."""
    connects = list(attempt.steps(Op.CONNECT))
    return any(step.failure in _SILENCE for step in connects) and all(step.failure is not None for step in connects)

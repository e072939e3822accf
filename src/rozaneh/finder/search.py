"""Which way next: the deciding half of one connection being made. No input or output; times are passed in.

Each failed attempt goes to the diagnosis, and so does each runner that is stuck, as if it had ended there. What is
suspected goes to the table; the best way not tried yet is next. Three rules hold whatever happens: a destination that
is known to need a way is not dialled without one; its name is asked for in the clear only by a search that has just
done so by the direct way; and of the user's own servers only one runs at a time, because racing them would show all of
them to whoever watches.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from rozaneh.core import Attempt, Failure, Observation, Op, Target
from rozaneh.finder.budget import FIRST_LOOKUP, LOOKUP, TRIAL, cost
from rozaneh.finder.hosts import Known
from rozaneh.finder.knowledge import Knowledge, unheard
from rozaneh.finder.rank import Ranked, merge, rank
from rozaneh.finder.refusal import Refusal
from rozaneh.finder.runner import Runner, resolved, trouble_at_resolver, unanswered
from rozaneh.finder.table import RESOLVER, UPSTREAM
from rozaneh.finder.ways import DIRECT, Way, shows_names

__all__ = ["NAMED_IN_CLEAR", "REFUSES", "RESOLVERS_SILENT", "Search"]

_IN_DOUBT = 0.7
"""What a suspicion weighs that rests on a runner which is stuck but may still arrive."""
_SURE = 0.5
_BELIEVED = 1800.0
_BELIEVED_IN_DOUBT = 180.0
_REFUSED = 5.0
_CUT = 2.0
"""Seconds for which nothing is tried again for a target while nothing abroad answers."""
NAMED_IN_CLEAR = ("dns_", "tls_", "http_")
"""Obstacles that react to a name in the clear: once known, it is not shown again before they are verified anew."""
_TRANSFERS = {"stall", "throttling"}
"""Obstacles to what comes after the first answer; they do not react to a name being shown again."""
RESOLVERS_SILENT = "resolvers_silent"
"""Its name would have to be asked for in the clear, which is not done."""
REFUSES = "service_refusal"
RULE_ABROAD = "rule_abroad"
"""The service itself turns visitors away for where they come from."""
_CUTS = {"whole_outage", "domestic_only"}
_NO_WAY_HELPS = {"site_down", "captive_portal", "whole_outage", "domestic_only", "none"}


@dataclass(slots=True, eq=False)
class Search:
    """The search for a way to one target.

    Attributes:
        knowledge: what is known apart from this search.
        target: what is to be reached.
        dials: how many ways were started.
        suspicions: what the failed attempts suggest.
        refusal: why there is none, once that is certain.
        begins: whether the first way is next: at the beginning, and where this process stood still meanwhile.
    """

    knowledge: Knowledge
    target: Target
    dials: int = 0
    suspicions: dict[str, float] = field(default_factory=dict)
    refusal: Refusal | None = None
    begins: bool = True
    _tried: set[str] = field(default_factory=set)
    _bad_resolvers: set[str] = field(default_factory=set)
    _asked_in_clear: bool = False
    _kept_secret: bool = False
    _direct_failed: bool = False
    _dialled_directly: frozenset[str] = frozenset()
    _lent: tuple[str, ...] = ()
    _tried_lent: set[str] = field(default_factory=set)
    _spent: set[str] = field(default_factory=set)
    _failure: Failure | None = None
    _told: bytes = b""
    _forgiving: bool = False
    _lost: frozenset[str] = frozenset()
    _since: float = math.inf

    @property
    def known(self) -> Known:
        """What this session knows of the target."""
        return self.knowledge.hosts.known(self.target)

    @property
    def someone_else_searches(self) -> bool:
        """Whether another connection to the same target is searching; its result will do for this one."""
        return self.known.explorer not in (None, self)

    @property
    def has_another_server(self) -> bool:
        """Whether a server of the user's has not been tried yet."""
        return any(way.key not in self._tried for way in self.knowledge.ways.upstreams)

    def first(self, now: float) -> Ranked | None:
        """The way that is known to work, or the direct one where none is known to be needed."""
        direct = self._directly(now)
        if direct is not None:
            return direct
        wanted = self.knowledge.routes.of(self.target.host)
        if wanted == "refuse":
            self.refusal = Refusal(failure=Failure.CONNECTION_REFUSED, obstacle="rule")
            return None
        if wanted == "abroad":
            self.suspicions = {RULE_ABROAD: 1.0}
            self._tried.add(DIRECT)
            return self.alternative(now, (), "raw")
        blocked = self.known.blocked(now)
        self.suspicions = {blocked: 1.0}
        self._tried.add(DIRECT)
        chosen = self.alternative(now, (), "raw")
        if chosen is None and blocked in _TRANSFERS and not self.someone_else_searches:
            # A way on which transfers crawl is better than none.
            self._tried.clear()
            self._forgiving = True
            chosen = self.alternative(now, (), "raw") or self._direct
        return chosen

    def first_again(self, now: float) -> tuple[Ranked | None, str]:
        """The direct way where it would be the first and has led here lately, and the address; else none."""
        known = self.known
        if now >= known.open_until or self.knowledge.weather.outage(now):
            return None, ""
        return self._directly(now), known.open_at

    def _directly(self, now: float) -> Ranked | None:
        """The direct way, where a rule wants it or nothing is known to be in its way."""
        wanted = self.knowledge.routes.of(self.target.host)
        open_ = wanted == "direct" or (wanted is None and not self.known.blocked(now))
        return self._direct if open_ else None

    @property
    def _direct(self) -> Ranked:
        return Ranked(way=self.knowledge.ways.direct, obstacle="", score=1.0)

    def picky(self, way: Way) -> bool:
        """Whether a refusal by the service itself is a failure of this way: a server of the user's may do better."""
        return bool(self.knowledge.ways.upstreams) and not way.private

    def alternative(self, now: float, running: Sequence[Runner], kind: str) -> Ranked | None:
        """The best way not tried yet; none when there is none, or when it is somebody else's turn to search.

        Args:
            now: the time.
            running: what runs already, all of it stuck.
            kind: what the client speaks.
        """
        known, knowledge = self.known, self.knowledge
        if knowledge.routes.of(self.target.host) == "direct":
            return None
        if known.refused(now) is not None:
            self.refusal = None if running else known.refused(now)
            return None
        usable = known.way is not None and known.way.key not in self._tried | self._tried_lent | self._doubted(now)
        if known.way is not None and usable and known.blocked(now):
            way = known.way.with_addresses(*knowledge.hosts.addresses(self.target.host, now))
            if not way.asks or self._may_ask(way.resolver):
                return Ranked(way=way, obstacle=known.obstacle, score=1.0)
        if self.someone_else_searches:
            return None
        if knowledge.weather.outage(now):
            return None
        known.explorer = self
        ranked = rank(
            self._suspects(now, running, kind),
            knowledge.table,
            lambda use: self._options(use, now, running),
            knowledge.seen,
            knowledge.today,
        )
        ranked = [each for each in ranked if self._may_cost(each, now)]
        # Ways that share a server with one that could not be reached would share its fate. What failed at the addresses
        # that the system gave is tried last at those of another resolver. Servers that others could not reach wait.
        tried = [way.key for way in knowledge.ways.upstreams if way.key in self._tried]
        ranked.sort(
            key=lambda each: (
                bool(each.way.depends & self._lost),
                each.way.key in self._tried_lent,
                knowledge.fallen.turn(each.way.key, tried, now),
            )
        )
        return ranked[0] if ranked else None

    def _may_cost(self, each: Ranked, now: float) -> bool:
        """Whether the budget allows for a way; what is proven here may always be tried."""
        knowledge = self.knowledge
        if knowledge.is_proven(each.obstacle, each.way):
            return True
        if knowledge.is_hopeless(each.obstacle, each.way) and not knowledge.budget.plenty(now):
            return False
        return knowledge.budget.left(now) >= self._expected_cost(each.way)

    def _expected_cost(self, way: Way) -> int:
        if not way.asks:
            return TRIAL
        return TRIAL + (LOOKUP if self.knowledge.asks.is_open(way.resolver) else FIRST_LOOKUP)

    def _suspects(self, now: float, running: Sequence[Runner], kind: str) -> dict[str, float]:
        suspects = self.suspicions
        started = self.knowledge.clock.now().timestamp()
        for runner in running:
            if runner.stuck(now) and not runner.way.private and not runner.at_resolver:
                doubtful = self.knowledge.suspicions(runner.if_it_ended_now(started, kind))
                suspects = merge(suspects, {name: weight * _IN_DOUBT for name, weight in doubtful.items()})
        return suspects

    def _options(self, use: str, now: float, running: Sequence[Runner]) -> Iterator[Way]:
        """What a row of the table stands for now, without what was tried or may not be."""
        private_runs = any(runner.way.private for runner in running)
        avoided = self._bad_resolvers | {runner.way.resolver for runner in running if runner.at_resolver}
        known = self.knowledge.hosts.addresses(self.target.host, now)
        left = [name for name in self.knowledge.resolvers(now) if name not in avoided]
        resolvers = [name for name in left if self._may_ask(name)]
        asks = use.startswith(RESOLVER) and not (known[0] or self._lent)
        self._kept_secret |= asks and bool(left) and not resolvers
        if not known[1]:
            # The direct way connected: what it failed at came later, and another lookup would cost round trips.
            lends = use not in self._tried_lent and not use.endswith(f"}}|{DIRECT}")
            known = (known[0] or self._lent) if lends else (), ""
        for way in self.knowledge.ways.expand(use, self.target, resolvers, known):
            waits = private_runs if way.private else now < self.known.quiet_until
            same = way.path == self.knowledge.ways.direct.path and len(way.addresses) > 0
            same = same and self._dialled_directly.issuperset(way.addresses)
            if not way.resolver and not way.private and not self.target.is_literal and not way.addresses:
                # It would ask the system for the name in the clear: only where the direct way has just done so.
                waits = waits or not self._asked_in_clear
            if way.key not in self._tried | self._doubted(now) and not waits and not same:
                yield msgspec.structs.replace(way, avoid=frozenset(self._spent)) if way.resolver else way

    def _may_ask(self, resolver: str) -> bool:
        """Whether a resolver may be asked for the name: in secret always, else where that shows nothing new."""
        return self._asked_in_clear or self.knowledge.clear_lookups or not shows_names(resolver)

    def _doubted(self, now: float) -> set[str]:
        return set() if self._forgiving else self.known.in_doubt(now)

    def progress(self, runner: Runner, now: float) -> None:
        """Look at a runner that is under way: its resolver may have answered."""
        if runner.way.asks and self._learn_addresses(runner.way, runner.seen, now):
            self._tried.add(runner.way.key)
        if runner.way.key == DIRECT:
            self._dialled_directly = runner.dialled
            self._lent = runner.lendable
            if any(step.op is Op.RESOLVE and step.failure is None for step in runner.seen):
                self.knowledge.weather.near_answered(now)
        if not runner.way.private:
            # Some obstacles go on punishing the address that they struck at: others are tried while there are any.
            self._spent |= unanswered(runner.seen) | (runner.connected_to if runner.phase == "speaking" else set())

    def is_pointless(self, runner: Runner) -> bool:
        """Whether it only dials what the direct way dials as well: the resolvers agree about the addresses."""
        same = runner.dialled and runner.dialled <= self._dialled_directly
        return bool(same) and runner.way.path == self.knowledge.ways.direct.path and runner.way.key != DIRECT

    def started(self, runner: Runner) -> None:
        """A way is being tried. With a resolver that has to be asked it may be tried again with another one."""
        self.dials += 1
        self.begins = False
        self._since = min(self._since, runner.since)
        known = self.known.way
        runner.usual = known is not None and known.key == runner.way.key
        if runner.way.key != DIRECT:
            runner.set_aside = self._expected_cost(runner.way)
            self.knowledge.budget.spend(runner.since, runner.set_aside)
        self._asked_in_clear |= runner.way.key == DIRECT
        if runner.way.borrowed:
            self._tried_lent.add(runner.way.key)
        elif not runner.way.asks:
            self._tried.add(runner.way.key)

    def ended(self, runner: Runner, attempt: Attempt, now: float) -> None:
        """An attempt is over: learn what it says."""
        self.known.tried.append(attempt)
        self._settle(runner, attempt, now)
        if self.knowledge.overslept(attempt, now):
            self._tried.discard(runner.way.key)
            self._tried_lent.discard(runner.way.key)
            self.begins = True
            return
        self.progress(runner, now)
        if runner.way.asks and trouble_at_resolver(attempt):
            self._bad_resolvers.add(runner.way.resolver)
            self.knowledge.resolver_failed(runner.way.resolver, attempt, now)
            return
        if self._out_of_date(runner, attempt, now):
            self._tried.discard(runner.way.key)
            return
        if not runner.way.borrowed:
            self._tried.add(runner.way.key)
        if attempt.failure in (None, Failure.INTERRUPTED):
            return
        self._told = self._told or runner.heard.told
        if runner.way.private:
            self.knowledge.upstream_failed(runner.way, attempt, now)
            self._lost |= runner.way.depends
        else:
            self._failure = attempt.failure
            self.suspicions = merge(self.suspicions, self.knowledge.suspicions(attempt))
        if runner.way.key == DIRECT:
            self._direct_failed = True
            self.known.open_until = -math.inf
        elif not self.knowledge.table.residual(runner.obstacle) and (runner.way.private or not unheard(attempt)):
            # Within the time for which an obstacle punishes, nothing that fails says anything about the way; nor does a
            # place that does not answer about the shape of what would have been said there.
            self.knowledge.remember(runner.obstacle, runner.way, worked=False)
        known = self.known
        if known.way is not None and known.way.key == runner.way.key:
            known.learn(known.obstacle, None, known.until)

    def _out_of_date(self, runner: Runner, attempt: Attempt, now: float) -> bool:
        """Whether this way, begun later for somebody else, has led here meanwhile: what it failed at is over."""
        known = self.known
        failed = attempt.failure not in (None, Failure.INTERRUPTED)
        same = known.way is not None and known.way.key == runner.way.key
        return failed and same and known.worked > now - attempt.took

    def _settle(self, runner: Runner, attempt: Attempt, now: float) -> None:
        """Take off the budget what it has cost: of what its user asked for, and of what is usual, the lookup alone."""
        if runner.way.key == DIRECT:
            return
        own = attempt.ok or runner.usual
        steps = attempt.within(Op.RESOLVE) if own else attempt.observations
        self.knowledge.budget.spend(now, cost(steps) - runner.set_aside)

    def _learn_addresses(self, way: Way, steps: Iterable[Observation], now: float) -> bool:
        """Keep what its resolver said, if that has answered."""
        addresses, ttl = resolved(steps)
        if addresses:
            self.knowledge.hosts.learn_addresses(self.target.host, addresses, way.resolver, ttl=ttl, now=now)
            self.knowledge.weather.foreign_answered(now)
        return bool(addresses)

    def won(self, runner: Runner, now: float) -> None:
        """A way led to the target."""
        known = self.known
        known.worked = runner.begun
        if runner.way.key == DIRECT:
            if known.refusal is not None and known.refusal.obstacle in _CUTS:
                self.knowledge.weather.foreign_answered(now)  # the very place that the cut had taken
            self.knowledge.weather.near_answered(now)
            self.knowledge.weather.went_directly(runner.pace)
            known.learn("", None, now)
            known.opened(next(iter(runner.connected_to), ""), now)
            return
        if runner.way.private:
            self.knowledge.upstream_answered(runner.way, now)
        else:
            self.knowledge.weather.foreign_answered(now)
        if runner.way.borrowed:
            # Pinned for a while, so that the name is not asked for in the clear again.
            self.knowledge.hosts.learn_addresses(self.target.host, runner.way.addresses, "", ttl=0.0, now=now)
        until = known.until
        if not known.blocked(now):
            # A direct dial that was only slow is no proof: that is looked at again soon.
            until = now + (_BELIEVED if self._direct_failed else _BELIEVED_IN_DOUBT)
        if runner.way.resolver and shows_names(runner.way.resolver):
            # The same, for as long as its way is believed in.
            found = self.knowledge.hosts.addresses(self.target.host, now)[0]
            self.knowledge.hosts.learn_addresses(self.target.host, found, runner.way.resolver, ttl=until - now, now=now)
        self.knowledge.hosts.drop_addresses(self.target.host, unanswered(runner.seen))
        known.learn(runner.obstacle, runner.way, until)
        self.knowledge.remember(runner.obstacle, runner.way, worked=True)

    def refuse(self, now: float) -> Refusal:
        """Nothing is left to try: say why, and do not let it be searched again at once."""
        if self.refusal is not None:
            return self.refusal
        knowledge, known = self.knowledge, self.known
        outage = knowledge.weather.outage(now)
        suspicions = merge(self.suspicions, {outage: 1.0} if outage else {})
        hidden = self._kept_secret and not outage
        obstacle = outage or max(suspicions, key=lambda name: suspicions[name], default="unknown")
        residual = knowledge.table.residual(obstacle)
        upstream = bool(knowledge.ways.upstreams)
        retry = _CUT if outage else _REFUSED if upstream or not residual else residual
        self.refusal = Refusal(
            failure=self._failure or (Failure.GENERIC_TIMEOUT_ERROR if outage else Failure.UNKNOWN_FAILURE),
            obstacle=RESOLVERS_SILENT if hidden else obstacle,
            tried=self.dials,
            needs_upstream=not upstream and obstacle not in _NO_WAY_HELPS,
            retry_after=retry,
            told=self._told,
        )
        if known.worked > self._since:
            return self.refusal  # for who has waited here alone: somebody who began later got through
        if residual and any(row.use != UPSTREAM for row in knowledge.table.rows(obstacle)):
            known.quiet_until = now + residual
        if outage:
            known.excuse(now)
        if suspicions.get(obstacle, 0.0) >= _SURE and obstacle.startswith(NAMED_IN_CLEAR) and not known.blocked(now):
            known.learn(obstacle, None, now + _BELIEVED_IN_DOUBT)
        known.refusal, known.refused_until = msgspec.structs.replace(self.refusal, tried=0), now + retry
        return self.refusal

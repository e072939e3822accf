"""One way being tried, as the race sees it from outside."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, Self

from rozaneh.core import Attempt, DialFailed, Failure, Observation, Op, Spec, Target
from rozaneh.core.addresses import is_bogon
from rozaneh.diagnosis.signatures import signatures
from rozaneh.finder.rank import Ranked
from rozaneh.finder.speak import Heard
from rozaneh.finder.ways import Way
from rozaneh.net import ByteStream, Dialer, Trace

__all__ = ["Runner", "Watched", "refuse_substitute", "resolved", "trouble_at_resolver", "unanswered"]

Phase = Literal["dialling", "ready", "speaking"]

_ROUND_TRIPS = (Op.RESOLVE, Op.CONNECT, Op.TLS)
_PATIENT_ANSWERS = 3.0
"""An answer may take this many times what the connection took: a round trip and the server's work."""
_LOST_ONCE = 7.0
"""On a long line an answer may take as many times that: a packet that was lost is sent again after three round trips
(RFC 6298, for a connection that has made one), is a fourth on its way, and a narrow line takes about as long again."""
_WITHOUT = 0.6
"""Less so many seconds, so that a line of 150 milliseconds and less is not waited for any longer than without loss."""
_LONGEST_FOR_LOSS = 2.5
_FIRST_AGAIN = 1.0
"""Seconds after which the first packet of a connection is sent again (RFC 6298, section 2)."""
_LONG = 0.2
"""Seconds of a lookup beyond which a line counts as long."""
_PATIENT_REQUESTS = 12.0
"""A page may take this many staggers, because servers think."""


@dataclass(slots=True, eq=False)
class Runner:
    """One way being tried.

    Attributes:
        way: the way.
        obstacle: what it is tried against; empty for the direct one.
        target: what it dials.
        since: when it last got further, in seconds of the event loop's clock.
        patience: seconds that may pass since then before it counts as stuck.
        phase: how far it is.
        heard: what came back.
        trace: the record of its attempt, once that has begun.
        stream: the stream that won, when this one did.
        set_aside: bytes of the budget that are set aside for it.
        usual: whether this is how the target is reached, as far as is known.
        begun: when it was begun.
    """

    way: Way
    obstacle: str
    target: Target
    since: float
    patience: float
    phase: Phase = "dialling"
    heard: Heard = field(default_factory=Heard)
    trace: Trace | None = None
    stream: ByteStream | None = None
    set_aside: int = 0
    usual: bool = False
    begun: float = 0.0

    @classmethod
    def begin(cls, chosen: Ranked, target: Target, *, now: float, patience: float) -> Self:
        """A way that is about to be tried."""
        way = chosen.way
        return cls(
            way=way, obstacle=chosen.obstacle, target=way.target(target), since=now, patience=patience, begun=now
        )

    def watch(self, trace: Trace) -> None:
        """Its attempt has begun."""
        self.trace = trace

    def stuck(self, now: float) -> bool:
        """Whether it has taken longer than one would think. One that waits for the client is not stuck."""
        return self.phase != "ready" and now >= self.stuck_at

    def may_get_stuck(self, now: float) -> bool:
        """Whether it is not stuck yet but will be if nothing happens."""
        return self.phase != "ready" and not self.stuck(now)

    @property
    def stuck_at(self) -> float:
        """When it will count as stuck if nothing happens."""
        return self._further + max(self.patience, self._if_lost_once)

    @property
    def _if_lost_once(self) -> float:
        """Seconds that connecting may take where its first packet is lost, on a line that its lookup shows to be long.

        A lookup that took more is no round trip but a question that was asked twice.
        """
        if self.phase != "dialling":
            return 0.0
        looked = min((step.took for step in self.seen if _looked_up(step) and step.failure is None), default=0.0)
        return _FIRST_AGAIN + 2 * looked if _LONG < looked < _FIRST_AGAIN else 0.0

    @property
    def _further(self) -> float:
        """When it last got further: each step of a dial, a lookup and a handshake, may take its time."""
        ended = [self.begun + step.t0 + step.took for step in self.seen if step.parent is None]
        return max(self.since, *ended) if ended else self.since

    @property
    def unheard(self) -> bool:
        """Whether nobody abroad has answered it yet: neither its target nor a server on the way."""
        heard = any(step.op is Op.CONNECT and step.failure is None for step in self.seen)
        asked = any(_looked_up(step) and step.tag("kept") and step.failure is None for step in self.seen)
        return self.phase == "dialling" and not heard and not asked

    @property
    def unreached(self) -> bool:
        """Whether the server that it leads through is not reached yet: neither connected nor shaken hands with.

        In a tunnel nobody sees that but by what is asked there first, a resolver.
        """
        if self.way.kind == "wireguard":
            return self.phase == "dialling" and not self.target.is_literal and not any(map(_answered, self.seen))
        shaken = self.way.kind != "tls" or any(step.op is Op.TLS and step.failure is None for step in self.seen)
        return self.unheard or (self.phase == "dialling" and not shaken)

    @property
    def at_resolver(self) -> bool:
        """Whether it still waits for its resolver, which says nothing about the target."""
        return self.way.asks and self.phase == "dialling" and not any(_looked_up(step) for step in self.seen)

    @property
    def dialled(self) -> frozenset[str]:
        """The addresses of the target to which it has been connecting, as far as that is known by now."""
        if self.target.is_literal or self.target.addresses:
            return frozenset(self.target.addresses or (self.target.host,))
        return frozenset(address for step in self.seen if _looked_up(step) for address in step.names("answers"))

    @property
    def lendable(self) -> tuple[str, ...]:
        """The addresses that its lookup gave, once it has connected to one of them and none stands in for another."""
        if self.target.is_literal or not self.connected_to:
            return ()
        found = dict.fromkeys(each for step in self.seen if _looked_up(step) for each in step.names("answers"))
        known = signatures()
        return () if any(is_bogon(each) or known.address_kind(each) for each in found) else tuple(found)

    @property
    def pace(self) -> float:
        """Seconds that the slowest of lookup, connecting and the first answer took, as far as it got."""
        steps = (step for step in self.seen if step.failure is None and step.op in _ROUND_TRIPS)
        return max((step.took for step in steps), default=0.0)

    def connected(self, now: float) -> None:
        """It has a connection and waits for something to say."""
        self.phase, self.since = "ready", now

    def speaking(self, now: float, stagger: float, slowness: float, *, kind: str) -> None:
        """It has said the flight and waits for an answer."""
        took = max((step.took for step in self.seen if step.op is Op.CONNECT and step.failure is None), default=0.0)
        self.phase, self.since = "speaking", now
        least = max(stagger * (_PATIENT_REQUESTS if kind == "http" else 1.0), slowness)
        lost = min(_LOST_ONCE * took - _WITHOUT, _LONGEST_FOR_LOSS)
        self.patience = max(least, _PATIENT_ANSWERS * took, lost)

    def if_it_ended_now(self, started: float, kind: str) -> Attempt:
        """What would have been seen if nothing more came: the step that is under way has timed out."""
        seen = self.seen
        if self.phase == "speaking":
            op = Op.TLS if kind == "tls" else Op.FIRST_BYTE
        elif self.target.is_literal or self.target.addresses or any(step.op is Op.RESOLVE for step in seen):
            op = Op.CONNECT
        else:
            op = Op.RESOLVE
        silent = Observation(op=op, t0=0.0, took=self.patience, failure=Failure.GENERIC_TIMEOUT_ERROR)
        return Attempt(
            target=self.target,
            spec=self.way.spec.redacted(),
            started=started,
            took=self.patience,
            failure=Failure.GENERIC_TIMEOUT_ERROR,
            observations=(*seen, silent),
        )

    @property
    def connected_to(self) -> set[str]:
        """The addresses of the target to which it has a connection."""
        return {_address(step) for step in self.seen if _own_connect(step) and step.failure is None}

    @property
    def seen(self) -> tuple[Observation, ...]:
        """The steps of its attempt that have ended."""
        return self.trace.observations if self.trace is not None else ()


def _answered(step: Observation) -> bool:
    return _looked_up(step) and step.failure is None


def _own_connect(step: Observation) -> bool:
    return step.op is Op.CONNECT and step.parent is None


def _address(step: Observation) -> str:
    return step.peer.rpartition(":")[0].strip("[]")


def _looked_up(step: Observation) -> bool:
    return step.op is Op.RESOLVE and step.parent is None


@dataclass(frozen=True, slots=True)
class Watched:
    """A dialer that shows its trace while it dials, and refuses what only a forged answer can have led to."""

    inner: Dialer
    watch: Callable[[Trace], None]

    @property
    def spec(self) -> Spec:
        """As the dialer below."""
        return self.inner.spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the dialer below."""
        self.watch(trace)
        return await self.inner.dial(target, trace)


def refuse_substitute(runner: Runner, trace: Trace) -> None:
    """Refuse a connection to an address that forged answers hold in place of the true one (I2, bbs#451).

    Raises:
        DialFailed: with the failure that a bogon gives.
    """
    if runner.target.is_literal or runner.target.addresses:
        return
    for step in trace.observations:
        address = _address(step)
        own = _own_connect(step) and step.failure is None
        if own and address and signatures().address_kind(str(ip_address(address))):
            trace.note(Op.RESOLVE, Failure.DNS_BOGON_ERROR, answers=(address,))
            raise DialFailed(Failure.DNS_BOGON_ERROR, f"{runner.target.host} at {address}")


def resolved(steps: Iterable[Observation]) -> tuple[tuple[str, ...], float]:
    """The addresses that a trustworthy resolver gave in an attempt, and for how many seconds they hold."""
    for step in steps:
        own = step.op is Op.RESOLVE and step.parent is None and step.failure is None
        if own and step.tag("engine") in ("doh", "dot", "tcp"):
            ttl = step.tag("ttl", 0)
            usable = tuple(address for address in step.names("answers") if not is_bogon(address))
            return usable, float(ttl) if isinstance(ttl, int | float) else 0.0
    return (), 0.0


def unanswered(steps: Iterable[Observation]) -> set[str]:
    """The addresses of the target to which a connection was begun and did not come about."""
    return {_address(step) for step in steps if _own_connect(step) and step.failure is not None}


_SAYS_NO = {Failure.DNS_NXDOMAIN_ERROR, Failure.DNS_NO_ANSWER}


def trouble_at_resolver(attempt: Attempt) -> bool:
    """Whether it failed because its resolver could not be asked; "no such name" is an answer."""
    return any(
        step.parent is None and step.failure not in (None, Failure.INTERRUPTED) and step.failure not in _SAYS_NO
        for step in attempt.steps(Op.RESOLVE)
    )

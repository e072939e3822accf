"""What to make of a round, and when to make the next. Pure: time, chance and the state of the battery are passed in.

A change of reach (open, domestic only, nothing) is believed at once, because every part of a round was repeated before
it counts as failed, and because a cut is what people wait to hear of. A change of something smaller (names, datagrams,
speed) is believed when two rounds in a row show it. Just after waking up nothing is concluded from a silence: the line
may not be there yet.
"""

import random
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

_DAY = 86_400.0


class Reach(StrEnum):
    """How far the line reaches."""

    OPEN = "open"
    PARTLY = "partly"
    """Some foreign places answer, fewer than half; or nothing foreign does and too little at home to say why."""
    DOMESTIC_ONLY = "domestic_only"
    OFFLINE = "offline"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What a light round saw.

    Attributes:
        domestic: for each domestic place, whether it answered.
        foreign: the same abroad; each in another network.
        dns: whether the system's resolver answers.
        udp: whether a datagram to a place abroad is answered.
        rate: bytes per second of a transfer from abroad; none where there was none.
        cost: bytes that it took, both ways.
    """

    domestic: tuple[bool, ...]
    foreign: tuple[bool, ...]
    dns: bool
    udp: bool
    rate: float | None = None
    cost: int = 0

    @property
    def reach(self) -> Reach:
        """How far the line reaches."""
        if 2 * sum(self.foreign) >= len(self.foreign) and any(self.foreign):
            return Reach.OPEN
        if not any(self.foreign):
            if sum(self.domestic) >= 2:
                return Reach.DOMESTIC_ONLY
            if not any(self.domestic):
                return Reach.OFFLINE
        return Reach.PARTLY


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of the line.

    Attributes:
        reach: how far it reaches.
        dns: whether names resolve.
        udp: whether datagrams get abroad.
        slow: whether a transfer from abroad is slower than a line that is worth the name.
    """

    reach: Reach
    dns: bool = True
    udp: bool = True
    slow: bool = False


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When something is.

    Attributes:
        wall: the time of day, aware of its zone; it may jump.
        running: seconds that this machine was awake.
        since_boot: seconds since it was started, asleep or not.
    """

    wall: datetime
    running: float
    since_boot: float


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine lives on.

    Attributes:
        battery: whether it runs on a battery now.
        left: the share of the battery that is left, 0 to 1; 1 where there is none.
        metered: whether bytes cost money on this line.
    """

    battery: bool = False
    left: float = 1.0
    metered: bool = False


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How a line is watched. Times are seconds.

    Attributes:
        every: between light rounds.
        jitter: the share of that by which each wait varies, so that the rounds have no beat that could be recognised.
        per_day: bytes per day, full rounds included.
        light_cost: bytes that a light round is thought to cost until one was made.
        full_cost: bytes that a full round is thought to cost.
        slow: bytes per second below which a transfer is slow.
        grace: after waking up, while a silence counts for nothing; the next round comes this soon.
        jump: a difference between the clocks beyond this is a jump.
        on_battery: what waits are multiplied with then.
        nearly_empty: the share of the battery below which waits are multiplied once more.
        metered: what the bytes per day are multiplied with on a metered line.
    """

    every: float = 180.0
    jitter: float = 0.25
    per_day: int = 20_000_000
    light_cost: int = 30_000
    full_cost: int = 3_000_000
    slow: float = 8_000.0
    grace: float = 10.0
    jump: float = 5.0
    on_battery: float = 2.0
    nearly_empty: float = 0.2
    metered: float = 0.25


class Budget:
    """Bytes that may be spent: a day's worth at first, refilled evenly, by a clock that cannot be turned.

    Args:
        per_day: bytes.
        left: how many are left now; a day's worth unless the caller knows better.
    """

    def __init__(self, per_day: int, left: float | None = None) -> None:
        self.per_day = per_day
        self.left = float(per_day) if left is None else min(left, float(per_day))

    def pass_time(self, seconds: float) -> None:
        """Refill for a time that has passed."""
        self.left = min(float(self.per_day), self.left + max(seconds, 0.0) * self.per_day / _DAY)

    def spend(self, cost: int) -> None:
        """Take off what was spent; it may be more than there was."""
        self.left -= cost

    def allows(self, cost: int) -> bool:
        """Whether there is enough for something."""
        return self.left >= cost

    def seconds_until(self, cost: int) -> float:
        """How long until there is enough."""
        return max(0.0, (cost - self.left) * _DAY / self.per_day) if self.per_day > 0 else _DAY


Kind = Literal["started", "changed", "slept", "clock_jumped", "resting"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something worth telling.

    Attributes:
        event: what.
        time: when, in the user's zone.
        state: what is believed now.
        before: what was believed before, for a change.
        seconds: how long the machine slept, how far the clock jumped, or how long is rested.
    """

    event: Kind
    time: datetime
    state: State | None = None
    before: State | None = None
    seconds: float = 0.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do after a round.

    Attributes:
        events: what to tell.
        full: whether to make a full round now.
    """

    events: tuple[Event, ...] = ()
    full: bool = False


class Deciding:
    """Decides.

    Args:
        rules: how the line is watched.
        chance: for the jitter.
        state: what was believed when watching ended last; none if that is not known.
        left: bytes that were left of the budget then.
    """

    def __init__(
        self, rules: Rules, chance: random.Random, state: State | None = None, left: float | None = None
    ) -> None:
        self.state = state
        self.budget = Budget(rules.per_day, left)
        self._rules = rules
        self._chance = chance
        self._doubt: State | None = None
        self._last: Moment | None = None
        self._woke = -1e9
        self._cost = rules.light_cost
        self._soon = False

    def arrive(self, now: Moment) -> tuple[Event, ...]:
        """It is now; say what the clocks show that nobody told us: a sleep, or a clock that was set."""
        last, self._last = self._last, now
        if last is None:
            return ()
        events = []
        passed = now.since_boot - last.since_boot
        asleep = passed - (now.running - last.running)
        if asleep > self._rules.jump:
            self._woke = now.running
            events.append(Event(event="slept", time=now.wall, seconds=round(asleep, 1)))
        jump = (now.wall - last.wall).total_seconds() - passed
        if abs(jump) > self._rules.jump:
            events.append(Event(event="clock_jumped", time=now.wall, seconds=round(jump, 1)))
        self.budget.pass_time(passed)
        return tuple(events)

    def take(self, seen: Round, now: Moment) -> Decision:
        """What to make of a round.

        Args:
            seen: what it saw.
            now: when it ended; :meth:`arrive` was told already.
        """
        self.budget.spend(seen.cost)
        self._cost = max(seen.cost, 1)
        shown = self._read(seen)
        self._soon = False
        if self.state is None:
            if self._silent_after_waking(shown, now):
                return Decision()
            self.state = shown
            return Decision(events=(Event(event="started", time=now.wall, state=shown),), full=self._affordable())
        if shown == self.state:
            self._doubt = None
            return Decision()
        if self._silent_after_waking(shown, now):
            return Decision()
        if shown.reach is self.state.reach and shown != self._doubt:
            # Something small: look again before it is believed.
            self._doubt, self._soon = shown, True
            return Decision()
        before, self.state, self._doubt = self.state, shown, None
        event = Event(event="changed", time=now.wall, state=shown, before=before)
        return Decision(events=(event,), full=self._affordable())

    def wait(self, power: Power) -> float:
        """Seconds until the next light round."""
        rules = self._rules
        if self._soon:
            return min(rules.grace, rules.every)
        wait = rules.every
        if power.battery:
            wait *= rules.on_battery * (rules.on_battery if power.left < rules.nearly_empty else 1.0)
        share = rules.metered if power.metered else 1.0
        # At this pace the rounds of a day cost no more than the day's bytes.
        wait = max(wait, self._cost * _DAY / max(rules.per_day * share, 1.0))
        wait *= 1.0 + self._chance.uniform(-rules.jitter, rules.jitter)
        return max(wait, self.budget.seconds_until(self._cost))

    def spent(self, cost: int) -> None:
        """A full round was made."""
        self.budget.spend(cost)

    def _affordable(self) -> bool:
        """Whether a full round leaves enough for the light rounds of an hour."""
        hour = self._cost * 3600 / max(self._rules.every, 1.0)
        return self.budget.allows(round(self._rules.full_cost + hour))

    def _silent_after_waking(self, shown: State, now: Moment) -> bool:
        quiet = shown.reach is Reach.OFFLINE and now.running - self._woke < self._rules.grace
        self._soon = self._soon or quiet
        return quiet

    def _read(self, seen: Round) -> State:
        open_ = seen.reach is Reach.OPEN
        return State(
            reach=seen.reach,
            # Behind a cut nothing can be said of the rest.
            dns=seen.dns if seen.reach is not Reach.OFFLINE else True,
            udp=seen.udp if open_ else True,
            slow=open_ and seen.rate is not None and seen.rate < self._rules.slow,
        )

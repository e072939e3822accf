"""The censors of one client: what happens to each packet at each place of its path.

An engine holds everything that one client's censors remember (flows, verdicts, marks, counts, queues, chance), so
that two clients never disturb each other. It reads no clock but the fake one it is given, and draws everything from
its seed: the same packets at the same times give the same decisions.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import msgspec

from rozaneh.lab.censor.actions import Outcome, ProbeRequest, Toward
from rozaneh.lab.censor.box import Box
from rozaneh.lab.censor.conditions import Began, Surroundings
from rozaneh.lab.censor.draw import Draws
from rozaneh.lab.censor.flows import Flow, Key
from rozaneh.lab.censor.memory import FOREVER, Events, Marks
from rozaneh.lab.censor.rule import CompiledRule
from rozaneh.lab.censor.view import WorldView
from rozaneh.lab.scenario.action import Action, Mark, Probe
from rozaneh.lab.scenario.model import Scenario
from rozaneh.lab.topology import World, default_world

if TYPE_CHECKING:
    from rozaneh.lab.censor.acts_lead import Route

_USUAL_HOPS = {"operator": 2, "border": 4}
_BUILT_IN = frozenset(_USUAL_HOPS)
_MOST_PROBES = 1024


class Clock(Protocol):
    """What shows the (fake) time of day."""

    def now(self) -> datetime:
        """The time, in the zone of the country."""


class Decision:
    """What becomes of one packet.

    Attributes:
        forward: what goes on from here, each with the seconds that it is held back; empty if it is dropped.
        inject: what starts here: the packet, ``client`` (towards the home network) or ``server``, and seconds until
        then. events: active probes that the lab is asked to run.
    """

    __slots__ = ("events", "forward", "inject")

    def __init__(
        self,
        forward: list[tuple[bytes, float]],
        inject: list[tuple[bytes, Toward, float]],
        events: list[ProbeRequest],
    ) -> None:
        self.forward = forward
        self.inject = inject
        self.events = events


class Engine:
    """The censors of one client.

    Args:
        scenario: what they are.
        view: the world, shared by all engines of a lab; without it the lab's own world with the scenario's additions.
        network: the client's home network; rules for other networks are left out.
        seed: of everything that is drawn.
        clock: the fake clock, for conditions on time.

    Attributes:
        places: where the engine wants to be asked; a host of the world is ``host:NAME``.
        hops: hop number of each place, counted from the home network.
    """

    def __init__(
        self,
        scenario: Scenario,
        view: WorldView | None = None,
        *,
        network: str = "mobile",
        seed: int = 0,
        clock: Clock,
    ) -> None:
        view = view or _view_of(scenario)
        self._began = Began()
        self._marks = Marks()
        self._events = Events()
        self._decided: Counter[str] = Counter()
        self._asked: dict[int, tuple[Probe, dict[str, Key]]] = {}
        self._tokens = 0
        self._draws = Draws(seed, "engine")
        self._boxes: dict[str, Box] = {}
        self.hops: dict[str, int] = {}
        by_place: dict[str, list[tuple[int, str]]] = {}
        for number, rule in enumerate(scenario.rules):
            if not rule.networks or network in rule.networks:
                for at in rule.at:
                    known = at in _BUILT_IN or at in scenario.places
                    by_place.setdefault(at if known else f"host:{at}", []).append((number, at))
        for place, members in by_place.items():
            hop = scenario.places.get(place, _USUAL_HOPS.get(place, max(_USUAL_HOPS.values())))
            self.hops[place] = hop
            routes: list[Route] = []
            rules = []
            for number, _ in members:
                around = Surroundings(
                    view=view,
                    sets=scenario.sets,
                    schedule=scenario.schedule,
                    clock=clock.now,
                    marks=self._marks,
                    events=self._events,
                    seed=seed,
                    rule=number,
                    place=place,
                    began=self._began,
                )
                rule = scenario.rules[number]
                rules.append(CompiledRule(number, rule, around, hop=hop, routes=routes, ask=self._ask))
            self._boxes[place] = Box(tuple(rules), routes, hop)
        self.places = frozenset(self._boxes)

    def packet(self, raw: bytes, *, outbound: bool, place: str, now: float) -> Decision:
        """Look at one packet.

        Args:
            raw: the IP packet.
            outbound: whether it was sent from the home network.
            place: where it is now, one of :attr:`places`.
            now: a monotonic time in seconds, the same for all calls.
        """
        box = self._boxes.get(place)
        if box is None:
            return Decision([(raw, 0.0)], [], [])
        # The short path: plain IPv4 without options, of a flow that nobody looks at any more. Offsets as in
        # flows.keys_of.
        if len(raw) >= 40 and raw[0] == 0x45 and not (raw[6] & 0x3F or raw[7]):
            flow = box.quick.get(raw[9:10] + raw[12:24])
            if (
                flow is not None
                and flow.quiet[outbound]
                and now - flow.last <= box.expiry
                and not (raw[9] == 6 and raw[33] & 0x07)
                and not box.busy
            ):
                flow.last = now
                return Decision([(raw, 0.0)], [], [])
        if self._began.at is None:
            self._began.at = now
        return self._decision(box.packet(raw, outbound=outbound, now=now))

    def _decision(self, outcome: Outcome) -> Decision:
        if outcome.dropped:
            self._decided["dropped"] += 1
        if outcome.inject:
            self._decided["injected"] += len(outcome.inject)
        if outcome.delay:
            self._decided["delayed"] += 1
        if outcome.probes:
            self._decided["probes"] += len(outcome.probes)
        forward = [] if outcome.dropped else [(outcome.raw, outcome.delay)]
        return Decision(forward, outcome.inject, outcome.probes)

    @property
    def counters(self) -> Mapping[str, int]:
        """What was decided so far, and how often each event was logged (``event NAME``)."""
        return {**self._decided, **{f"event {name}": count for name, count in self._events.totals.items()}}

    @property
    def next_due(self) -> float:
        """When :meth:`tick` has something to do; infinite if never."""
        return min((box.pending[0][0] for box in self._boxes.values() if box.pending), default=FOREVER)

    def tick(self, now: float) -> list[tuple[str, Decision]]:
        """What happens without a packet: actions that wait for a time. Also done with the next packet at that place."""
        found = []
        for place, box in self._boxes.items():
            if box.pending and box.pending[0][0] <= now:
                outcome = Outcome(b"", now, dropped=True)
                box.tick(now, outcome)
                found.append((place, Decision([], outcome.inject, outcome.probes)))
        return found

    def _ask(self, action: Action, flow: Flow) -> int:
        """Register an active probe; its results will come by token."""
        self._tokens += 1
        if action.probe is not None:
            holders = ("flow", "3-tuple", "source", "destination", "pair")
            self._asked[self._tokens] = (action.probe, {on: flow.key(on) for on in holders})
        for old in list(islice(self._asked, max(0, len(self._asked) - _MOST_PROBES))):
            del self._asked[old]
        return self._tokens

    def probe_result(self, token: int, results: frozenset[str], now: float) -> None:
        """Take the results of an active probe: the words of ``probe.when`` that hold. Unknown tokens are ignored."""
        probe, keys = self._asked.pop(token, (None, {}))
        if probe is None or probe.mark is None or results.isdisjoint(probe.when):
            return
        self._set(probe.mark, keys[probe.mark.on], now)

    def _set(self, mark: Mark, key: Key, now: float) -> None:
        if mark.clear:
            self._marks.clear(mark.name, mark.on, key)
            return
        until = FOREVER if mark.seconds is None else now + self._draws.between(mark.seconds)
        self._marks.set(mark.name, mark.on, key, now, until)


def _view_of(scenario: Scenario) -> WorldView:
    return _shared_view(msgspec.msgpack.encode(scenario.world))


@lru_cache(maxsize=16)
def _shared_view(additions: bytes) -> WorldView:
    return WorldView.of(default_world().merged(msgspec.msgpack.decode(additions, type=World)))

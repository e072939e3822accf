"""One rule at one place: its tests and acts, whom it still looks at, and the verdicts it keeps."""

from collections.abc import Callable

from rozaneh.lab.censor.actions import Act, Moment, Outcome, Workshop, compile_action
from rozaneh.lab.censor.acts_lead import Route, withdraw
from rozaneh.lab.censor.conditions import NEVER, Surroundings, compile_match
from rozaneh.lab.censor.draw import Draws
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.memory import FOREVER
from rozaneh.lab.censor.packet import Packet
from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.model import Rule, reads_of, scope_of


class Verdict:
    """What a rule has decided about everything in its scope.

    Attributes:
        rule: the rule.
        way: the direction of the offending packet.
        until: when it ends.
        acts: what happens to what it covers.
        since: when its delay is over; in the past for a verdict without delay.
        packets: further packets that must cross before it begins.
        bytes: further bytes.
        begun: whether it has begun to act.
        offender: number of the flow that offended.
    """

    __slots__ = ("acts", "begun", "bytes", "offender", "packets", "rule", "since", "until", "way")

    def __init__(self, rule: "CompiledRule", packet: Packet, offender: int) -> None:
        self.rule = rule
        self.way = packet.outbound
        self.acts = rule.meanwhile
        self.offender = offender
        self.begun = rule.wait is None
        self.since = packet.now
        self.packets = self.bytes = 0
        if rule.wait is not None:
            self.since += rule.draws.between(rule.wait.seconds)
            self.packets, self.bytes = rule.wait.packets, rule.wait.bytes
        self.until = self.since + rule.lasts()

    def ready(self, packet: Packet) -> bool:
        """Whether the delay is over; counts this packet."""
        if packet.now >= self.since and self.packets <= 0 and self.bytes <= 0:
            return True
        self.packets -= 1
        self.bytes -= packet.end
        return False


class CompiledRule:
    """A rule, ready to look at packets.

    Args:
        number: its number in the file, from 0.
        rule: what the file says.
        around: its surroundings.
        hop: hop number of its place.
        routes: the null routes of its box.
        ask: registers an active probe.

    Attributes:
        inspection: how its inspector works; rules with equal values share inspections.
        slot: the number of its kind of inspection in the box.
        table: rules with equal values share a flow table.
        group: the number of its flow table in the box.
        counts: whether flows must be counted packet by packet for it.
        reads: whether its inspector must see what clients and what servers send, also where the rule matches nothing of
            it: a name that the client said is to be known when the answer comes.
    """

    def __init__(
        self,
        number: int,
        rule: Rule,
        around: Surroundings,
        *,
        hop: int,
        routes: list[Route],
        ask: Callable[[Action, Flow], int],
    ) -> None:
        self.number = number
        self.rule = rule
        self.conditions = compile_match(rule.match, around)
        state = rule.state
        self.wait = state.delay
        scope = scope_of(rule)
        self.scope = "flow" if scope == "packet" and state.delay is not None else scope
        self.draws = Draws(around.seed, "action", number, around.place)
        shop = Workshop(rule=rule, around=around, draws=self.draws, hop=hop, ask=ask)
        self.acts = self._compile(rule.action, shop, routes)
        residual = state.residual
        own = residual is not None and residual.action is not None
        self.meanwhile = (
            self._compile(residual.action, shop, routes) if residual and residual.action is not None else self.acts
        )
        self.changes = own
        self.residual = residual
        self.renews = residual.renew if residual is not None else "never"
        self.attention = state.attention
        self.goes_on = rule.continue_
        self.inspection = (state.tcp, state.reassembly)
        self.fragments = state.reassembly.fragments
        self.teardown = state.tcp.teardown
        self.new_syn = state.tcp.new_syn
        self.share = state.capacity.share
        capacity = state.capacity
        self.table = (capacity.flows, capacity.expiry, capacity.overflow)
        self.counts = self.conditions.counts or self.attention is not None
        by_client, by_server = reads_of(rule.match)
        start = state.tcp.start
        self.reads = by_client or start != "any", by_server or start == "handshake"
        self.group = self.slot = 0

    @staticmethod
    def _compile(action: Action, shop: Workshop, routes: list[Route]) -> tuple[Act, ...]:
        acts = compile_action(action, shop)
        route = action.null_route
        if route is not None and route.of != "packet":
            acts.append(withdraw(route, shop, routes))
        return tuple(acts)

    def lasts(self) -> float:
        """How long a verdict that begins now lasts."""
        return FOREVER if self.residual is None else self.draws.between(self.residual.seconds)

    def possible(self, flow: Flow, outbound: bool) -> bool:
        """Whether it can ever match packets of this flow in this direction."""
        if (
            self.share < 1.0
            and self.draws.stable(flow.client, flow.server, flow.client_port, flow.server_port) >= self.share
        ):
            return False
        return self.conditions.possible(flow, outbound)

    def look(self, packet: Packet, flow: Flow, inspection: Inspection) -> bool | None:
        """Whether a packet offends; ``NEVER`` if none of this flow can any more."""
        if self.attention is not None and self._inattentive(flow):
            # Asked for a flow at most once: the rule looks away afterwards, or keeps its verdict.
            return True if self.attention.then == "act" else NEVER
        if not inspection.sees(packet):
            return False
        return self.conditions.hold(packet, flow, inspection)

    def _inattentive(self, flow: Flow) -> bool:
        limit = self.attention
        if limit is None:
            return False
        return (
            (limit.packets is not None and sum(flow.packets) > limit.packets)
            or (limit.data_packets is not None and sum(flow.data) > limit.data_packets)
            or (limit.bytes is not None and sum(flow.payload_bytes) > limit.bytes)
            or (limit.seconds is not None and flow.last - flow.born > limit.seconds)
        )

    def act(self, packet: Packet, flow: Flow, outcome: Outcome, moment: Moment, acts: tuple[Act, ...]) -> bool:
        """Do what the rule does; whether anything was done to this packet."""
        outcome.acted = False
        for act in acts:
            act(packet, flow, outcome, moment)
        return outcome.acted

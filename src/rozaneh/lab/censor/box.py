"""All rules of one place: a box on the cable with its own flow tables and verdicts.

Order of work for a packet: translate what an earlier redirect leads back; null routes; connections that were taken
over; verdicts that are kept; then the rules in order, until one acts and does not say ``continue``. Rules that can
never match a flow are left out of its list; a flow nobody looks at any more is *quiet*, and its packets take the
short path in the engine.
"""

import heapq
from collections import OrderedDict, deque
from typing import Any

from rozaneh.lab.censor.actions import Moment, Outcome
from rozaneh.lab.censor.acts_answer import TakenOver
from rozaneh.lab.censor.acts_lead import Route
from rozaneh.lab.censor.acts_shape import unreachable
from rozaneh.lab.censor.conditions import NEVER
from rozaneh.lab.censor.flows import Flow, FlowTable, ends_connection, keys_of
from rozaneh.lab.censor.forge import readdressed
from rozaneh.lab.censor.fragments import Fragments
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.packet import ACK, SYN, TCP, Packet, read_packet
from rozaneh.lab.censor.rule import CompiledRule, Verdict

_MOST_VERDICTS = 20_000
_MOST_LED = 4096
_MOST_PENDING = 4096


class Box:
    """The rules of one place.

    Args:
        rules: in the order of the file.
        routes: the list into which null routes of these rules are written.
        hop: hop number of the place.

    Attributes:
        quick: the flow table, if there is only one, for the engine's short path.
        pending: verdicts that begin by themselves, by time.
    """

    def __init__(self, rules: tuple[CompiledRule, ...], routes: list[Route], hop: int) -> None:
        self._rules = rules
        self._routes = routes
        self._hop = hop
        groups = list(dict.fromkeys(rule.table for rule in rules))
        self._tables = [FlowTable(*group) for group in groups]
        specs = list(dict.fromkeys(rule.inspection for rule in rules))
        for rule in rules:
            rule.group, rule.slot = groups.index(rule.table), specs.index(rule.inspection)
        self._group_rules = [tuple(rule for rule in rules if rule.group == index) for index in range(len(groups))]
        self._closed = [
            group[2] == "closed" and any(rule.rule.mode == "in-path" for rule in self._group_rules[index])
            for index, group in enumerate(groups)
        ]
        self._counts = any(rule.counts for rule in rules)
        self._window = max((rule.conditions.window for rule in rules), default=0.0)
        self._joins = any(rule.fragments == "reassemble" for rule in rules)
        self._fragments = Fragments()
        self._scoped: OrderedDict[Any, Verdict] = OrderedDict()
        self._led: OrderedDict[Any, Flow] = OrderedDict()
        self._believers = tuple(rule for rule in rules if rule.teardown)
        self.quick = self._tables[0].by_key if len(self._tables) == 1 else {}
        self.expiry = groups[0][1]
        self.pending: list[tuple[float, int, Verdict, Flow]] = []
        self._tickets = 0

    @property
    def busy(self) -> bool:
        """Whether a packet of a quiet flow may still meet something."""
        return bool(self._scoped or self._routes or self.pending or self._led)

    def packet(self, raw: bytes, *, outbound: bool, now: float) -> Outcome:
        """What becomes of a packet."""
        outcome = Outcome(raw, now)
        if self.pending:
            self.tick(now, outcome)
        packet = read_packet(raw, outbound=outbound, now=now)
        if packet is None:
            return outcome
        if self._led:
            packet = self._led_back(packet, outcome)
        if self._routes and self._vanishes(packet, outcome):
            return outcome
        if packet.is_fragment:
            self._fragment(packet, outcome)
        else:
            self._whole(packet, outcome, self._rules)
        return outcome

    def _fragment(self, packet: Packet, outcome: Outcome) -> None:
        if any(rule.fragments == "drop" for rule in self._rules):
            outcome.dropped = True
            return
        self._whole(packet, outcome, tuple(rule for rule in self._rules if rule.fragments != "reassemble"))
        if self._joins and not outcome.dropped:
            joined = self._fragments.add(packet)
            if joined is not None:
                self._whole(joined, outcome, tuple(rule for rule in self._rules if rule.fragments == "reassemble"))

    def _whole(self, packet: Packet, outcome: Outcome, rules: tuple[CompiledRule, ...]) -> None:
        flows = [self._flow(table, packet) for table in self._tables]
        for index, flow in enumerate(flows):
            if flow is None:
                if self._closed[index]:
                    outcome.dropped = True
                    return
                continue
            if self._window and flow.counted is None:
                flow.window = self._window
                flow.counted = deque()
            flow.note(packet)
            taken = flow.notes.get("taken over")
            if isinstance(taken, TakenOver):
                taken.handle(packet, flow, outcome)
                return
            watchers = flow.watchers[packet.outbound]
            for rule in self._watchers_of(flow, packet.outbound) if watchers is None else watchers:
                self._inspection(flow, rule).watch(packet)
        self._judge(packet, flows, outcome, rules)
        for flow in flows:
            if flow is not None:
                self._settle(packet, flow, outcome)

    def _flow(self, table: FlowTable, packet: Packet) -> Flow | None:
        flow = table.find(packet)
        if (
            flow is not None
            and packet.proto == TCP
            and packet.flags & (SYN | ACK) == SYN
            and flow.packets != [0, 0]
            and flow.isn != packet.seq
        ):
            return self._renewed(table, flow, packet)
        return flow

    def _renewed(self, table: FlowTable, old: Flow, packet: Packet) -> Flow:
        """A second SYN: a new connection, except for rules that do not take it for one."""
        flow = table.renew(old, packet)
        for rule in self._rules:
            if not rule.new_syn:
                if rule.number in old.verdicts:
                    flow.verdicts[rule.number] = old.verdicts[rule.number]
                if rule.slot in old.inspections:
                    flow.inspections[rule.slot] = old.inspections[rule.slot]
        return flow

    def _judge(
        self, packet: Packet, flows: list[Flow | None], outcome: Outcome, rules: tuple[CompiledRule, ...]
    ) -> None:
        decided: set[int] = set()
        kept = self._scoped or any(flow is not None and flow.verdicts for flow in flows)
        if kept and self._meets_verdict(packet, flows, outcome, rules, decided):
            return
        for rule in self._live(flows, packet, rules):
            flow = flows[rule.group]
            if flow is None or (rule.number in decided and rule.renews != "offence"):
                continue
            offends = rule.look(packet, flow, self._inspection(flow, rule))
            if offends is NEVER:
                self._look_away(flow, rule)
            elif offends and self._offence(rule, packet, flow, outcome) and not rule.goes_on:
                return

    def _meets_verdict(
        self,
        packet: Packet,
        flows: list[Flow | None],
        outcome: Outcome,
        rules: tuple[CompiledRule, ...],
        decided: set[int],
    ) -> bool:
        """Whether a verdict that was kept ends the evaluation; notes the rules that have one."""
        for rule in rules:
            flow = flows[rule.group]
            if rule.scope == "packet" or flow is None:
                continue
            verdict = self._verdict(rule, flow, packet)
            if verdict is None:
                continue
            decided.add(rule.number)
            if self._apply(verdict, packet, flow, outcome) and not rule.goes_on:
                self._note_offences(packet, flow, rules, decided)
                return True
        return False

    def _live(
        self, flows: list[Flow | None], packet: Packet, rules: tuple[CompiledRule, ...]
    ) -> tuple[CompiledRule, ...]:
        if len(flows) == 1:
            flow = flows[0]
            if flow is None:
                return ()
            live = self._live_of(flow, packet.outbound)
            return live if rules is self._rules else tuple(rule for rule in live if rule in rules)
        return tuple(
            rule
            for rule in rules
            if (flow := flows[rule.group]) is not None and rule in self._live_of(flow, packet.outbound)
        )

    def _live_of(self, flow: Flow, way: bool) -> tuple[CompiledRule, ...]:
        live = flow.live[way]
        if live is None:
            # A rule may join fragments of one table only, so all rules of other tables are left out here.
            group = next(index for index, table in enumerate(self._tables) if table.by_key.get(flow.keys[0]) is flow)
            live = flow.live[way] = tuple(rule for rule in self._group_rules[group] if rule.possible(flow, way))
        return live

    def _watchers_of(self, flow: Flow, way: bool) -> tuple[CompiledRule, ...]:
        watchers = flow.watchers[way]
        if watchers is None:
            here, there = self._live_of(flow, way), self._live_of(flow, not way)
            side = 0 if way == flow.opened_inside else 1
            watchers = flow.watchers[way] = tuple(rule for rule in there if rule.reads[side] and rule not in here)
        return watchers

    def _look_away(self, flow: Flow, rule: CompiledRule) -> None:
        flow.watchers = [None, None]
        for way in (0, 1):
            live = flow.live[way]
            if live is not None:
                flow.live[way] = tuple(other for other in live if other is not rule)
            else:
                flow.live[way] = tuple(other for other in self._live_of(flow, bool(way)) if other is not rule)

    def _inspection(self, flow: Flow, rule: CompiledRule) -> Inspection:
        found = flow.inspections.get(rule.slot)
        if found is None:
            found = flow.inspections[rule.slot] = Inspection(*rule.inspection)
        return found

    def _verdict(self, rule: CompiledRule, flow: Flow, packet: Packet) -> Verdict | None:
        if rule.scope == "flow":
            verdict = flow.verdicts.get(rule.number)
            if verdict is not None and packet.now >= verdict.until:
                del flow.verdicts[rule.number]
                return None
            return verdict
        if not self._scoped:
            return None
        key = (rule.number, flow.key(rule.scope))
        verdict = self._scoped.get(key)
        if verdict is not None and packet.now >= verdict.until:
            del self._scoped[key]
            return None
        return verdict

    def _apply(self, verdict: Verdict, packet: Packet, flow: Flow, outcome: Outcome) -> bool:
        rule = verdict.rule
        first = False
        if not verdict.begun:
            if not verdict.ready(packet):
                return False
            verdict.begun = first = True
        inspection = self._inspection(flow, rule)
        inspection.sees(packet)
        acted = rule.act(
            packet, flow, outcome, Moment(first, verdict.way, inspection), rule.acts if first else verdict.acts
        )
        if acted and rule.renews == "packet":
            verdict.until = packet.now + rule.lasts()
        return acted

    def _note_offences(self, packet: Packet, flow: Flow, rules: tuple[CompiledRule, ...], decided: set[int]) -> None:
        """A packet that a verdict stopped may be a new offence, which renews verdicts that are renewed by offences."""
        for rule in rules:
            renewable = rule.renews == "offence" and rule.number in decided
            if not renewable or rule not in self._live_of(flow, packet.outbound):
                continue
            if rule.look(packet, flow, self._inspection(flow, rule)):
                self._renew(rule, packet, flow)

    def _renew(self, rule: CompiledRule, packet: Packet, flow: Flow) -> bool:
        verdict = self._verdict(rule, flow, packet)
        if verdict is None:
            return False
        if verdict.offender != flow.number:
            verdict.offender = flow.number
            verdict.until = packet.now + rule.lasts()
        return True

    def _offence(self, rule: CompiledRule, packet: Packet, flow: Flow, outcome: Outcome) -> bool:
        if rule.renews == "offence" and self._renew(rule, packet, flow):
            return False
        if rule.scope != "packet":
            verdict = Verdict(rule, packet, flow.number)
            self._keep(verdict, flow)
            if not verdict.begun:
                if not verdict.packets and not verdict.bytes and len(self.pending) < _MOST_PENDING:
                    self._tickets += 1
                    heapq.heappush(self.pending, (verdict.since, self._tickets, verdict, flow))
                return False
        moment = Moment(first=True, way=packet.outbound, inspection=self._inspection(flow, rule))
        return rule.act(packet, flow, outcome, moment, rule.acts)

    def _keep(self, verdict: Verdict, flow: Flow) -> None:
        rule = verdict.rule
        if rule.scope == "flow":
            flow.verdicts[rule.number] = verdict
            return
        self._scoped[rule.number, flow.key(rule.scope)] = verdict
        if len(self._scoped) > _MOST_VERDICTS:
            self._scoped.popitem(last=False)

    def tick(self, now: float, outcome: Outcome) -> None:
        """Let verdicts begin whose delay is over although no packet came: they inject what they have to."""
        while self.pending and self.pending[0][0] <= now:
            _, _, verdict, flow = heapq.heappop(self.pending)
            packet = flow.latest[verdict.way]
            if verdict.begun or packet is None:
                continue
            verdict.begun = True
            alone = Outcome(packet.raw, now)
            inspection = self._inspection(flow, verdict.rule)
            verdict.rule.act(
                packet,
                flow,
                alone,
                Moment(first=True, way=verdict.way, inspection=inspection, free=True),
                verdict.rule.acts,
            )
            outcome.inject += alone.inject
            outcome.probes += alone.probes

    def _settle(self, packet: Packet, flow: Flow, outcome: Outcome) -> None:
        """After the verdict on a packet: teardowns that are believed, redirects, and whether the flow is quiet now."""
        for rule in self._believers:
            if packet.proto == TCP and ends_connection(packet, rule.teardown):
                flow.verdicts.pop(rule.number, None)
                self._inspection(flow, rule).forget()
                flow.live, flow.watchers = [None, None], [None, None]
        led = flow.notes.get("led to")
        if led is not None and not outcome.dropped and packet.outbound == flow.opened_inside:
            outcome.raw = readdressed(packet, dst=led)
            back = read_packet(outcome.raw, outbound=packet.outbound, now=packet.now)
            if back is not None:
                self._led[keys_of(back)[1]] = flow
                if len(self._led) > _MOST_LED:
                    self._led.popitem(last=False)
        if flow.verdicts or flow.notes:
            flow.quiet = [False, False]  # the other direction may have been given up before
            return
        other = flow.live[not packet.outbound]
        idle = not self._live_of(flow, packet.outbound) and (not self._counts or other == ())
        flow.quiet[packet.outbound] = idle and not self._watchers_of(flow, packet.outbound)

    def _led_back(self, packet: Packet, outcome: Outcome) -> Packet:
        """An answer of the machine to which a flow was redirected, in the name of the server it was meant for."""
        flow = self._led.get(keys_of(packet)[0])
        if flow is None or flow.server_port is None:
            return packet
        outcome.raw = readdressed(packet, src=(flow.server, flow.server_port))
        return read_packet(outcome.raw, outbound=packet.outbound, now=packet.now) or packet

    def _vanishes(self, packet: Packet, outcome: Outcome) -> bool:
        if any(packet.now >= route.until for route in self._routes):
            self._routes[:] = [route for route in self._routes if packet.now < route.until]
        for route in self._routes:
            if route.takes(packet):
                outcome.dropped = True
                if route.icmp and packet.outbound:
                    outcome.inject.append(unreachable(packet, self._hop))
                return True
        return False

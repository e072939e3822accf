"""Acts that hold packets back: drop, rate, delay, jitter, loss, reorder, freeze, null routes."""

from collections import OrderedDict
from collections.abc import Callable

from rozaneh.lab.censor.actions import Act, Moment, Outcome, Toward, Workshop
from rozaneh.lab.censor.flows import Flow, Key
from rozaneh.lab.censor.forge import icmp_error
from rozaneh.lab.censor.packet import Packet
from rozaneh.lab.censor.view import hop_address
from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.action_shape import Delay, Drop, Freeze, Loss, NullRoute, RateLimit, Reorder

_MOST_LINES = 4096
_ACTIVE = 1.0
"""Seconds after its last packet during which a flow counts as active on a fair line."""
_WAYS = {"out": (True,), "in": (False,), "both": (True, False)}


def shaping(action: Action, shop: Workshop) -> list[Act]:
    """The acts that hold packets back."""
    acts: list[Act] = []
    if action.loss is not None:
        acts.append(_loss(action.loss, shop))
    if action.freeze is not None:
        acts.append(_freeze(action.freeze))
    if action.rate is not None:
        acts.append(_rate(action.rate))
    if action.delay is not None:
        acts.append(_delay(action.delay, shop, ordered=not action.delay.reorder))
    if action.jitter is not None:
        least, most = action.jitter.seconds
        spread = (0.0, most) if least == most else (least, most)
        jitter = Delay(seconds=spread, direction=action.jitter.direction)
        acts.append(_delay(jitter, shop, ordered=not action.jitter.reorder))
    if action.reorder is not None:
        acts.append(_reorder(action.reorder, shop))
    if action.drop is not None:
        acts.append(_drop(action.drop))
    if action.null_route is not None and action.null_route.of == "packet":
        acts.append(_vanish(action.null_route, shop))
    return acts


def _drop(action: Drop) -> Act:
    if action.direction == "this":

        def same_way(packet: Packet, _flow: Flow, outcome: Outcome, moment: Moment) -> None:
            if packet.outbound == moment.way:
                outcome.dropped = outcome.acted = True

        return same_way
    ways = _WAYS[action.direction]

    def drop(packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        if packet.outbound in ways:
            outcome.dropped = outcome.acted = True

    return drop


def _vanish(action: NullRoute, shop: Workshop) -> Act:
    ways = _WAYS[action.direction]

    def vanish(packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        if packet.outbound in ways:
            outcome.dropped = outcome.acted = True
            if action.icmp and packet.outbound:
                outcome.inject.append(unreachable(packet, shop.hop))

    return vanish


def unreachable(packet: Packet, hop: int) -> tuple[bytes, Toward, float]:
    """What a router without a route says."""
    return icmp_error(packet, "net-unreachable", hop_address(hop, packet.version)), "client", 0.0


def _loss(action: Loss, shop: Workshop) -> Act:
    ways, draw = _WAYS[action.direction], shop.draws.random.random
    if action.burst <= 1.0:
        share = action.probability

        def lose(packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
            if packet.outbound in ways:
                outcome.acted = True
                outcome.dropped = outcome.dropped or draw() < share

        return lose
    # Gilbert's model: bad periods of mean length `burst`, so often that `probability` of all packets fall into them.
    leave = 1.0 / action.burst
    enter = 1.0 if action.probability >= 1 else min(1.0, leave * action.probability / (1 - action.probability))
    bad = {True: False, False: False}

    def lose_in_bursts(packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        way = packet.outbound
        if way in ways:
            outcome.acted = True
            bad[way] = draw() >= leave if bad[way] else draw() < enter
            outcome.dropped = outcome.dropped or bad[way]

    return lose_in_bursts


def _delay(action: Delay, shop: Workshop, *, ordered: bool) -> Act:
    ways, span, between = _WAYS[action.direction], action.seconds, shop.draws.between
    latest = {True: 0.0, False: 0.0}

    def delay(packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        way = packet.outbound
        if way not in ways:
            return
        outcome.acted = True
        due = outcome.now + outcome.delay + between(span)
        if ordered:
            due = latest[way] = max(due, latest[way])
        outcome.delay = due - outcome.now

    return delay


def _reorder(action: Reorder, shop: Workshop) -> Act:
    ways, share, span = _WAYS[action.direction], action.probability, action.by
    draw, between = shop.draws.random.random, shop.draws.between

    def reorder(packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        if packet.outbound in ways:
            outcome.acted = True
            if draw() < share:
                outcome.delay += between(span)

    return reorder


class _Line:
    """A virtual queue: when it will have sent what it was given."""

    __slots__ = ("free_at", "seen")

    def __init__(self) -> None:
        self.free_at = 0.0
        self.seen = 0.0


class _Lines:
    """Lines by holder and direction, bounded."""

    def __init__(self) -> None:
        self._lines: OrderedDict[tuple[Key, bool], _Line] = OrderedDict()

    def get(self, key: Key, way: bool) -> _Line:
        line = self._lines.get((key, way))
        if line is None:
            line = self._lines[key, way] = _Line()
            if len(self._lines) > _MOST_LINES:
                self._lines.popitem(last=False)
        return line


def _rate(action: RateLimit) -> Act:
    ways, rate, queue, per = _WAYS[action.direction], action.rate, action.queue, action.per
    lines = _Lines()
    share: Callable[[Key, Flow, bool, float], tuple[_Line, float]]
    if action.share == "fair" and per != "flow":
        share = _fair(lines, rate)
    else:

        def share(key: Key, _flow: Flow, way: bool, _now: float) -> tuple[_Line, float]:
            return lines.get(key, way), rate

    def slow(packet: Packet, flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        way = packet.outbound
        if way not in ways:
            return
        outcome.acted = True
        if outcome.dropped:
            return
        ready = outcome.now + outcome.delay
        line, speed = share(flow.key(per), flow, way, outcome.now)
        start = max(ready, line.free_at)
        if start - ready > queue:
            outcome.dropped = True
            return
        line.free_at = start + packet.end / speed
        line.seen = outcome.now
        outcome.delay = line.free_at - outcome.now

    return slow


def _fair(lines: _Lines, rate: float) -> Callable[[Key, Flow, bool, float], tuple[_Line, float]]:
    members: OrderedDict[tuple[Key, bool], dict[int, float]] = OrderedDict()

    def share(key: Key, flow: Flow, way: bool, now: float) -> tuple[_Line, float]:
        active = members.setdefault((key, way), {})
        active[flow.number] = now
        if len(members) > _MOST_LINES:
            members.popitem(last=False)
        for number in [number for number, seen in active.items() if now - seen > _ACTIVE]:
            del active[number]
        return lines.get((*key, flow.number), way), rate / len(active)

    return share


def _freeze(action: Freeze) -> Act:
    ways = _WAYS[action.direction]
    most_bytes, most_packets = action.bytes, action.packets
    note = object()

    def freeze(packet: Packet, flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        if packet.outbound not in ways:
            return
        outcome.acted = True
        passed = flow.notes.setdefault(note, [0, 0])
        size = packet.payload_size
        passed[0] += size
        passed[1] += 1 if size else 0
        frozen = (most_bytes is not None and passed[0] > most_bytes) or (
            most_packets is not None and passed[1] > most_packets
        )
        outcome.dropped = outcome.dropped or frozen

    return freeze

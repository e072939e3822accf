"""Conditions on the flow so far, on the past, on time, and on chance."""

from collections.abc import Callable
from datetime import datetime, timedelta

from rozaneh.lab.censor.conditions import Conditions, Surroundings, Test, in_ranges
from rozaneh.lab.censor.draw import Draws
from rozaneh.lab.censor.flows import Flow as Connection
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.memory import FOREVER, Counter
from rozaneh.lab.censor.packet import Packet
from rozaneh.lab.scenario.match import Chance, Flow, History, Marked, Match, When, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK_GRAIN = 0.05
"""Seconds for which a look at the clock is good: reading it for every packet would cost more than the rule."""


def add(found: Conditions, match: Match, around: Surroundings, path: str) -> None:
    """Add the tests of these conditions."""
    if match.flow is not None:
        _flow(found, match.flow)
    for mark in match.marked:
        found.tests.append(_marked(mark, around))
    if match.time is not None:
        found.tests.append(_time(match.time, around))
    if match.chance is not None:
        found.last.append(_chance(match.chance, around, path))
    if match.history is not None:
        found.last.append(_history(match.history, around))


def _flow(found: Conditions, condition: Flow) -> None:
    found.counts = True
    tests = found.tests
    numbers: tuple[tuple[tuple[tuple[float, float], ...], Callable[[Connection], float]], ...] = (
        (condition.bytes, lambda flow: sum(flow.bytes)),
        (condition.bytes_out, lambda flow: flow.bytes[1]),
        (condition.bytes_in, lambda flow: flow.bytes[0]),
        (condition.packets, lambda flow: sum(flow.packets)),
        (condition.packets_out, lambda flow: flow.packets[1]),
        (condition.packets_in, lambda flow: flow.packets[0]),
        (condition.age, lambda flow: flow.last - flow.born),
        (condition.idle, lambda flow: flow.idle),
    )
    for ranges, measure in numbers:
        if ranges:
            tests.append(_number(in_ranges(ranges), measure))
    if condition.data_packet:
        which = in_ranges(condition.data_packet)
        tests.append(lambda packet, flow, _inspection: packet.end > packet.start and which(flow.data[packet.outbound]))
    if condition.opened is not None:
        inside = condition.opened == "inside"
        found.fixed.append(lambda flow, _way: flow.opened_inside is inside)
    if condition.established is not None:
        wanted = condition.established
        tests.append(lambda _packet, flow, _inspection: flow.established is wanted)
    if condition.window is not None:
        found.window = max(found.window, condition.window.seconds)
        tests.append(_window(condition.window))


def _number(fits: Callable[[float], bool], measure: Callable[[Connection], float]) -> Test:
    return lambda _packet, flow, _inspection: fits(measure(flow))


def _window(condition: Window) -> Test:
    amount = in_ranges(condition.bytes) if condition.bytes else None
    number = in_ranges(condition.packets) if condition.packets else None
    ways = {"out": (True,), "in": (False,), "both": (True, False)}[condition.direction]
    length = condition.seconds

    def test(packet: Packet, flow: Connection, _inspection: Inspection) -> bool:
        since = packet.now - length
        sizes = [size for at, size, way in flow.counted or () if at > since and way in ways]
        return (amount is None or amount(sum(sizes))) and (number is None or number(len(sizes)))

    return test


def _marked(condition: Marked, around: Surroundings) -> Test:
    name, on, least = condition.name, condition.on, condition.at_least
    within = condition.within if condition.within is not None else FOREVER
    marks = around.marks

    def test(packet: Packet, flow: Connection, _inspection: Inspection) -> bool:
        return marks.has(name, on, flow.key(on), packet.now, within=within, at_least=least)

    return test


def _history(condition: History, around: Surroundings) -> Test:
    least = condition.at_least
    most = condition.at_most if condition.at_most is not None else FOREVER
    on, within, kind = condition.from_, condition.within, condition.kind
    if kind == "events":
        event, events = condition.event or "", around.events

        def count_events(packet: Packet, flow: Connection, _inspection: Inspection) -> bool:
            return least <= events.count(event, on, flow.key(on), packet.now - within) <= most

        return count_events
    counter = Counter(within, distinct=kind in ("flows", "destinations", "ports"))
    items: dict[str, Callable[[Connection], object]] = {
        "flows": lambda flow: flow.number,
        "destinations": lambda flow: flow.server,
        "ports": lambda flow: flow.server_port,
    }
    item = items.get(kind, _nothing)
    by_size = kind == "bytes"

    def test(packet: Packet, flow: Connection, _inspection: Inspection) -> bool:
        weight = packet.end if by_size else 1
        return least <= counter.add(flow.key(on), packet.now, item(flow), weight) <= most

    return test


def _nothing(_flow: Connection) -> object:
    return None


def _chance(condition: Chance, around: Surroundings, path: str) -> Test:
    share, per = condition.probability, condition.per
    draws = Draws(around.seed, "chance", around.rule, around.place, path)
    if per == "packet":
        draw = draws.random.random
        return lambda _packet, _flow, _inspection: draw() < share

    def test(_packet: Packet, flow: Connection, _inspection: Inspection) -> bool:
        # A flow is told by its ends and its own number: the same ports may be used again.
        holder = (*flow.key("3-tuple"), flow.client_port, flow.number) if per == "flow" else flow.key(per)
        return draws.stable(*holder) < share

    return test


def _time(condition: When, around: Surroundings) -> Test:
    whens = [condition]
    named = [when for name in condition.schedule for when in around.schedule.get(name, ())]
    age = in_ranges(condition.age) if condition.age else None
    clock, began = around.clock, around.began
    looked_at, answer = float("-inf"), False

    def test(packet: Packet, _flow: Connection, _inspection: Inspection) -> bool:
        nonlocal looked_at, answer
        if not 0 <= packet.now - looked_at < _CLOCK_GRAIN:
            looked_at = packet.now
            local = clock()
            answer = all(in_force(when, local) for when in whens)
            if condition.schedule:
                answer = answer and any(in_force(when, local) for when in named)
        return answer and (age is None or age(packet.now - (began.at or 0.0)))

    return test


def in_force(when: When, local: datetime) -> bool:
    """Whether hours, weekdays and dates of a condition hold at a local time."""
    second = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
    day = local.date()
    start = when.from_ if when.from_ is not None else 0.0
    end = when.to if when.to is not None else 86400.0
    if start < end:
        if not start <= second < end:
            return False
    elif second < end:
        # Past midnight of a stretch that began the evening before: weekday and date are those of that evening.
        day -= timedelta(days=1)
    elif second < start:
        return False
    if when.weekdays and _DAYS[day.weekday()] not in when.weekdays:
        return False
    text = day.isoformat()
    return not when.dates or any(dates.from_ <= text and (dates.to is None or text <= dates.to) for dates in when.dates)

"""A match becomes a list of tests, cheap ones first.

Two sorts of tests: *fixed* ones depend only on the flow and the direction, and are asked once per flow; the others
are asked for each packet, and answer ``True``, ``False``, or ``NEVER``: not for this flow any more, so that the rule
need not look at it again. That is what makes bulk data cheap.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.memory import Events, Marks
from rozaneh.lab.censor.packet import Packet
from rozaneh.lab.censor.view import WorldView
from rozaneh.lab.scenario.fields import Ranges
from rozaneh.lab.scenario.match import Match, When
from rozaneh.lab.scenario.match_packet import Named, Worded

NEVER = None
_WILD = frozenset("*?")
Fixed = Callable[[Flow, bool], bool]
Test = Callable[[Packet, Flow, Inspection], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What tests and actions of one rule at one place need from outside.

    Attributes:
        view: the world.
        sets: the scenario's named sets.
        schedule: the scenario's named times.
        clock: the fake clock, local time.
        marks: marks of this client's censors.
        events: logged events of this client's censors.
        seed: the run's seed.
        rule: the rule's number.
        place: where this copy of the rule stands.
        began: when the engine began, in the engine's seconds.
    """

    view: WorldView
    sets: Mapping[str, tuple[str, ...]]
    schedule: Mapping[str, tuple[When, ...]]
    clock: Callable[[], datetime]
    marks: Marks
    events: Events
    seed: int
    rule: int
    place: str
    began: "Began"


@dataclass(slots=True)
class Began:
    """The moment of the engine's first packet; the age of the scenario counts from it."""

    at: float | None = None


@dataclass(slots=True)
class Conditions:
    """A compiled match.

    Attributes:
        fixed: tests that depend on the flow and direction alone.
        tests: tests per packet, in order.
        last: tests that draw or count, asked when all others hold.
        counts: whether packets must be counted per flow for it.
        window: how many seconds of packets must be kept per flow.
    """

    fixed: list[Fixed] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    last: list[Test] = field(default_factory=list)
    counts: bool = False
    window: float = 0.0

    def possible(self, flow: Flow, outbound: bool) -> bool:
        """Whether packets of the flow in this direction can match at all."""
        return all(test(flow, outbound) for test in self.fixed)

    def hold(self, packet: Packet, flow: Flow, inspection: Inspection) -> bool | None:
        """Whether all tests per packet hold; ``NEVER`` if they cannot for this flow any more."""
        for test in self.tests:
            answer = test(packet, flow, inspection)
            if not answer:
                return answer
        return all(test(packet, flow, inspection) for test in self.last)

    def whole(self, packet: Packet, flow: Flow, inspection: Inspection) -> bool | None:
        """All of it at once, for a match inside another one."""
        if not self.possible(flow, packet.outbound):
            return False
        return self.hold(packet, flow, inspection)


def compile_match(match: Match, around: Surroundings, path: str = "") -> Conditions:
    """The tests of a match.

    Raises:
        LocalFault: a name in it leads nowhere.
    """
    # Imported here because each of them needs the types above.
    from rozaneh.lab.censor import conditions_memory, conditions_packet, conditions_protocol  # noqa: PLC0415 - above

    found = Conditions()
    conditions_packet.add(found, match, around)
    for index, inner in enumerate(match.all):
        part = compile_match(inner, around, f"{path}/all{index}")
        found.fixed += part.fixed
        found.tests += part.tests
        found.last += part.last
        _inherit(found, [part])
    conditions_protocol.add(found, match, around)
    if match.any:
        parts = [compile_match(inner, around, f"{path}/any{index}") for index, inner in enumerate(match.any)]
        _inherit(found, parts)
        if all(not part.tests and not part.last for part in parts):
            found.fixed.append(lambda flow, way: any(part.possible(flow, way) for part in parts))
        else:
            found.tests.append(_any_of(parts))
    if match.not_:
        parts = [compile_match(inner, around, f"{path}/not{index}") for index, inner in enumerate(match.not_)]
        _inherit(found, parts)
        if all(not part.tests and not part.last for part in parts):
            found.fixed.append(lambda flow, way: not any(part.possible(flow, way) for part in parts))
        else:
            found.tests.append(_none_of(parts))
    conditions_memory.add(found, match, around, path)
    return found


def _inherit(found: Conditions, parts: Iterable[Conditions]) -> None:
    for part in parts:
        found.counts = found.counts or part.counts
        found.window = max(found.window, part.window)


def _any_of(parts: list[Conditions]) -> Test:
    def test(packet: Packet, flow: Flow, inspection: Inspection) -> bool | None:
        hopeless = True
        matched = False
        # All are asked: a count in one of them must not depend on the order in the file.
        for part in parts:
            answer = part.whole(packet, flow, inspection)
            matched = matched or bool(answer)
            hopeless = hopeless and answer is NEVER
        return matched or (NEVER if hopeless else False)

    return test


def _none_of(parts: list[Conditions]) -> Test:
    def test(packet: Packet, flow: Flow, inspection: Inspection) -> bool | None:
        return not any([part.whole(packet, flow, inspection) for part in parts])  # noqa: C419 - all are asked

    return test


def in_ranges(ranges: Ranges) -> Callable[[float], bool]:
    """A test for a set of numbers."""
    if len(ranges) == 1:
        low, high = ranges[0]
        return lambda value: low <= value <= high
    singles = {low for low, high in ranges if low == high}
    wide = [(low, high) for low, high in ranges if low != high]
    if not wide:
        return singles.__contains__
    return lambda value: value in singles or any(low <= value <= high for low, high in wide)


def named(condition: Named, sets: Mapping[str, tuple[str, ...]]) -> Callable[[str | None], bool]:
    """A test for a host name; ``None`` stands for "there is no name"."""

    def spread(texts: Iterable[str]) -> list[str]:
        return [name for text in texts for name in (sets.get(text[1:], ()) if text.startswith("@") else (text,))]

    given = spread(condition.exact)
    exact = frozenset(name for name in given if not _WILD.intersection(name))
    suffixes = tuple(name.removeprefix("*.") for name in spread(condition.suffix))
    below = tuple("." + suffix for suffix in suffixes)
    suffix_set = frozenset(suffixes)
    labels = frozenset(spread(condition.label))
    keywords = tuple(keyword.lower() for keyword in condition.keyword)
    patterns = (*spread(condition.pattern), *(name for name in given if _WILD.intersection(name)))
    only_presence = not (exact or suffixes or labels or keywords or patterns)

    def test(name: str | None) -> bool:
        if not name:
            return condition.present is False
        if condition.present is False:
            return False
        return (
            only_presence
            or name in exact
            or name in suffix_set
            or (bool(below) and name.endswith(below))
            or (bool(labels) and not labels.isdisjoint(name.split(".")))
            or any(keyword in name for keyword in keywords)
            or any(fnmatchcase(name, pattern) for pattern in patterns)
        )

    return test


def worded(condition: Worded) -> Callable[[str | None], bool]:
    """A test for a text; ``None`` stands for "there is no such text"."""
    exact = frozenset(text.lower() for text in condition.exact)
    prefixes = tuple(text.lower() for text in condition.prefix)
    suffixes = tuple(text.lower() for text in condition.suffix)
    keywords = tuple(text.lower() for text in condition.keyword)
    only_presence = not (exact or prefixes or suffixes or keywords)

    def test(text: str | None) -> bool:
        if text is None:
            return condition.present is False
        if condition.present is False:
            return False
        small = text.lower()
        return (
            only_presence
            or small in exact
            or (bool(prefixes) and small.startswith(prefixes))
            or (bool(suffixes) and small.endswith(suffixes))
            or any(keyword in small for keyword in keywords)
        )

    return test

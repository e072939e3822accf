"""Which cells a matrix has, and what each expects. Pure: no lab is needed to make a plan.

A *question* is a network, a time, a target, and what is asked for before it. Each expectation of a way asks at least
one. The first question of a scenario is asked of every way, so that ways of which nothing is expected are seen too;
every further question is asked of the ways that somebody expects something of.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from rozaneh.core import LocalFault, Target
from rozaneh.lab.matrix.ways import STANDARD_WAYS, Way, choose_ways
from rozaneh.lab.scenario import Expect, Scenario, Variant, variants
from rozaneh.lab.scenario.vary import value_at

DEFAULT_NETWORK = "mobile"
DEFAULT_TARGET = "https://blocked.example/"
_EVERY_WAY = "*"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One question to one way in one scenario.

    Attributes:
        scenario: the scenario's id.
        vary: the choice of its varied values, as text; empty where nothing varies.
        network: the home network.
        at: time of day or moment at which it is asked; none for the scenario's own.
        way: the way.
        target: what is asked for.
        expected: outcomes of which any will do; empty where nothing is expected.
        because: why that is expected.
        before: what is asked for first, in the same way from the same home.
        wait: seconds between those and the target.
        rules: the scenario with its values in place.
    """

    scenario: str
    vary: str
    network: str
    at: str | None
    way: Way
    target: Target
    expected: tuple[str, ...]
    because: str
    before: tuple[Target, ...]
    wait: float
    rules: Scenario

    @property
    def name(self) -> str:
        """What tells the cell from every other, and what its random numbers come from."""
        varied = f"[{self.vary}]" if self.vary else ""
        later = f"+{len(self.before)}" if self.before else ""
        return f"{self.scenario}{varied}/{self.network}/{self.at or '-'}/{self.way.name}/{self.target}{later}"

    @property
    def seed(self) -> int:
        """The same number in every run, another one for every cell."""
        return seed_of(self.name)

    @property
    def has_control(self) -> bool:
        """Whether the target must be reachable in this way without the scenario: only rules need that proof."""
        return bool(self.rules.rules)

    @property
    def is_lossy(self) -> bool:
        """Whether packets get lost by chance on this cell's path, so that kernels have to send them again."""
        return is_lossy(self.rules)


def seed_of(*parts: str) -> int:
    """A number that follows from some texts, the same in every run."""
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:6], "big")


def is_download(target: Target) -> bool:
    """Whether a target is asked for the speed at which it comes."""
    return target.path.startswith("/bytes/")


def is_lossy(scenario: Scenario) -> bool:
    """Whether packets get lost by chance in a scenario."""
    return any(
        rule.action.loss or rule.action.reorder or (rule.match.chance and rule.match.chance.per == "packet")
        for rule in scenario.rules
    ) or any(host.link.loss or host.link.reorder for host in scenario.world.host.values())


class _Question(msgspec.Struct, frozen=True):
    network: str
    at: str | None
    target: str
    after: tuple[str, ...] = ()
    wait: float = 0.0


def plan(
    scenarios: Iterable[Scenario], ways: Sequence[Way] = (), *, networks: Sequence[str] = (), real_packets: bool = True
) -> tuple[Cell, ...]:
    """List the cells.

    Args:
        scenarios: the censors.
        ways: the ways; without any, the standard ones and those that the expectations name themselves.
        networks: home networks; without any, those that the expectations name, else the mobile one.
        real_packets: whether the lab moves packets (tiers T1 and T2). Without them scenarios and ways that live from
            packets are left out.

    Raises:
        LocalFault: a way or a target of an expectation is none; the message names it.
    """
    found: list[Cell] = []
    for scenario in scenarios:
        if not real_packets and scenario.tier == "packets":
            continue
        for variant in variants(scenario):
            found.extend(_cells(scenario.id, variant, ways, networks))
    return tuple(cell for cell in found if real_packets or not cell.way.needs_packets)


def left_out(scenarios: Iterable[Scenario], ways: Sequence[Way] = ()) -> tuple[str, ...]:
    """Names of the scenarios and ways that a lab without real packets leaves out."""
    chosen = tuple(ways) or choose_ways()
    return (
        *(scenario.id for scenario in scenarios if scenario.tier == "packets"),
        *(way.name for way in chosen if way.needs_packets),
    )


def applies(expect: Expect, variant: Variant) -> bool:
    """Whether an expectation holds in one choice of varied values."""
    return all(_same(_value(variant, path), value) for path, value in expect.when.items())


def _value(variant: Variant, path: str) -> Any:
    return variant.values[path] if path in variant.values else value_at(variant.scenario, path)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _cells(name: str, variant: Variant, ways: Sequence[Way], networks: Sequence[str]) -> Iterable[Cell]:
    for index, each in enumerate(variant.scenario.expect, 1):
        _be_readable(each, f"{name}: expect[{index}]")
    expects = [expect for expect in variant.scenario.expect if expect.way and applies(expect, variant)]
    questions = list(dict.fromkeys(question for expect in expects for question in _questions(expect, networks)))
    if not questions:
        questions = [_Question(network, None, DEFAULT_TARGET) for network in networks or (DEFAULT_NETWORK,)]
    for index, question in enumerate(questions):
        for way in _ways_of(question, expects, ways):
            expect = _expectation(question, way, expects)
            if expect is None and index:
                continue
            yield Cell(
                scenario=name,
                vary=variant.label,
                network=question.network,
                at=question.at,
                way=way,
                target=Target.parse(question.target),
                expected=tuple(expect.outcome) if expect else (),
                because=expect.because if expect else "",
                before=tuple(map(Target.parse, question.after)),
                wait=question.wait,
                rules=variant.scenario,
            )


def _be_readable(expect: Expect, place: str) -> None:
    if not expect.way:
        return
    try:
        choose_ways(text for text in expect.way if text != _EVERY_WAY)
        for target in (expect.target, *expect.after):
            Target.parse(target)
    except LocalFault as fault:
        raise LocalFault(f"{place}: {fault}") from None


def _questions(expect: Expect, networks: Sequence[str]) -> Iterable[_Question]:
    for network in expect.network or tuple(networks) or (DEFAULT_NETWORK,):
        if not networks or network in networks:
            yield _Question(network, expect.at, expect.target, expect.after, expect.wait[1])


def _ways_of(question: _Question, expects: Sequence[Expect], ways: Sequence[Way]) -> tuple[Way, ...]:
    if ways:
        return tuple(ways)
    named = (text for expect in expects if _asks(expect, question) for text in expect.way if text != _EVERY_WAY)
    return choose_ways([*STANDARD_WAYS, *named])


def _asks(expect: Expect, question: _Question) -> bool:
    return (
        expect.target == question.target
        and expect.at == question.at
        and expect.after == question.after
        and expect.wait[1] == question.wait
        and (not expect.network or question.network in expect.network)
    )


def _expectation(question: _Question, way: Way, expects: Sequence[Expect]) -> Expect | None:
    """The most special expectation: one that names the way before ``*``, one that names the network before none."""
    best: tuple[tuple[bool, bool], Expect] | None = None
    for expect in expects:
        if not _asks(expect, question):
            continue
        named = any(text != _EVERY_WAY and choose_ways([text])[0] == way for text in expect.way)
        if named or _EVERY_WAY in expect.way:
            rank = (named, bool(expect.network))
            if best is None or rank > best[0]:
                best = rank, expect
    return best[1] if best else None

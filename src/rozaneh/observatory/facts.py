"""The facts of :mod:`rozaneh.diagnosis.facts` of every target in a table, and which rules fit them.

Theory of operation. :mod:`rozaneh.observatory.gathered` puts the dials of a target together. What else is asked, of the
control or of the network, becomes bits of further integers, one for each fact that is wanted (:class:`Facts`). So
whatever a rule needs and excludes is one comparison for each integer that it touches: a rule that names seven facts
asks two or three things of a row, and an engine that plans a query of all rules has little to plan. A test that may be
null counts as one that does not hold.

Everything is written in Ibis, so each engine computes the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import add, and_, or_
from typing import Final, NamedTuple

import ibis

from rozaneh.core import Failure
from rozaneh.diagnosis.controls import FORBIDDEN
from rozaneh.diagnosis.readings import MANNERS, STAGES
from rozaneh.diagnosis.rules import Rule
from rozaneh.observatory.gathered import (
    MANNER_BITS,
    MANNERS_ROOM,
    VIEWS,
    Column,
    Table,
    end_number,
    gathered,
    mark_bit,
    number,
    repeated,
    residual,
    state_bits,
)  # fmt: skip

_NO: Final = ibis.literal(value=False)
_YES: Final = ibis.literal(value=True)
_FAR, _MIDWAY = 0.85, 0.7
_DENIED: Final = (Failure.DNS_NXDOMAIN_ERROR.value, Failure.DNS_NO_ANSWER.value)
_KINDS: Final = ("https", "http", "tls", "tcp", "udp", "quic")
_ROOM: Final = 60
"""Facts that one integer holds."""


class _Bits(NamedTuple):
    """Some bits of a column have this value."""

    column: str
    care: int
    value: int

    def holds(self, t: Table) -> Column:
        return (t[self.column] & number(self.care)) == number(self.value)


class _Either(NamedTuple):
    """One of some bits of a column is set."""

    column: str
    care: int

    def holds(self, t: Table) -> Column:
        return (t[self.column] & number(self.care)) != 0


class _End(NamedTuple):
    """All dials of a view failed, and the one that came furthest ended in one of these ways."""

    view: str
    numbers: tuple[int, ...]

    def holds(self, t: Table) -> Column:
        end = t[f"{self.view}_end"]
        return end == self.numbers[0] if len(self.numbers) == 1 else end.isin(self.numbers)


class _OneOf(NamedTuple):
    """One of several tests."""

    tests: tuple["_Bits | _Either | _End", ...]

    def holds(self, t: Table) -> Column:
        return any_of(test.holds(t) for test in self.tests)


class _Not(NamedTuple):
    """The opposite of a test."""

    test: "_Bits | _Either | _End"

    def holds(self, t: Table) -> Column:
        return ~self.test.holds(t)


class _Never(NamedTuple):
    """What a table cannot tell."""

    def holds(self, _: Table) -> Column:
        return _NO


_Test = _Bits | _Either | _End | _OneOf | _Not | _Never


class Facts:
    """Facts of a table, by the integers that hold them.

    Args:
        wanted: the facts that are asked for.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = tuple(sorted(set(wanted)))
        own = [name for name in self._wanted if name in _FLAGS or name.startswith(_FAMILIES) or name in _REPEATS]
        self._flags = {name: (f"flags{place // _ROOM}", 1 << place % _ROOM) for place, name in enumerate(own)}

    def of(self, observations: Table) -> Table:
        """One row for each measurement and target: what its first row says of both, and what facts are read from."""
        together = gathered(observations, self._wanted)
        words: dict[str, list[Column]] = {}
        for name, (word, bit) in self._flags.items():
            words.setdefault(word, []).append(ibis.ifelse(_flag(together, name), bit, 0).cast("int64"))
        return together.mutate(**{word: reduce(add, bits) for word, bits in words.items()})

    def holds(self, t: Table, fact: str) -> Column:
        """Whether a fact holds."""
        return self._test(fact).holds(t)

    def fits(self, t: Table, rule: Rule) -> Column:
        """Whether a rule fits."""
        tests = [*map(self._test, rule.needs), *(_one_of(map(self._test, group)) for group in rule.any)]
        tests = list(_merged([*tests, *(_not(self._test(name)) for name in rule.unless)]))
        if any(isinstance(test, _Never) for test in tests):
            return _NO
        return reduce(and_, (test.holds(t) for test in tests)) if tests else _YES

    def _test(self, name: str) -> "_Bits | _Either | _End | _Never":
        if name in self._flags:
            word, bit = self._flags[name]
            return _Bits(word, bit, bit)
        view, _, rest = name.partition(".")
        if view in VIEWS:
            return _test_of_view(view, rest)
        if name == "target.ok":
            return _WORKS
        return _NEVER if name in _UNTOLD else _marked(name)


_NEVER: Final = _Never()
_UNTOLD: Final = frozenset(("page.differs",))
"""Facts that no table can have: it keeps no page of the control's to compare with."""


def _merged(tests: Iterable[_Test]) -> Iterator[_Test]:
    """The same with one test for each column of bits, and those first."""
    bits: dict[str, _Bits] = {}
    others: list[_Test] = []
    for test in tests:
        if not isinstance(test, _Bits):
            others.append(test)
            continue
        before = bits.get(test.column, _Bits(test.column, 0, 0))
        both = before.care & test.care
        if before.value & both != test.value & both:
            yield _NEVER
        bits[test.column] = _Bits(test.column, before.care | test.care, before.value | test.value)
    yield from bits.values()
    yield from others


def _one_of(tests: Iterable["_Bits | _Either | _End | _Never"]) -> _Test:
    """One test where the facts of a group are bits of one column, or ways to end of one view."""
    possible = [test for test in tests if not isinstance(test, _Never)]
    bits = [test for test in possible if isinstance(test, _Bits) and test.care == test.value and _is_one(test.care)]
    ends = [test for test in possible if isinstance(test, _End)]
    if not possible:
        return _NEVER
    if len(possible) == 1:
        return possible[0]
    if len(bits) == len(possible) and len({test.column for test in bits}) == 1:
        return _Either(bits[0].column, reduce(or_, (test.care for test in bits)))
    if len(ends) == len(possible) and len({test.view for test in ends}) == 1:
        return _End(ends[0].view, tuple(number for test in ends for number in test.numbers))
    return _OneOf(tuple(possible))


def _not(test: "_Bits | _Either | _End | _Never") -> _Test:
    if isinstance(test, _Never):
        return _Bits("views", 0, 0)
    if isinstance(test, _Bits) and _is_one(test.care):
        return _Bits(test.column, test.care, test.care ^ test.value)
    if isinstance(test, _Either):
        return _Bits(test.column, test.care, 0)
    return _Not(test)


def _is_one(bits: int) -> bool:
    return bits.bit_count() == 1


def _test_of_view(view: str, rest: str) -> "_Bits | _Either | _End":
    stage, _, manner = rest.partition(".")
    if manner:
        return _End(view, (end_number(stage, manner),))
    won, lost = state_bits(view, "won"), state_bits(view, "lost")
    plain: dict[str, _Bits | _Either] = {
        "tried": _Either("views", won | lost),
        "ok": _Bits("views", won, won),
        "failed": _Bits("views", won | lost, lost),
        "unsteady": _Bits("views", won | lost, won | lost),
        "connected": _set("views", state_bits(view, "met")),
        "answered": _set("views", state_bits(view, "spoke")),
        "verified": _set("views", state_bits(view, "valid")),
    }
    return plain[rest]


def _set(word: str, bit: int) -> _Bits:
    return _Bits(word, bit, bit)


def _marked(name: str) -> _Bits:
    return _set("marks", mark_bit(name))


_WORKS: Final = _set("views", state_bits("system", "won"))


def ending_of(t: Table) -> Column:
    """How the dial that came furthest ended, by its place in :data:`READINGS`."""
    end = ibis.ifelse(t.path_end >= 0, t.path_end, t.system_end)
    return ibis.cases((_WORKS.holds(t), _WORKED), (end >= 0, end), else_=-1).cast("int64")


def reading_of(t: Table) -> Column:
    """The same in words."""
    end = ending_of(t)
    stages = ibis.cases(*((end >> MANNER_BITS == i, name) for i, name in enumerate(STAGES)), else_="")
    manners = ibis.cases(*((end & (MANNERS_ROOM - 1) == i, name) for i, name in enumerate(MANNERS)), else_="")
    return ibis.cases((end == _WORKED, "ok"), (end >= 0, stages.concat(".").concat(manners)), else_="")


_WORKED: Final = len(STAGES) * MANNERS_ROOM
READINGS: Final = (
    *(f"{stage}.{manner}" for stage in STAGES for manner in (*MANNERS, *[""] * (MANNERS_ROOM - len(MANNERS)))),
    "ok",
    "",
)
"""How a target's dials can end, by number: ``ok`` where one of the system's own worked; empty, the last and so by -1
too, where none was made."""


def any_of(columns: Iterable[Column]) -> Column:
    """Whether one of some columns holds."""
    return reduce(or_, columns)


def _flag(t: Table, name: str) -> Column:
    view = name.partition(".")[0]
    if view in VIEWS:
        return _REPEATS[name](t, view)
    if view == "network":
        return t.network.contains(f" {name} ")
    if view == "speed":
        return t.speed.contains(f" {name} ")
    return _FLAGS[name](t)


def _is_false(flag: Column) -> Column:
    return flag.notnull() & ~flag


def _is_kind(kind: str) -> Callable[[Table], Column]:
    return lambda t: t.kind == kind


_FAMILIES: Final = ("network.", "speed.")
_REPEATS: Final = {
    f"{view}.{rest}": flag for view in VIEWS for rest, flag in (("repeated", repeated), ("residual", residual))
}
_FLAGS: Final[Mapping[str, Callable[[Table], Column]]] = {
    **{f"target.{kind}": _is_kind(kind) for kind in _KINDS},
    "target.literal": lambda t: t.literal,
    "target.domestic": lambda t: t.domestic,
    "target.tainted": lambda t: t.tainted,
    "dns.bogon": lambda t: _marked("bogon").holds(t) & ~t.trusted_bogon,
    "dns.disjoint": lambda t: _marked("dns.answered").holds(t) & t.trusted_known & ~_marked("agreed").holds(t),
    "dns.trusted": lambda t: t.trusted_known,
    "dns.trusted_denies": lambda t: t.trusted_failure.isin(_DENIED),
    "reset.from_far": lambda t: (t.resets > 1) & (t.reset_soonest >= t.trip_soonest * _FAR),
    "reset.from_midway": lambda t: (
        (t.resets > 1) & (t.reset_soonest < t.trip_soonest * _FAR) & (t.reset_soonest <= t.trip_soonest * _MIDWAY)
    ),
    "control.asked": lambda t: t.control_asked,
    "control.works": lambda t: t.control_works,
    "control.down": lambda t: _is_false(t.control_works),
    "control.disagrees": lambda t: t.control_disagrees,
    "control.remembered": lambda t: t.control_remembered,
    "control.dns.ok": lambda t: t.control_dns,
    "control.dns.denies": lambda t: _is_false(t.control_dns),
    "control.tcp.ok": lambda t: t.control_tcp,
    "control.tcp.failed": lambda t: _is_false(t.control_tcp),
    "control.tls.ok": lambda t: t.control_tls,
    "control.tls.failed": lambda t: _is_false(t.control_tls),
    "control.quic.ok": lambda t: t.control_quic,
    "control.fine": lambda t: (t.control_status >= 200) & (t.control_status < 400),
    "control.forbidden": lambda t: t.control_status.isin(FORBIDDEN),
}
"""Facts of what stands in every row of a target alike, or of all of its dials."""

"""What the evening has to show, each held against what was measured."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from rozaneh.demo.client import Fetch
from rozaneh.diagnosis import Mechanism, Outcome
from rozaneh.probe import ServiceResult
from rozaneh.words import mark

OBSTACLES = (
    Mechanism.DNS_FORGERY,
    Mechanism.TLS_NAME_RESET,
    Mechanism.TLS_NAME_SILENCE,
    Mechanism.ADDRESS_BLACK_HOLE,
)
"""The obstacles of which the evening must find a service each, and get it through."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must have happened.

    Attributes:
        says: what, as a sentence to be translated.
        holds: whether it did.
        obstacle: of which obstacle it speaks, where it speaks of one.
    """

    says: str
    holds: bool
    obstacle: Mechanism | None = None


class Pair(Protocol):
    """What :class:`rozaneh.demo.evening.Comparison` has of a proof."""

    @property
    def mechanism(self) -> Mechanism:
        """What the check said is in the way."""

    @property
    def direct(self) -> Fetch:
        """What the program got without help."""

    @property
    def through(self) -> Fetch:
        """What it got through the gateway."""


def stopped_then_through(mechanism: Mechanism, seen: Iterable[Pair]) -> Claim:
    """A service met this obstacle; the program failed directly and had the right page through the gateway."""
    holds = any(pair.mechanism is mechanism and not pair.direct.ok and pair.through.ok for pair in seen)
    return Claim(says=mark("{obstacle}: stopped directly, open through the gateway"), holds=holds, obstacle=mechanism)


def free_stays_free(results: Iterable[ServiceResult]) -> Claim:
    """Something foreign that nobody touched is not called blocked."""
    free = [result for result in results if not result.service.domestic and result.verdict.verdict is Outcome.OK]
    return Claim(says=mark("what nobody blocks is not called blocked"), holds=bool(free))


def curfew_named(results: Sequence[ServiceResult]) -> Claim:
    """After the hour every foreign service is ``domestic_only``, and every domestic one works."""
    abroad = [result.verdict.verdict for result in results if not result.service.domestic]
    inside = [result.verdict.verdict for result in results if result.service.domestic]
    holds = set(abroad) == {Outcome.DOMESTIC_ONLY} and set(inside) == {Outcome.OK}
    return Claim(says=mark("the curfew is told apart: only the domestic network is left, and it works"), holds=holds)


def closed_not_leaking(pair: Pair) -> Claim:
    """With nothing foreign left the gateway refuses; it does not pretend."""
    return Claim(says=mark("with nothing foreign left the gateway refuses"), holds=not pair.through.ok)


def domestic_goes_on(pair: Pair) -> Claim:
    """A domestic page still comes through the gateway."""
    return Claim(says=mark("a domestic page still comes through the gateway"), holds=pair.through.ok)


def fixed_line_goes_on(seen: Sequence[Pair]) -> Claim:
    """At the same hour the fixed line has no curfew: blocked as before, and open through the gateway as before."""
    holds = bool(seen) and all(not pair.direct.ok and pair.through.ok for pair in seen)
    return Claim(says=mark("on the fixed line it goes on"), holds=holds)

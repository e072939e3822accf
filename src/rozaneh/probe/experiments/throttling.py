"""Is a name slowed down on purpose? One run answers: the same server, two names, equal pieces, in turn.

What is compared are rates from the request to the last byte of its answer, so that no handshake counts. The order is
ABBA and so on: a line that gets slower or faster meanwhile does so for both. Two figures say how sure it is: the
chance that an order so clean came by accident (an exact permutation test), and the interval in which the ratio of the
rates lies with 95 % (Student's t on the logarithms of the pairs).
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import msgspec

from rozaneh.diagnosis import Role, Slowness, Tried
from rozaneh.probe import transfers
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line, found
from rozaneh.probe.experiments.plan import evidence_of
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "throttling"
_ANY_RATE = 1e12
_T_95 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571}
"""Student's t for 95 %, two-sided, by degrees of freedom."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The result.

    Attributes:
        target: bytes per second under the target's name, in order.
        neutral: and under the harmless one.
        ratio: the first over the second, by their means; 0 without a comparison.
        low: the least that the ratio is with 95 %.
        high: the most.
        chance: that so clean an order came by accident, if the name did not matter; 1 without a comparison.
        spent: bytes received in all.
    """

    target: tuple[float, ...] = ()
    neutral: tuple[float, ...] = ()
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    chance: float = 1.0
    spent: int = 0


async def run(tools: Tools, endpoint: Endpoint) -> Finding:
    """Transfer equal pieces under both names."""
    made = await transfers.compare(
        tools.dials, endpoint.target, endpoint.neutral or tools.vantages.neutral, 0, _ANY_RATE
    )
    tried = [
        *(Tried(Role.SYSTEM, attempt) for attempt in made.target[:1]),
        *(Tried(Role.NEUTRAL_NAME, attempt) for attempt in made.neutral),
    ]
    rates = compared(made.slowness, made.spent)
    evidence = evidence_of(tools, endpoint, tried, slowness=made.slowness)
    return found(NAME, endpoint.url, evidence, rates, *_said(endpoint, rates))


def compared(slowness: Slowness | None, spent: int) -> Rates:
    """The figures of a comparison."""
    if slowness is None or not slowness.target or not slowness.neutral:
        return Rates(spent=spent)
    pairs = [math.log(a / b) for a, b in zip(slowness.target, slowness.neutral, strict=False) if a > 0 and b > 0]
    middle = fmean(pairs) if pairs else 0.0
    freedom = len(pairs) - 1
    half = _T_95.get(freedom, 2.0) * stdev(pairs) / math.sqrt(len(pairs)) if freedom > 0 else math.inf
    return Rates(
        target=tuple(round(rate) for rate in slowness.target),
        neutral=tuple(round(rate) for rate in slowness.neutral),
        ratio=round(fmean(slowness.target) / max(fmean(slowness.neutral), 1.0), 4),
        low=round(math.exp(middle - half), 4),
        high=round(math.exp(min(middle + half, 20.0)), 4),
        chance=round(chance_of(slowness.target, slowness.neutral), 4),
        spent=spent,
    )


def chance_of(target: Sequence[float], neutral: Sequence[float]) -> float:
    """How often chance alone puts the target's rates at least so low among all (exact rank-sum test, one-sided)."""
    rates = sorted((*target, *neutral))
    size, seen = len(target), sum(sum(rates.index(rate) for rate in group) for group in (target,))
    ways = [0, 0]

    def choose(start: int, left: int, ranks: int) -> None:
        if left == 0:
            ways[0] += ranks <= seen
            ways[1] += 1
            return
        for index in range(start, len(rates) - left + 1):
            choose(index + 1, left - 1, ranks + index)

    choose(0, size, 0)
    return ways[0] / ways[1]


def _said(endpoint: Endpoint, rates: Rates) -> tuple[Line, ...]:
    if not rates.target or not rates.neutral:
        return (Line(mark("No rates could be compared for {target}."), {"target": endpoint.url}),)
    return (
        Line(
            mark(
                "Under its own name {own} kB/s, under a harmless name at the same server {other} kB/s."
                " If the name did not matter, chance alone would order the rates so in {percent}% of cases."
            ),
            {
                "own": round(fmean(rates.target) / 1000),
                "other": round(fmean(rates.neutral) / 1000),
                "percent": round(rates.chance * 100, 1),
            },
        ),
    )

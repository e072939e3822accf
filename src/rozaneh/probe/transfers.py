"""The throttling test: equal transfers under two names from one server, in ABBA order.

What it costs is more than what is read: a server goes on sending until it hears that nobody wants more. So it is asked
for the first bytes alone; one that sends everything all the same is given fewer and smaller transfers. The bounds below
are those of whole packets on the wire, and hold for the worst that was seen in the lab.
"""

from dataclasses import dataclass
from statistics import fmean

import anyio
import msgspec

from rozaneh.core import Attempt, Failure, Op, Target
from rozaneh.diagnosis import Slowness
from rozaneh.diagnosis.readings import status
from rozaneh.probe.dials import Dials, reached

BUDGET = 300_000
"""Bytes on the wire that a throttling test may cost, the page that raised the suspicion included."""

_PIECE, _COST = 24_000, 33_000
"""Bytes of a transfer, and what it costs at a server that sends what it is asked for."""

_SMALL_PIECE, _SMALL_COST = 12_000, 55_000
"""The same at a server that sends everything."""

_PARTIAL = 206
_LEAST_BODY = 16_000
_ORDER = ("target", "neutral", "neutral", "target", "target", "neutral", "neutral", "target")
_FEW_PAIRS, _PAIRS, _MORE_PAIRS = 2, 3, 4
_CLEAR = 0.2
_LONG = 0.8
_INSTANT = 1e9
_TIMES = 3
_LOST = 0.1
_LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Comparison:
    """What a test found.

    Attributes:
        slowness: the rates under both names.
        target: the transfers under the target's name.
        neutral: those under the harmless one.
        spent: bytes received in all.
    """

    slowness: Slowness
    target: tuple[Attempt, ...]
    neutral: tuple[Attempt, ...]
    spent: int


def suspiciously_slow(attempt: Attempt, expected: float) -> bool:
    """Whether a page came so slowly that a test is worth its bytes. Small pages say nothing about a rate.

    Args:
        attempt: a request that was answered.
        expected: bytes per second below which a line may be called slow.
    """
    return any(step.received >= _LEAST_BODY and rate(attempt) < expected for step in attempt.steps(Op.THROUGHPUT))


def rate(attempt: Attempt) -> float:
    """Bytes per second from the first byte of the answer to the last that was read."""
    received = sum(step.received for step in attempt.steps(Op.THROUGHPUT))
    took = sum(step.took for step in attempt.steps(Op.THROUGHPUT))
    return received / took if took > 0 else _INSTANT


def goodput(attempt: Attempt, round_trip: float) -> float:
    """Bytes per second from the request to the last byte that was read, less one round trip.

    The wait for the first byte counts: what came while nobody read would else seem to have taken no time. The round
    trip to the server would hide the difference on a fast line that is far from it.
    """
    took = sum(step.took for op in (Op.FIRST_BYTE, Op.THROUGHPUT) for step in attempt.steps(op))
    took = max(took - round_trip, _LEAST_SHARE * took)
    return received(attempt) / took if took > 0 else _INSTANT


def received(attempt: Attempt) -> int:
    """Bytes of the answer that were read."""
    return sum(step.received for op in (Op.FIRST_BYTE, Op.THROUGHPUT) for step in attempt.steps(op))


async def compare(dials: Dials, target: Target, neutral: str, spent: int, expected: float) -> Comparison:
    """Transfer the same piece in turn under the target's name and a harmless one, until it is clear or paid for.

    Args:
        dials: how.
        target: what may be slow, with the address it was at where that is known.
        neutral: the harmless name.
        spent: bytes that were spent already.
        expected: see :func:`suspiciously_slow`.
    """
    made: dict[str, list[Attempt]] = {"target": [], "neutral": []}
    whole: dict[str, list[Attempt]] = {"target": [], "neutral": []}
    piece, cost, pairs = _PIECE, _COST, _PAIRS
    left = BUDGET - spent
    for number, which in enumerate(_ORDER):
        if number == 2 * _PAIRS and _unclear(_rates(whole, expected)):
            pairs = _MORE_PAIRS
        if number >= 2 * pairs or (left < cost and min(map(len, whole.values())) >= _FEW_PAIRS):
            break
        name = target.host if which == "target" else neutral
        wanted = piece if number else _SMALL_PIECE
        attempt, times = await _undisturbed(dials, target, name, wanted, times=min(_TIMES, max(left // cost, 1)))
        made[which].append(attempt)
        left -= times * cost
        # Unequal transfers cannot be compared: a harmless name may lead to a page of another size.
        if attempt.ok and received(attempt) >= wanted // 2:
            whole[which].append(attempt)
        if not number:
            target = target if target.addresses else target.at(*reached(attempt)[:1])
            if not attempt.ok or not target.addresses:
                break
            if status(attempt) != _PARTIAL:
                piece, cost, pairs = _SMALL_PIECE, _SMALL_COST, _FEW_PAIRS
            elif attempt.took > _LONG:
                piece = _LEAST_BODY  # where a transfer takes so long, round trips hardly count
    return Comparison(
        slowness=_rates(whole, expected),
        target=tuple(made["target"]),
        neutral=tuple(made["neutral"]),
        spent=sum(step.received for group in made.values() for attempt in group for step in attempt.observations),
    )


def _rates(whole: dict[str, list[Attempt]], expected: float) -> Slowness:
    # The shortest handshake of all: one that waited behind the rest of an earlier transfer is no round trip.
    handshakes = (step.took for group in whole.values() for each in group for step in each.steps(Op.CONNECT))
    round_trip = min(handshakes, default=0.0)
    rates = {which: tuple(goodput(each, round_trip) for each in group) for which, group in whole.items()}
    return Slowness(target=rates["target"], neutral=rates["neutral"], expected=expected)


def _unclear(slowness: Slowness) -> bool:
    """Whether the target is slower each time, but not by so much that three times are enough."""
    target, neutral = slowness.target, slowness.neutral
    if not target or not neutral or max(target) >= min(neutral):
        return False
    return fmean(target) >= _CLEAR * fmean(neutral)


async def _undisturbed(dials: Dials, target: Target, name: str, piece: int, *, times: int) -> tuple[Attempt, int]:
    """A transfer during which this process got to run, else what was slow is ourselves; and how many it took."""
    for number in range(1, times + 1):
        began = anyio.current_time()
        attempt = await dials.transfer(target, name, piece)
        if not dials.pulse.starved(began, anyio.current_time(), least=_LOST):
            return attempt, number
    return msgspec.structs.replace(attempt, failure=Failure.INTERRUPTED), times

"""The throttling test: equal transfers under two names from one server, in ABBA order."""

import anyio
import msgspec

from rozaneh.core import Attempt, Failure, Op, Target
from rozaneh.diagnosis import Slowness
from rozaneh.probe.dials import Dials

BUDGET = 300_000
"""Bytes that a throttling test may cost, the page that raised the suspicion included."""

_PIECE = 32_000
_LEAST_BODY = 16_000
_MOST_PAIRS = 3
_INSTANT = 1e9
_TIMES = 3
_LOST = 0.1


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


async def _undisturbed(dials: Dials, target: Target, name: str) -> Attempt:
    """A transfer during which this process got to run: else what was slow is ourselves."""
    for _ in range(_TIMES):
        began = anyio.current_time()
        attempt = await dials.transfer(target, name, _PIECE)
        if not dials.pulse.starved(began, anyio.current_time(), least=_LOST):
            return attempt
    return msgspec.structs.replace(attempt, failure=Failure.INTERRUPTED)


def goodput(attempt: Attempt) -> float:
    """Bytes per second from the request to the last byte that was read.

    The wait for the first byte counts: what came while nobody read would else seem to have taken no time. It is the
    same for both names at one server.
    """
    took = sum(step.took for op in (Op.FIRST_BYTE, Op.THROUGHPUT) for step in attempt.steps(op))
    received = sum(step.received for op in (Op.FIRST_BYTE, Op.THROUGHPUT) for step in attempt.steps(op))
    return received / took if took > 0 else _INSTANT


async def compare(
    dials: Dials, target: Target, neutral: str, spent: int, expected: float
) -> tuple[Slowness, list[Attempt]]:
    """Transfer the same piece in turn under the target's name and a harmless one.

    Args:
        dials: how.
        target: what was slow, with the address it was at.
        neutral: the harmless name.
        spent: bytes that were spent already.
        expected: see :func:`suspiciously_slow`.

    Returns:
        The rates, and the attempts under the harmless name.
    """
    pairs = max(2, min(_MOST_PAIRS, (BUDGET - spent) // (2 * _PIECE)))
    order = ("neutral", "target", "target", "neutral", "neutral", "target")[: 2 * pairs]
    rates: dict[str, list[float]] = {"target": [], "neutral": []}
    others: list[Attempt] = []
    for which in order:
        attempt = await _undisturbed(dials, target, target.host if which == "target" else neutral)
        got = sum(step.received for op in (Op.FIRST_BYTE, Op.THROUGHPUT) for step in attempt.steps(op))
        if which == "neutral":
            others.append(attempt)
        # Unequal transfers cannot be compared: a harmless name may lead to a page of another size.
        if attempt.ok and got >= _PIECE // 2:
            rates[which].append(goodput(attempt))
    return Slowness(target=tuple(rates["target"]), neutral=tuple(rates["neutral"]), expected=expected), others

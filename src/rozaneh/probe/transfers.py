"""The throttling test: equal transfers under two names from one server, in ABBA order."""

from rozaneh.core import Attempt, Op, Target
from rozaneh.diagnosis import Slowness
from rozaneh.probe.dials import Dials

BUDGET = 300_000
"""Bytes that a throttling test may cost, the page that raised the suspicion included."""

_PIECE = 32_000
_LEAST_BODY = 16_000
_MOST_PAIRS = 3
_INSTANT = 1e9


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
        attempt = await dials.transfer(target, target.host if which == "target" else neutral, _PIECE)
        got = sum(step.received for step in attempt.steps(Op.THROUGHPUT))
        if which == "neutral":
            others.append(attempt)
        # Unequal transfers cannot be compared: a harmless name may lead to a page of another size.
        if attempt.ok and got >= _PIECE // 2:
            rates[which].append(rate(attempt))
    return Slowness(target=tuple(rates["target"]), neutral=tuple(rates["neutral"]), expected=expected), others

"""Seeing which of the user's servers answer, before an hour in which nothing else may.

One after another, never together: racing them would show all of them to whoever watches. Each carries a greeting to a
resolver abroad and back, which is a few hundred bytes.
"""

from collections.abc import Callable

import anyio

from rozaneh.core import Attempt, Op, Target
from rozaneh.finder.budget import FIRST_LOOKUP
from rozaneh.finder.greeting import greeting
from rozaneh.finder.knowledge import Knowledge
from rozaneh.finder.ways import Way
from rozaneh.net import ByteStream, Deadlines, Dialer, Report, Trace, measure
from rozaneh.net.api import Exchange
from rozaneh.net.trace import NETWORK_ERRORS, dial_failed

__all__ = ["warm"]

_MOST = 16


async def warm(
    knowledge: Knowledge, dialer_of: Callable[[Way], Dialer], target: Target, report: Report
) -> tuple[int, int]:
    """Go each of the user's ways once.

    Args:
        knowledge: of the finder; it learns what answers.
        dialer_of: makes the dialer for a way.
        target: whom to greet.
        report: told of every attempt.

    Returns:
        How many answered, and how many were gone.
    """
    answered = 0
    ways = knowledge.ways.upstreams[:_MOST]
    for way in ways:
        if knowledge.budget.left(anyio.current_time()) < FIRST_LOOKUP:
            break
        ended: list[Attempt] = []
        measured = await measure(
            dialer_of(way), target, exchange=_greeted(target), report=ended.append, deadlines=Deadlines()
        )
        ok = measured.ok
        await measured.aclose()
        for attempt in ended:
            report(attempt)
            knowledge.spent(attempt.observations, anyio.current_time())
            if ok:
                knowledge.upstream_answered(way, anyio.current_time())
            else:
                knowledge.upstream_failed(way, attempt, anyio.current_time())
        answered += ok
    return answered, len(ways)


def _greeted(target: Target) -> Exchange:
    async def exchange(stream: ByteStream, trace: Trace) -> None:
        async with trace.step(Op.FIRST_BYTE, peer=target.authority) as step:
            try:
                await stream.send(greeting(target).data)
                step.received += len(await stream.receive())
            except NETWORK_ERRORS as error:
                raise dial_failed(error) from error

    return exchange

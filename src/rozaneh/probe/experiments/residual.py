"""How long a punishment lasts: after one handshake with a name, harmless ones to its address until they work.

Before the name is sent the harmless one has to work, so that a dead address is not taken for a punished one. Every
connection has a source port of its own; a censor that punishes the flow alone leaves them be.
"""

from collections.abc import Awaitable, Callable

import anyio
import msgspec

from rozaneh.core import Attempt
from rozaneh.diagnosis import Role, Tried
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line, found
from rozaneh.probe.experiments.plan import evidence_of
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "residual"
LONGEST = 200.0
"""Seconds after which the experiment ends: the longest penalty that is documented is 180 s."""
_EVERY = 2.0
_SIDE_BY_SIDE = 4
_GOOD_ROUNDS = 2


class Penalty(msgspec.Struct, frozen=True, kw_only=True):
    """The result.

    Attributes:
        address: where.
        before: whether the harmless name worked before.
        hit: how many harmless handshakes failed afterwards.
        tried: of how many.
        seconds: from the name to the last harmless handshake that failed; 0 where none did.
        ended: whether the end was seen.
    """

    address: str = ""
    before: bool = False
    hit: int = 0
    tried: int = 0
    seconds: float = 0.0
    ended: bool = True


async def run(tools: Tools, endpoint: Endpoint, *, longest: float = LONGEST) -> Finding:
    """Provoke once, then watch."""
    dials, neutral = tools.dials, endpoint.neutral or tools.vantages.neutral
    known = await tools.lookups.of(endpoint.target.host) if not endpoint.target.is_literal else None
    address = next(iter((known.addresses if known else ()) or endpoint.addresses or (endpoint.target.host,)))
    tried: list[Tried] = []

    async def harmless() -> Attempt:
        attempt = await dials.named(endpoint, neutral, address)
        tried.append(Tried(Role.NEUTRAL_NAME, attempt))
        return attempt

    before = await harmless()
    if not before.ok:
        return found(
            NAME, endpoint.url, evidence_of(tools, endpoint, tried), Penalty(address=address),
            Line(mark("A harmless name does not work at {address} either: nothing can be told."), {"address": address}),
        )  # fmt: skip
    named = await dials.plain(endpoint, (address,))
    tried.append(Tried(Role.SYSTEM, named))
    provoked = anyio.current_time()
    hit = total = good = 0
    last = 0.0
    with anyio.move_on_after(longest):
        while good < _GOOD_ROUNDS:
            round_ = await _together(harmless)
            failed = sum(not attempt.ok for attempt in round_)
            total, hit = total + len(round_), hit + failed
            if failed:
                last, good = anyio.current_time() - provoked, 0
            else:
                good += 1
            await anyio.sleep(_EVERY)
    # What was punished has been seen; whether the name itself is blocked is told by the pair before.
    evidence = evidence_of(
        tools, endpoint, [Tried(Role.NEUTRAL_NAME, before), Tried(Role.SYSTEM, named)], trusted=(address,)
    )
    keys = Penalty(
        address=address, before=True, hit=hit, tried=total, seconds=round(last, 1), ended=good >= _GOOD_ROUNDS
    )
    return found(NAME, endpoint.url, evidence, keys, _said(endpoint, named, keys))


async def _together(harmless: Callable[[], Awaitable[Attempt]]) -> list[Attempt]:
    found_: list[Attempt] = []

    async def one() -> None:
        found_.append(await harmless())

    async with anyio.create_task_group() as group:
        for _ in range(_SIDE_BY_SIDE):
            group.start_soon(one)
    return found_


def _said(endpoint: Endpoint, named: Attempt, keys: Penalty) -> Line:
    name = endpoint.target.host
    if named.ok:
        return Line(mark("{name} works here, so there is no penalty to time."), {"name": name})
    if not keys.hit:
        return Line(
            mark("{name} is stopped, and harmless names at its address go on at once: no penalty."), {"name": name}
        )
    share = round(100 * keys.hit / max(keys.tried, 1))
    if not keys.ended:
        return Line(
            mark("After {name}, its address stayed dead for harmless names for more than {seconds} s."),
            {"name": name, "seconds": round(keys.seconds)},
        )
    return Line(
        mark("After {name}, harmless names at its address failed for {seconds} s ({share}% of the attempts)."),
        {"name": name, "seconds": round(keys.seconds), "share": share},
    )

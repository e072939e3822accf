"""Going each way once: what ``rozaneh ways test`` does."""

from collections.abc import Callable, Sequence

import msgspec

from rozaneh.core import Op, SpecError, Target
from rozaneh.dialers import build
from rozaneh.gateway.stored import Stored
from rozaneh.net import measure
from rozaneh.net.exchange import http_get, https_get
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Said, Words, later, text_of

ENOUGH = 32 * 1024
"""Bytes that must have come before a way counts as alive: a handshake or one small answer says too little."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How a way went. The keys of ``--json`` are these.

    Attributes:
        name: which way.
        ok: whether the page was answered through it.
        alive: whether enough bytes came to call it alive.
        received: bytes of the page.
        seconds: until it was over.
        failure: how it failed, or empty.
        detail: one line about that, or why it was not tried.
    """

    name: str
    ok: bool
    alive: bool = False
    received: int = 0
    seconds: float = 0.0
    failure: str = ""
    detail: str = ""

    def sentence(self, tongue: Words) -> str:
        """The same for a person."""
        if not self.ok:
            why = Said(" ".join(filter(None, (self.failure, tongue.again(self.detail)))))
            return tongue.say("{name}: does not work ({why}).", name=self.name, why=why)
        if self.alive:
            return tongue.say(
                "{name}: works, {kilobytes:.0f} kB in {seconds:.1f} s.",
                name=self.name,
                kilobytes=self.received / 1000,
                seconds=self.seconds,
            )
        return tongue.say(
            "{name}: answers, but {bytes} bytes are too few to call it alive.", name=self.name, bytes=self.received
        )


async def try_all(ways: Sequence[Stored], target: Target, tell: Callable[[Tried], None]) -> list[Tried]:
    """Ask for a page through each way, one after another.

    Args:
        ways: which.
        target: the page.
        tell: told of each as soon as it is known.
    """
    results = []
    network, trust = RealNetwork(), Trust.system()
    for each in ways:
        results.append(await _try(each, target, network, trust))
        tell(results[-1])
    return results


async def _try(stored: Stored, target: Target, network: RealNetwork, trust: Trust) -> Tried:
    if not stored.way.way:
        return Tried(name=stored.name, ok=False, detail=later("only a program of its own can go this way"))
    try:
        dialer = build(stored.way.way, network, trust=trust)
    except SpecError as error:
        return Tried(name=stored.name, ok=False, detail=text_of(error))
    exchange = https_get(target, trust) if target.speaks == "https" else http_get(target)
    measured = await measure(dialer, target, exchange=exchange)
    await measured.aclose()
    attempt = measured.attempt
    received = sum(step.received for step in attempt.observations if step.op in (Op.FIRST_BYTE, Op.THROUGHPUT))
    return Tried(
        name=stored.name,
        ok=attempt.ok,
        alive=attempt.ok and received >= ENOUGH,
        received=received,
        seconds=round(attempt.took, 3),
        failure=str(attempt.failure or ""),
        detail="" if attempt.ok else measured.detail,
    )

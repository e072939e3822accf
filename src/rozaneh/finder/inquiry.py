"""A question of the finder's own, where a client's bytes leave a doubt that only a handshake of its own settles.

What passes through is encrypted from end to end. So three things stay hidden from whoever passes it on: who signed a
certificate, a page that turns visitors away for where they come from, and whether silence is a censor's or that of a
server that thinks. An inquiry is one handshake and one request, checked as a browser would: by the way in doubt and, if
that confirms the doubt, by what the finder takes instead, until something brings a page. It is made only after a client
of this device has met the trouble, seldom for one destination, and within the budget of the network.
"""

from dataclasses import dataclass, field

import msgspec

from rozaneh.core import Attempt, Spec, Target
from rozaneh.diagnosis.suspicion import suspect
from rozaneh.finder.dialer import SPEC, FoundStream
from rozaneh.finder.finder import Finder
from rozaneh.finder.race import Connection
from rozaneh.finder.search import REFUSES
from rozaneh.net import ByteStream, Deadlines, Dialer, Trace, measure
from rozaneh.net.exchange import https_get

__all__ = ["inquire"]

_DEADLINES = Deadlines(resolve=2.5, connect=2.5, proxy=4.0, tls_handshake=4.0, first_byte=3.0, throughput=5.0)
"""Short ones: a client is waiting, and has been for three seconds where silence is what is asked about."""
_ROUNDS = 3
_ENOUGH_BODY = 4096
_LIKELY = 0.5


async def inquire(finder: Finder, target: Target, made: Connection, doubt: str) -> bool:
    """Ask a target what its client cannot tell.

    Args:
        finder: learns from the answers.
        target: what is asked; it speaks TLS.
        made: the connection on which the doubt arose.
        doubt: what the client's bytes suggest.

    Returns:
        Whether the way in doubt is at fault and another one brings the page.
    """
    asked: list[Attempt] = []
    try:
        return await _inquire(finder, target, made, doubt, asked)
    finally:
        finder.inquired(asked)


async def _inquire(finder: Finder, target: Target, made: Connection, doubt: str, asked: list[Attempt]) -> bool:
    suspected = _suspected(await _ask(finder, made.way.target(target), finder.dialer_of(made.way), asked))
    if not suspected:
        finder.relieve(target, made.way)
        return False
    refuses = suspected.get(REFUSES, 0.0) > _LIKELY
    if doubt == REFUSES and not refuses:
        return False
    obstacle = REFUSES if refuses else doubt
    finder.mistrust(target, made.way, obstacle)
    for _ in range(_ROUNDS):
        found = _Remembering(finder)
        suspected = _suspected(await _ask(finder, target, found, asked))
        other = found.stream.connection if found.stream is not None else None
        if other is None:
            break
        if not suspected:
            return True
        finder.mistrust(target, other.way, obstacle)
    if obstacle == REFUSES:
        # A page that turns visitors away is better than none.
        finder.relieve(target, made.way)
    return False


async def _ask(finder: Finder, target: Target, dialer: Dialer, asked: list[Attempt]) -> Attempt:
    page = msgspec.structs.replace(target, speaks="https", path="/")
    exchange = https_get(page, finder.trust, most_body=_ENOUGH_BODY)
    async with await measure(dialer, page, exchange=exchange, report=asked.append, deadlines=_DEADLINES) as measured:
        return measured.attempt


def _suspected(attempt: Attempt) -> dict[str, float]:
    """What an attempt suggests; empty for a page that came and turned nobody away."""
    found = {str(name): weight for name, weight in suspect(attempt)}
    return found or ({} if attempt.ok else {"unknown": 1.0})


@dataclass
class _Remembering:
    """Dials by what the finder finds, and remembers what that was."""

    finder: Finder
    stream: FoundStream | None = None
    spec: Spec = field(default=SPEC, init=False)

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        self.stream = FoundStream(self.finder, target, trace)
        return self.stream

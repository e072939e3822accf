"""How many bytes may go out and come in that no user asked for. Pure.

Every unproven dial shows the network that somebody is looking for a way, and costs bytes that people pay for. So in an
hour a network is asked only so much; what is known to work there is dialled as often as people want. Everything that is
not a user's own request counts: ways that were tried and lost, lookups and the handshakes with resolvers, canaries, and
questions of our own. What counts is what was on the wire, as far as the record of an attempt tells it: headers and
repeated packets included, and rather too much than too little.
"""

import math
from collections.abc import Iterable

from rozaneh.core import Failure, Observation, Op

__all__ = ["FIRST_LOOKUP", "LOOKUP", "TRIAL", "Budget", "cost"]

_AN_HOUR = 3600.0

TRIAL = 4000
"""Bytes that are set aside for a dial until it is known what it has cost."""
LOOKUP = 2500
"""The same for a question to a resolver to which a connection is open."""
FIRST_LOOKUP = 8000
"""The same where that has to be made first."""

_OPENED = 420
"""Bytes of a connection that is opened and closed: seven packets with nothing in them."""
_SYN = 80
_PIECE = 1400
_HEADERS = 72
"""Bytes of headers of IPv6 and TCP; each packet with something in it is acknowledged by one with nothing."""
_HANDSHAKE = 5500
"""Bytes of a whole handshake in TLS: what it consists of is mostly the certificates of the server."""
_HELLO = 700
_FIRST_REPEAT = 0.2
"""Seconds after which Linux repeats what is not acknowledged; each time it waits twice as long."""
_MOST_REPEATS = 6
_UNHEARD = {Failure.GENERIC_TIMEOUT_ERROR, Failure.INTERRUPTED}


class Budget:
    """A bucket of bytes that fills again. Times are seconds of a monotonic clock.

    Args:
        most: bytes in any hour: half of them at once, and the other half as the hour goes by. Measured by
            ``python -m benchmarks exploration``.
    """

    def __init__(self, most: int = 180_000) -> None:
        self._most = most / 2
        self._left = self._most
        self._at: float | None = None

    def left(self, now: float) -> float:
        """Bytes that may be spent now; below zero where more was spent than there was."""
        passed = max(now - self._at, 0.0) if self._at is not None else 0.0
        self._left = min(self._most, self._left + passed * self._most / _AN_HOUR)
        self._at = now
        return self._left

    def plenty(self, now: float) -> bool:
        """Whether more than half of what may be spent at once is there."""
        return self.left(now) > self._most / 2

    def spend(self, now: float, count: float) -> None:
        """Bytes were spent; with a number below zero, fewer than had been set aside."""
        self._left = self.left(now) - count


def cost(steps: Iterable[Observation]) -> int:
    """Bytes on the wire that these steps were, both ways together."""
    return round(sum(map(_cost, steps)))


def _cost(step: Observation) -> float:
    unheard = step.failure in _UNHEARD and not step.received
    if step.op is Op.CONNECT:
        # A repeated SYN leaves after 1, 3 and 7 seconds.
        return _SYN * (1 + int(math.log2(step.took + 1.0))) if unheard else _OPENED
    said, heard = float(step.sent), float(step.received)
    if step.op is Op.TLS and not said:  # a handshake of our own, of which nobody counts the bytes
        said, heard = (_HELLO, 0.0) if unheard else (_HELLO, _HANDSHAKE - _HELLO)
    times = 1 + min(int(math.log2(step.took / _FIRST_REPEAT + 1.0)), _MOST_REPEATS) if unheard else 1
    return _packed(said) * times + _packed(heard)


def _packed(count: float) -> float:
    return count + 2 * _HEADERS * math.ceil(count / _PIECE)

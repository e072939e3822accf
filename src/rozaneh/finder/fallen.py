"""Which of the user's servers could not be reached lately: the others are tried before them. Pure.

How often a server worked on this network says which one to begin with, and not which one is there at the moment: what
served for weeks and was blocked an hour ago would be tried first for every new destination, and where as many have died
as are tried for one connection, the one that lives would never be. A server that fell waits its turn, longer each
time; it is never given up. In RAM alone. Times are seconds of a monotonic clock and are passed in.
"""

import math
from collections.abc import Collection, Iterable

from rozaneh.core import Attempt, Failure, Op

__all__ = ["Fallen", "unreached"]

_WAITS = 60.0
_WAITS_LONGEST = 600.0
_BY_RANK = 4
"""Of so many of the user's servers one is chosen by its rank alone."""
_BEFORE_THE_TARGET = (Op.RESOLVE, Op.CONNECT, Op.TLS, Op.QUIC)
"""Steps between this device and the server, where they are part of another. Those that stand alone are the target's."""


class Fallen:
    """The servers that fell in this session and have not answered since."""

    def __init__(self) -> None:
        self._fell: dict[str, tuple[float, float]] = {}

    def fell(self, key: str, now: float) -> None:
        """A server could not be reached. One that falls again after its turn waits twice as long for the next."""
        at, waits = self._fell.get(key, (-math.inf, _WAITS / 2))
        longer = min(2 * waits, _WAITS_LONGEST) if now >= at + waits else waits
        self._fell[key] = now, longer

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all servers but these."""
        self._fell = {key: self._fell[key] for key in keys if key in self._fell}

    def stands(self, key: str) -> None:
        """It answered."""
        self._fell.pop(key, None)

    def turn(self, key: str, tried: Collection[str], now: float) -> float:
        """When a server fell, where it waits behind the others; else minus infinity.

        Many may have their turn again at the same time, so one of them is tried, and where it falls the others wait
        as before. And many may never have lived: after each three of them comes the best one, whatever fell.

        Args:
            key: of the server.
            tried: those that were tried for the same connection.
            now: the time.
        """
        if len(tried) % _BY_RANK == _BY_RANK - 1:
            return -math.inf
        again = any(each in self._fell for each in tried)
        return self._fell.get(key, (-math.inf, 0.0))[0] if again else self.since(key, now)

    def since(self, key: str, now: float) -> float:
        """When it fell, so that those who wait for longest come first; minus infinity where it does not wait."""
        at, waits = self._fell.get(key, (-math.inf, 0.0))
        return at if now < at + waits else -math.inf


def unreached(attempt: Attempt) -> bool:
    """Whether a failed attempt through a server ended before that had anything to do with the target."""
    failed = attempt.last_failed()
    if failed is None or failed.op not in _BEFORE_THE_TARGET:
        return False
    # Of what goes on behind a server (a handshake, or all of it in a tunnel) one thing alone says something of the
    # server: that not even a resolver answers there.
    behind = failed.parent is None
    return not behind or (failed.op is Op.RESOLVE and failed.failure is Failure.GENERIC_TIMEOUT_ERROR)

"""Which of the user's servers could not be reached lately: the others are tried before them. Pure.

How often a server worked on this network says which one to begin with, and not which one is there at the moment: what
served for weeks and was blocked an hour ago would be tried first for every new destination, and where as many have died
as are tried for one connection, the one that lives would never be. A server that fell waits its turn, longer each
time; it is never given up. In RAM alone. Times are seconds of a monotonic clock and are passed in.
"""

import math

from rozaneh.core import Attempt, Op

__all__ = ["Fallen", "unreached"]

_WAITS = 60.0
_WAITS_LONGEST = 600.0
_BEFORE_THE_TARGET = (Op.RESOLVE, Op.CONNECT, Op.TLS, Op.QUIC)
"""Steps between this device and the server. At those after them the target may be at fault as well."""


class Fallen:
    """The servers that fell in this session and have not answered since."""

    def __init__(self) -> None:
        self._fell: dict[str, tuple[float, float]] = {}

    def fell(self, key: str, now: float) -> None:
        """A server could not be reached. One that falls again after its turn waits twice as long for the next."""
        at, waits = self._fell.get(key, (-math.inf, _WAITS / 2))
        longer = min(2 * waits, _WAITS_LONGEST) if now >= at + waits else waits
        self._fell[key] = now, longer

    def stands(self, key: str) -> None:
        """It answered."""
        self._fell.pop(key, None)

    def since(self, key: str, now: float) -> float:
        """When it fell, so that those who wait for longest come first; minus infinity where it does not wait."""
        at, waits = self._fell.get(key, (-math.inf, 0.0))
        return at if now < at + waits else -math.inf


def unreached(attempt: Attempt) -> bool:
    """Whether a failed attempt through a server ended before that had anything to do with the target."""
    failed = attempt.last_failed()
    return failed is not None and failed.op in _BEFORE_THE_TARGET

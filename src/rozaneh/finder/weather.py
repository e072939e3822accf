"""Is anything abroad reachable at all? Judged from the user's own connections; nothing is ever sent to find out.

During a cut every search would try every way and fail at each after seconds. When the foreign servers that ways
depend on (resolvers, upstreams) do not answer, and nothing that was dialled through them has worked since, only one
search in a while goes out to see whether that is over. Times are seconds of a monotonic clock, passed in.
"""

import math

_RECENT = 60.0
_ENOUGH_PEERS = 2
_LOOK_AGAIN = 20.0


class Weather:
    """What the last minute showed of the world outside."""

    def __init__(self) -> None:
        self._silent: dict[str, float] = {}
        self._direct = -math.inf
        self._looked = -math.inf

    def foreign_silent(self, peer: str, now: float) -> None:
        """A foreign server that a way depends on could not be reached at all."""
        self._silent[peer] = now

    def foreign_answered(self) -> None:
        """One of them answered, or a destination was reached through it."""
        self._silent.clear()

    def direct_worked(self, now: float) -> None:
        """Some destination was reached without any way."""
        self._direct = now

    def outage(self, now: float) -> str:
        """``whole_outage``, ``domestic_only`` or empty."""
        self._silent = {peer: at for peer, at in self._silent.items() if now - at < _RECENT}
        if len(self._silent) < _ENOUGH_PEERS:
            return ""
        return "domestic_only" if now - self._direct < _RECENT else "whole_outage"

    def may_look(self, now: float) -> bool:
        """Whether a search may go out during an outage; true once in a while."""
        if now - self._looked < _LOOK_AGAIN:
            return False
        self._looked = now
        return True

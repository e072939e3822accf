"""Is anything abroad reachable at all? Judged from the user's own connections and, where those hang, from canaries.

During a cut every search would try every way and fail at each after seconds. When the foreign servers that ways depend
on (resolvers, upstreams) do not answer, and nothing that was dialled through them has worked since, nobody is made to
wait: only one search in a while goes out to see whether that is over. Times are seconds of a monotonic clock and are
passed in.
"""

import math
import statistics
from collections import deque

__all__ = ["Weather"]

_RECENT = 60.0
_ENOUGH_PEERS = 2
_LOOK_AGAIN = 10.0
_LOOK_AGAIN_DURING_A_CUT = 30.0
"""Programs ask on and on during a cut: four canaries every ten seconds would be 230 kB in an hour."""
_PACES = 8
_ENOUGH_PACES = 2
_PATIENT = 3.0
_MOST_PATIENT = 2.5
_TRUSTED = 600.0
"""Seconds for which an upstream that answered must itself have fallen silent before anything is called an outage."""


class Weather:
    """What the last minute showed of the world outside.

    Attributes:
        answers: how often something abroad has answered.
        patience: seconds that a step may well take on this network, as the last that went directly show; 0 before.
    """

    def __init__(self) -> None:
        self.answers = 0
        self._silent: dict[str, float] = {}
        self._upstreams: dict[str, float] = {}
        self.patience = 0.0
        self._paces: deque[float] = deque(maxlen=_PACES)
        self._answered = self._near = -math.inf
        self._looked = -math.inf

    def foreign_silent(self, peer: str, now: float, *, asked: float) -> None:
        """A foreign server that a way depends on could not be reached at all.

        Args:
            peer: which.
            now: when that was clear.
            asked: since when it was tried. What anybody has answered since then says more: a cut may have ended.
        """
        if asked >= self._answered:
            self._silent[peer] = now

    def foreign_answered(self, now: float) -> None:
        """One of them answered, or a destination was reached through it."""
        self.answers += 1
        self._answered = now
        self._silent.clear()

    def upstream_answered(self, key: str, now: float) -> None:
        """A server of the user's led somewhere. Some cuts leave networks out, and it may be in one of those.

        So the silence of others is not forgotten for it: when it falls silent as well, that is known at once.
        """
        self._upstreams[key] = now
        self.answers += 1
        self._silent.pop(key, None)

    def went_directly(self, pace: float) -> None:
        """A destination was reached without any way, and the slowest of its steps took so many seconds."""
        self._paces.append(pace)
        if len(self._paces) >= _ENOUGH_PACES:
            self.patience = min(_PATIENT * statistics.median(self._paces), _MOST_PATIENT)

    def near_answered(self, now: float) -> None:
        """Somebody answered who may well be near: a destination without any way, or the network's own resolver."""
        self._near = now

    def outage(self, now: float) -> str:
        """``whole_outage``, ``domestic_only`` or empty."""
        self._silent = {peer: at for peer, at in self._silent.items() if now - at < _RECENT}
        alive = {key for key, at in self._upstreams.items() if now - at < _TRUSTED}
        if len(self._silent) < _ENOUGH_PEERS or alive - self._silent.keys():
            return ""
        return "domestic_only" if now - self._near < _RECENT else "whole_outage"

    def abroad_was_silent(self, now: float) -> bool:
        """Whether so many were silent within the last minute that it takes no canaries to know of a cut."""
        return sum(now - at < _RECENT for at in self._silent.values()) >= _ENOUGH_PEERS

    def may_look(self, now: float) -> bool:
        """Whether somebody may send canaries, or search during an outage; true once in a while."""
        if now - self._looked < (_LOOK_AGAIN_DURING_A_CUT if self.outage(now) else _LOOK_AGAIN):
            return False
        self._looked = now
        return True

    def may_be_over(self) -> None:
        """A cut has ended as far as anybody knows: the silence of before says nothing any more."""
        self._silent.clear()
        self._looked = -math.inf

    def looked_in_vain(self) -> None:
        """Whoever went to look was called back: somebody else may."""
        self._looked = -math.inf

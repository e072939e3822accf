"""The connections that are open, looked at while their bytes move, so that the next one need not meet what they met."""

from collections import deque
from dataclasses import dataclass, field

import anyio

from rozaneh.core import Target
from rozaneh.finder import Connection, Finder
from rozaneh.finder.liveness import Pulse, asks_anew
from rozaneh.net.splice import Flow

__all__ = ["Lives"]

_LOOK = 1.0
_MOST_LOOKED_AT = 512
_JUST_NOW = 3.0


@dataclass(slots=True, eq=False)
class _Life:
    target: Target
    made: Connection
    flow: Flow
    pulse: Pulse
    doubted: bool = False
    ended: float = 0.0


@dataclass(slots=True)
class Lives:
    """All connections of a gateway while bytes move on them.

    Attributes:
        finder: is told of those that stall or crawl.
    """

    finder: Finder
    _open: dict[Flow, _Life] = field(default_factory=dict)
    _ended: deque[_Life] = field(default_factory=lambda: deque(maxlen=64))

    def begin(self, target: Target, made: Connection) -> Flow:
        """A connection has been made; the flow in which the pump is to count."""
        flow = Flow(began=anyio.current_time())
        self._open[flow] = _Life(target, made, flow, Pulse(flow))
        return flow

    def end(self, flow: Flow) -> None:
        """It has ended."""
        life = self._open.pop(flow, None)
        if life is not None:
            life.ended = anyio.current_time()
            self._ended.append(life)

    def asked(self, target: Target) -> None:
        """A client asks for a connection: are there others to the same target that have stopped?"""
        now = anyio.current_time()
        place = (target.host, target.port)
        lately = [life for life in self._ended if now - life.ended < _JUST_NOW]
        for life in (*lately, *self._open.values()):
            if (life.target.host, life.target.port) == place and life.flow.half_closed:
                self.finder.disbelieved(life.target, life.made, life.flow, now)
            if (
                not life.doubted
                and (life.target.host, life.target.port) == place
                and (doubt := asks_anew(life.flow, now))
            ):
                life.doubted = True
                self.finder.doubt(life.target, life.made, doubt, now)

    async def watch(self) -> None:
        """Look at all of them once in a while, until cancelled. Where there are very many, at the latest."""
        while True:
            await anyio.sleep(_LOOK)
            now = anyio.current_time()
            for life in list(self._open.values())[-_MOST_LOOKED_AT:]:
                if not life.doubted and (doubt := life.pulse.judge(now)):
                    life.doubted = True
                    self.finder.doubt(life.target, life.made, doubt, now)

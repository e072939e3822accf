"""What the gateway has done so far, as one value: for a status page, for ``rozaneh why``, for whoever asks.

:class:`State` listens to the gateway's events and can be asked at any moment; it is in RAM alone, it names no host, and
it grows only with the number of ways and obstacles.
"""

import statistics
from collections import deque
from datetime import datetime

import msgspec

from rozaneh.gateway.events import Closed, Event, Opened, Refused
from rozaneh.net.clock import Clock, SystemClock

__all__ = ["Snapshot", "State", "WayInUse"]

_SAMPLES = 64
_MOST_KINDS = 256
_MINUTE = 60.0


class WayInUse(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the connections by one way against one obstacle.

    Attributes:
        way: how, as redacted text; empty for connections that were refused.
        obstacle: what is in the way of the direct connection; empty where nothing is.
        connections: how many.
        typical_seconds: median of the last times until the first byte, or until the refusal.
        since: when the first was made.
        last: when the last was.
        down: bytes that came by it, on connections that have ended.
        up: bytes that went.
    """

    way: str
    obstacle: str
    connections: int
    typical_seconds: float
    since: datetime
    last: datetime
    down: int = 0
    up: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The whole state at one moment.

    Attributes:
        started: when the gateway began.
        now: the moment.
        open: connections that are open.
        ways: what was used, the latest first.
        outage: ``whole_outage``, ``domestic_only`` or empty.
        down_last_minute: bytes of connections that ended within the last minute.
        up_last_minute: the same, sent.
    """

    started: datetime
    now: datetime
    open: int
    ways: tuple[WayInUse, ...]
    outage: str = ""
    down_last_minute: int = 0
    up_last_minute: int = 0


class _Kind:
    def __init__(self, now: datetime) -> None:
        self.since = self.last = now
        self.count = self.up = self.down = 0
        self.seconds: deque[float] = deque(maxlen=_SAMPLES)


class State:
    """Collects what the gateway tells.

    Args:
        clock: the time of day.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._started = self._clock.now()
        self._open = 0
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._moved: deque[tuple[datetime, int, int]] = deque(maxlen=1024)

    def note(self, event: Event) -> None:
        """Take note of an event."""
        now = self._clock.now()
        if isinstance(event, Closed):
            self._open = max(0, self._open - 1)
            self._moved.append((now, event.up, event.down))
            for (way, _), kind in self._kinds.items():
                if way == event.way and kind.count:
                    kind.up += event.up
                    kind.down += event.down
                    return
            return
        self._open += isinstance(event, Opened)
        way = "" if isinstance(event, Refused) else event.way
        used = self._kinds.get((way, event.obstacle))
        if used is None:
            if len(self._kinds) >= _MOST_KINDS:
                del self._kinds[min(self._kinds, key=lambda key: self._kinds[key].last)]
            used = self._kinds[way, event.obstacle] = _Kind(now)
        used.count += 1
        used.last = now
        used.seconds.append(event.seconds)

    def forget(self) -> None:
        """Forget what was used; what is open is still counted."""
        self._kinds.clear()
        self._moved.clear()

    def snapshot(self, outage: str = "") -> Snapshot:
        """What it is now.

        Args:
            outage: as the finder says.
        """
        now = self._clock.now()
        recent = [(up, down) for at, up, down in self._moved if abs((now - at).total_seconds()) < _MINUTE]
        ways = [
            WayInUse(
                way=way,
                obstacle=obstacle,
                connections=kind.count,
                typical_seconds=round(statistics.median(kind.seconds), 3),
                since=kind.since,
                last=kind.last,
                down=kind.down,
                up=kind.up,
            )
            for (way, obstacle), kind in self._kinds.items()
        ]
        return Snapshot(
            started=self._started,
            now=now,
            open=self._open,
            ways=tuple(sorted(ways, key=lambda each: each.last, reverse=True)),
            outage=outage,
            up_last_minute=sum(up for up, _ in recent),
            down_last_minute=sum(down for _, down in recent),
        )

"""Whether this process got to run at all: what timed out while it did not is evidence of nothing.

A deadline is a promise that the other side had so long to answer. On a phone that is short of CPU, or with too much
under way at once, answers lie unread in the kernel while the deadline passes, and the network looks dead. So a clock
ticks beside the attempts of a run; where it ticked late, timeouts do not count.
"""

from collections import deque
from dataclasses import dataclass, field

import anyio

_BEAT = 0.05
_REMEMBERED = 400
_LOST_SECONDS = 0.4
_LOST_SHARE = 0.2


@dataclass
class Pulse:
    """Notes when it beat late, and by how much."""

    _late: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            due = anyio.current_time() + _BEAT
            await anyio.sleep(_BEAT)
            self.beat(due, anyio.current_time())

    def beat(self, due: float, came: float) -> None:
        """Take note of a beat that was due at one time and came at another."""
        if came - due > _BEAT / 2:
            self._late.append((came, came - due))

    def starved(self, since: float, until: float, *, least: float = _LOST_SECONDS) -> bool:
        """Whether so much of a time was lost that a silence in it may be our own.

        Args:
            since: its begin.
            until: its end.
            least: seconds that must have been lost; fewer matter where a rate is measured.
        """
        lost = sum(late for came, late in self._late if came > since)
        return lost > least and lost > _LOST_SHARE * (until - since)

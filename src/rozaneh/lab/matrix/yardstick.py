"""How long a thing takes in the lab just now, so that silence is not mistaken.

Silence is told by a deadline, and on a busy machine everything is late: what would have been answered looks silent. So
while cells are asked, something that nobody censors is asked again and again. Only where that was answered well within
a deadline has the deadline proved anything.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import NoReturn

import anyio

_PAUSE = 0.25
_KEPT = 4096
_WELL_WITHIN = 0.5


class Yardstick:
    """One free dial after another.

    Args:
        dial: dials once where nobody censors.
    """

    def __init__(self, dial: Callable[[], Awaitable[object]]) -> None:
        self._dial = dial
        self._took: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._began: float | None = None

    async def run(self) -> NoReturn:
        """Dial until cancelled."""
        while True:
            self._began = anyio.current_time()
            await self._dial()
            now = anyio.current_time()
            self._took.append((now, now - self._began))
            self._began = None
            await anyio.sleep(_PAUSE)

    def slowest(self, since: float) -> float:
        """Seconds of the slowest dial of which a part lies after a moment, one that still runs included."""
        running = anyio.current_time() - self._began if self._began is not None else 0.0
        return max([running, *(took for ended, took in self._took if ended >= since)])

    def proves(self, deadline: float, since: float) -> bool:
        """Whether the lab was quick enough since a moment that waiting for so many seconds proves silence."""
        return self.slowest(since) <= deadline * _WELL_WITHIN

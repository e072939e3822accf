"""Whether this process ran all the time: what timed out while it did not is evidence of nothing.

A laptop is closed, a phone stops a program, a machine is short of CPU for seconds: afterwards every deadline has passed
at once and every transfer has stood still, and all of that looks like a censor. So a beat is taken beside everything
else. Where it comes late, or the machine's clock that goes on in suspension has gone further than the one that stops,
what ended since teaches nothing, and what was believed of the line is looked at anew.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Awake"]

_LATE = 2.0


def _with_suspension() -> float:
    """Seconds on the clock that goes on while the machine is suspended, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(slots=True)
class Awake:
    """One for each finder. Times are seconds of the event loop's clock and are passed in.

    Attributes:
        total: a clock that does not stop in suspension.
    """

    total: Callable[[], float] = _with_suspension
    _last: float | None = None
    _last_total: float = 0.0
    _woke: float | None = None

    def beat(self, now: float) -> bool:
        """Take a beat; at most every second. Whether it shows that the process stood still since the last one."""
        stood_still = self._stands_still(now)
        if stood_still:
            self._woke = now
        self._last, self._last_total = now, self.total()
        return stood_still

    def rest(self) -> None:
        """No more beats come for now, and that means nothing."""
        self._last = None

    def slept(self, since: float, now: float) -> bool:
        """Whether the process stood still at some time after a moment, also where no beat has shown it yet."""
        return (self._woke is not None and self._woke >= since) or self._stands_still(now)

    def _stands_still(self, now: float) -> bool:
        last = self._last
        return last is not None and max(now - last, self.total() - self._last_total) > _LATE

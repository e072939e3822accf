"""The time of day where the user is: curfews follow it, and the lab turns it."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import anyio

from rozaneh.core import LocalFault
from rozaneh.words import later

LAB_CLOCK = "ROZANEH_LAB_CLOCK"
LAB_CLOCK_FILE = "ROZANEH_LAB_CLOCK_FILE"
_LONGEST = 200


def event_clock() -> Callable[[], float]:
    """The event loop's clock, for whoever reads it often: to find the loop takes longer than to ask it."""
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return anyio.current_time


class Clock(Protocol):
    """Something that knows the time of day."""

    def now(self) -> datetime:
        """The time, aware of the user's zone."""


@dataclass(frozen=True)
class SystemClock:
    """This machine's clock in this machine's zone.

    Attributes:
        offset_seconds: what to add to get the true time, where that is known.
    """

    offset_seconds: float = 0.0

    def now(self) -> datetime:
        """The corrected time."""
        now = datetime.now(UTC).astimezone()
        return now + timedelta(seconds=self.offset_seconds) if self.offset_seconds else now


@dataclass(frozen=True)
class RunningClock:
    """A clock that stood at some time when it was made and has run on since, whatever the system's clock does.

    Attributes:
        start: the time when it was made, aware of its zone.
        made: the monotonic time at that moment, in seconds.
    """

    start: datetime
    made: float

    def now(self) -> datetime:
        """The time it shows."""
        return self.start + timedelta(seconds=time.monotonic() - self.made)


@dataclass(slots=True)
class FollowingClock:
    """A clock that shows what another process turns it to: the lab, while a program runs in it.

    Attributes:
        path: a file with two words, the time that is shown (ISO 8601 with a zone) and the monotonic time, in seconds,
            at which it is shown. It is replaced whole whenever the clock is turned.
        clock: what it shows until the file says otherwise.
    """

    path: Path
    clock: RunningClock
    _changed: int = 0

    def now(self) -> datetime:
        """The time it shows."""
        try:
            changed = self.path.stat().st_mtime_ns
            if changed != self._changed:
                start, made = self.path.read_text(encoding="ascii")[:_LONGEST].split()
                self.clock, self._changed = RunningClock(_with_zone(start), float(made)), changed
        except (OSError, ValueError):
            pass  # the lab has gone, and the clock runs on
        return self.clock.now()


def clock_from_environment(environment: Mapping[str, str] | None = None) -> Clock:
    """The lab's clock when ``ROZANEH_LAB_CLOCK`` holds a time (ISO 8601 with a zone), else the system's.

    With ``ROZANEH_LAB_CLOCK_FILE`` it is turned with the lab's while a program runs.

    Raises:
        LocalFault: the variable holds something else.
    """
    environment = os.environ if environment is None else environment
    text = environment.get(LAB_CLOCK)
    if not text:
        return SystemClock()
    try:
        start = _with_zone(text)
    except ValueError:
        raise LocalFault(
            later(
                "{lab_clock} is {text!r}; expected a time with its zone, as in 2022-09-21T15:50:00+04:30",
                lab_clock=LAB_CLOCK,
                text=text[:60],
            )
        ) from None
    clock = RunningClock(start=start, made=time.monotonic())
    path = environment.get(LAB_CLOCK_FILE)
    return FollowingClock(Path(path), clock) if path else clock


def _with_zone(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(text)
    return read

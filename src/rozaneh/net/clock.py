"""The time of day where the user is: curfews follow it, and the lab turns it."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import anyio

from rozaneh.core import LocalFault

LAB_CLOCK = "ROZANEH_LAB_CLOCK"


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


def clock_from_environment(environment: Mapping[str, str] | None = None) -> Clock:
    """The lab's clock when ``ROZANEH_LAB_CLOCK`` holds a time (ISO 8601 with a zone), else the system's.

    Raises:
        LocalFault: the variable holds something else.
    """
    text = (os.environ if environment is None else environment).get(LAB_CLOCK)
    if not text:
        return SystemClock()
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise LocalFault(
            f"{LAB_CLOCK} is {text[:60]!r}; expected a time with its zone, as in 2022-09-21T15:50:00+04:30"
        )
    return RunningClock(start=start, made=time.monotonic())

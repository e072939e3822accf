"""Curfew mode: what is done before, during and after an hour in which the line is usually cut.

Before it: the user's servers are gone once each, so that those which answer are known, and the list of what is to be
kept is fetched. During it nothing more is fetched. After it, what could not be had before is tried again. Whether the
line is open or cut is remembered on the way, as far as the user's own connections show it; nothing is asked for that.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import anyio

from rozaneh.core import LocalFault
from rozaneh.finder import Finder
from rozaneh.finder.curfew import Curfew, Hour
from rozaneh.gateway.events import Prepared
from rozaneh.gateway.keeping import Keeper, Kept
from rozaneh.gateway.switch import Switch
from rozaneh.gateway.watched import read_watched
from rozaneh.net.clock import Clock

__all__ = ["CurfewMode"]

_EVERY = 20.0
_NAPS = 10
_LEAP = timedelta(seconds=30)
_BEFORE = timedelta(minutes=30)


@dataclass
class CurfewMode:
    """One gateway's.

    Attributes:
        finder: knows what is usual.
        clock: the time of day.
        tell: told of what was done.
        warn: told, in one line, of what is wrong on this side.
        keeper: fetches what is to be kept; none for nothing.
        watched: the file of ``rozaneh watch``; none without.
        prepared: what was done for the cut that is coming or on.
        switch: while it is off nothing is done.
    """

    finder: Finder
    clock: Clock
    tell: Callable[[Prepared], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None
    keeper: Keeper | None = None
    watched: Path | None = None
    prepared: Prepared | None = None
    switch: Switch = field(default_factory=Switch)
    _hours: list[Hour] = field(default_factory=list)
    _read: float = 0.0
    _for: datetime | None = None
    _ends: datetime | None = None
    _on: bool = False
    _missed: list[str] = field(default_factory=list)

    async def watch(self) -> None:
        """Look once in a while, until cancelled."""
        while True:
            self.finder.look_at_line()
            if not self.switch.paused:
                with self.switch.door():
                    await self.step()
            await self._rest()

    async def _rest(self) -> None:
        """Wait; less long where the time of day goes on by leaps, as after a sleep of the machine or when it is set."""
        seen, running = self.clock.now(), anyio.current_time()
        for _ in range(_NAPS):
            await anyio.sleep(_EVERY / _NAPS)
            passed = timedelta(seconds=anyio.current_time() - running)
            if abs(self.clock.now() - seen - passed) > _LEAP:
                return

    def forget(self) -> None:
        """Forget what was seen and done; nothing is watched or kept any more."""
        self.keeper = self.watched = self.prepared = self._ends = None
        self._on = False
        self._hours, self._missed = [], []

    def expected(self) -> Curfew | None:
        """The usual cut that is on or comes next."""
        return self.finder.curfew(self._hours)

    async def step(self) -> None:
        """Do what is to be done now."""
        self._look_at_file()
        now, curfew = self.clock.now(), self.expected()
        was_on, self._on = self._on, curfew is not None and curfew.start <= now
        if was_on and not self._on:
            self.finder.line_is_back()
        if self._ends is not None and now >= self._ends and not self.finder.outage():
            await self._again()
            self._ends = None
        if curfew is None or curfew.start == self._for or not timedelta(0) < curfew.start - now <= _BEFORE:
            return
        answered, gone = await self.finder.warm()
        await self._keep(curfew, answered, gone, None)
        self._for, self._ends = curfew.start, curfew.end  # where it was broken off it is done once more

    async def _again(self) -> None:
        """The cut is over: fetch what could not be had before it."""
        if self._missed and self.prepared is not None:
            before = self.prepared
            await self._keep(
                Curfew(start=before.start, end=before.end, days=0, of=0), before.ways, before.of, self._missed
            )

    async def _keep(self, curfew: Curfew, answered: int, gone: int, urls: list[str] | None) -> None:
        kept: list[Kept] = []
        if self.keeper is not None:
            kept = await self.keeper.fetch(urls)
        self._missed = [each.url for each in kept if each.failed]
        for each in kept:
            if each.failed:
                self.warn(f"{each.url}: not kept: {each.failed}")
        self.prepared = Prepared(
            at=self.clock.now(),
            start=curfew.start,
            end=curfew.end,
            ways=answered,
            of=gone,
            kept=len(kept) - len(self._missed),
            size=sum(each.size for each in kept),
            missed=len(self._missed),
        )
        self.tell(self.prepared)

    def _look_at_file(self) -> None:
        if self.watched is None:
            return
        try:
            changed = self.watched.stat().st_mtime
            if changed != self._read:
                self._hours, self._read = read_watched(self.watched), changed
        except FileNotFoundError:
            return  # it has not begun yet
        except (OSError, LocalFault) as fault:
            self.warn(str(fault))
            self.watched = None

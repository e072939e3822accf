"""Curfew mode: what is done before, during and after an hour in which the line is usually cut.

Before it: the user's servers are gone once each, so that those which answer are known, and the list of what is to be
kept is fetched. During it nothing more is fetched. After it, what could not be had before is tried again. Whether the
line is open or cut is remembered on the way, as far as the user's own connections show it; nothing is asked for that.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import anyio

from rozaneh.core import LocalFault
from rozaneh.finder import Finder
from rozaneh.finder.curfew import Curfew, Hour
from rozaneh.gateway.events import Fetched, Prepared
from rozaneh.gateway.keeping import Keeper, Kept, checked
from rozaneh.gateway.switch import Switch
from rozaneh.gateway.watched import read_watched
from rozaneh.net.clock import Clock
from rozaneh.words import later, text_of

__all__ = ["CurfewMode"]

_EVERY = 20.0
_NAPS = 10
_LEAP = timedelta(seconds=30)
_SELDOM = timedelta(minutes=10)
"""How often what is held is asked for while the line is cut at an hour at which it is usually not."""
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
        held: what was marked and is fetched as soon as the line abroad is there and no cut is usual.
    """

    finder: Finder
    clock: Clock
    tell: Callable[[Prepared | Fetched], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None
    keeper: Keeper | None = None
    watched: Path | None = None
    prepared: Prepared | None = None
    switch: Switch = field(default_factory=Switch)
    _marked: bool = False
    _again_at: datetime | None = None
    _hours: list[Hour] = field(default_factory=list)
    _read: float = 0.0
    _for: datetime | None = None
    _ends: datetime | None = None
    held: tuple[str, ...] = ()
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
            if self._marked:
                self._marked = False
                return
            passed = timedelta(seconds=anyio.current_time() - running)
            if abs(self.clock.now() - seen - passed) > _LEAP:
                return

    def forget(self) -> None:
        """Forget what was seen and done; nothing is watched or kept any more."""
        self.keeper = self.watched = self.prepared = self._ends = None
        self._on, self.held = False, ()
        self._hours, self._missed = [], []

    def mark(self, urls: Iterable[str]) -> None:
        """Keep these too: they are fetched now and before each cut, or held where a cut is on.

        Args:
            urls: addresses of pages and files.

        Raises:
            LocalFault: one of them is no address, there are too many, or nothing is kept any more.
        """
        if self.keeper is None:
            raise LocalFault(later("nothing is kept any more by this gateway; start it anew"))
        marked = checked(urls)
        self.keeper = self.keeper.with_more(marked)
        self.held = tuple(dict.fromkeys((*self.held, *marked)))
        self._marked, self._again_at = True, None

    def is_cut(self) -> bool:
        """Whether the line is cut, or usually is now: what is left of it is for what cannot wait."""
        curfew = self.expected()
        return bool(self.finder.outage()) or (curfew is not None and curfew.start <= self.clock.now())

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
        if self.held and not self.is_cut() and (self._again_at is None or now >= self._again_at):
            await self._fetch_held(now)
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

    async def _fetch_held(self, now: datetime) -> None:
        if self.keeper is None:
            return
        held, self.held = self.held, ()
        waits = list(held)  # where it is broken off, all of it does
        try:
            kept = await self.keeper.fetch(held)
            missed = self._warned(kept)
            cut = self.is_cut()  # one that is not usual shows itself by the fetching; it is not asked for all the time
            waits, self._again_at = (missed, now + _SELDOM) if cut else ([], None)
        finally:
            if self.keeper is not None:  # it was not wiped meanwhile
                self.held = tuple(dict.fromkeys((*waits, *self.held)))
        size = sum(each.size for each in kept)
        self.tell(Fetched(at=self.clock.now(), kept=len(kept) - len(missed), size=size, missed=len(missed)))

    def _warned(self, kept: list[Kept]) -> list[str]:
        """The addresses that could not be had, each of which is told."""
        for each in kept:
            if each.failed:
                self.warn(f"{each.url}: not kept: {each.failed}")
        return [each.url for each in kept if each.failed]

    async def _keep(self, curfew: Curfew, answered: int, gone: int, urls: list[str] | None) -> None:
        kept: list[Kept] = []
        if self.keeper is not None:
            kept = await self.keeper.fetch(urls)
        self._missed = self._warned(kept)
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
            self.warn(text_of(fault))
            self.watched = None

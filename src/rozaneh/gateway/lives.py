"""The connections that are open, looked at while their bytes move, so that the next one need not meet what they met."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from rozaneh.core import Target
from rozaneh.finder import Connection, Finder
from rozaneh.finder.inquiry import inquire
from rozaneh.finder.liveness import PROVEN, TOGETHER, Line, Pulse, asks_anew, left_unsaid, was_turned_away
from rozaneh.finder.search import REFUSES
from rozaneh.gateway.switch import Switch
from rozaneh.net.clock import event_clock
from rozaneh.net.splice import Flow

__all__ = ["Lives"]

_LOOK = 0.5
_MOST_LOOKED_AT = 512
_JUST_NOW = 3.0
_A_WHILE = 60.0
"""Seconds within which somebody who asks again was not content with what came."""
_WAIT_FOR_INQUIRY = 8.0
_AT_ONCE = 0.1
"""Who asks again sooner after the last one has left is a program that wants one more connection: it does not wait."""
_GOES_ON = 500
"""Bytes that are more than a farewell."""
_HANDSHAKE = 6000
"""Bytes that a server's side of a TLS handshake seldom exceeds."""

_Place = tuple[str, int]


@dataclass(slots=True, eq=False)
class _Life:
    target: Target
    made: Connection
    flow: Flow
    pulse: Pulse
    place: _Place
    doubted: str = ""
    doubted_at: int = 0
    counted: int = 0
    ended: float = 0.0
    looked_at: bool = False
    turned_away: bool = False


@dataclass(frozen=True, slots=True)
class _Inquiry:
    over: anyio.Event
    waited_from: float


@dataclass(slots=True)
class Lives:
    """All connections of a gateway while bytes move on them.

    Attributes:
        finder: is told of those that stall or crawl.
        switch: while it is off nothing of our own is asked either.
    """

    finder: Finder
    switch: Switch
    _open: dict[Flow, _Life] = field(default_factory=dict)
    _places: dict[_Place, dict[Flow, _Life]] = field(default_factory=dict)
    _ended: deque[_Life] = field(default_factory=lambda: deque(maxlen=64))
    _inquiries: dict[_Place, _Inquiry] = field(default_factory=dict)
    _tasks: TaskGroup | None = None
    _now: Callable[[], float] = anyio.current_time
    _line: Line = field(default_factory=Line)
    _came: int = 0
    _looked: float = 0.0

    def begin(self, target: Target, made: Connection) -> Flow:
        """A connection has been made; the flow in which the pump is to count."""
        flow = Flow(began=self._now())
        pulse = Pulse(flow, self._line, made.pace)
        life = self._open[flow] = _Life(target, made, flow, pulse, (target.host, target.port))
        self._places.setdefault(life.place, {})[flow] = life
        return flow

    def end(self, flow: Flow, *, broken_off: bool = False) -> None:
        """It has ended.

        Args:
            flow: which.
            broken_off: whether the user ended all of them; that says nothing about the target.
        """
        life = self._open.pop(flow, None)
        if life is None:
            return
        there = self._places[life.place]
        del there[flow]
        if not there:
            del self._places[life.place]
        if broken_off:
            return
        now = life.ended = self._now()
        life.turned_away = was_turned_away(flow)
        self._came += flow.down - life.counted
        self._ended.append(life)
        if doubt := self.finder.ended(life.target, life.made, flow, now, life.pulse.patience(now)):
            self._look_into(life, doubt)

    async def before(self, target: Target) -> None:
        """A client asks for a connection: what do others to the same target show? Waits while that is looked into."""
        running = self.look_before(target)
        if running is not None:
            with anyio.move_on_after(_WAIT_FOR_INQUIRY):
                await running.wait()

    def look_before(self, target: Target) -> anyio.Event | None:
        """The same, without waiting: what is to be waited for, where something is looked into."""
        place = (target.host, target.port)
        now = self._now()
        self._recall(place, now)
        inquiry = self._inquiries.get(place)
        return inquiry.over if inquiry is not None and now >= inquiry.waited_from else None

    def _recall(self, place: _Place, now: float) -> None:
        ended = [life for life in self._ended if life.place == place]
        there = list(self._places.get(place, {}).values())[-_MOST_LOOKED_AT:]
        for life in [each for each in ended if not each.looked_at] + there:
            life.looked_at = bool(life.ended)  # what has ended shows the same for ever
            if life.ended and now - life.ended >= _JUST_NOW:
                continue
            if life.flow.half_closed and self.finder.disbelieved(life.target, life.made, life.flow, now):
                self._look_into(life, "tls_interception")
            elif not life.doubted and (doubt := self._asked_anew(life, now)):
                self._doubt(life, doubt, now)
        left = ended[-1:] if ended and now - ended[-1].ended < _A_WHILE else []
        left = left or [life for life in there if life.flow.half_closed][-1:]
        if not left:
            return
        if left[0].ended and left_unsaid(left[0].flow, left[0].ended):
            self._look_into(left[0], "tls_interception")
        elif all(life.turned_away for life in ended) and all(was_turned_away(life.flow) for life in there):
            # Most short answers are no refusals; a person takes longer to ask again than a program does.
            at_once = not left[0].ended or now - left[0].ended < _AT_ONCE
            self._look_into(left[0], REFUSES, waited_from=now + _AT_ONCE if at_once else now)

    @staticmethod
    def _asked_anew(life: _Life, now: float) -> str:
        at = life.ended or now
        return asks_anew(life.flow, at, life.pulse.patience(at))

    def _look_into(self, life: _Life, doubt: str, waited_from: float = -math.inf) -> None:
        """Ask the target a question of our own beside everything else, where that may be."""
        tasks = self._tasks
        if tasks is None or self.switch.paused or life.place in self._inquiries or life.made.way.private:
            return
        if not self.finder.may_inquire(life.target, doubt):
            return
        over = anyio.Event()
        if doubt != "stall":
            # The next connection would meet the same; of a stall another way is taken at once.
            self._inquiries[life.place] = _Inquiry(over, waited_from)
        tasks.start_soon(self._inquire, life, doubt, over)

    async def _inquire(self, life: _Life, doubt: str, over: anyio.Event) -> None:
        settled = False
        try:
            with self.switch.door():
                settled = await inquire(self.finder, life.target, life.made, doubt)
        finally:
            self._inquiries.pop(life.place, None)
            over.set()
        flow = life.flow
        waits = flow in self._open and flow.down < PROVEN and flow.last_up > flow.last_down
        if settled and doubt == "stall" and waits and flow.stop is not None:
            # Nothing will come, and another way works: its client should not have to wait to try again.
            flow.stop()

    async def watch(self) -> None:
        """Look at all of them once in a while, until cancelled. Where there are very many, at the latest."""
        async with anyio.create_task_group() as tasks:
            self._tasks, self._now = tasks, event_clock()
            self._looked = self._now()
            try:
                while True:
                    self.finder.beat()
                    await anyio.sleep(_LOOK)
                    self._look(self._now())
            finally:
                self._tasks = None
                self.finder.rest()

    def _look(self, now: float) -> None:
        looked_at = list(self._open.values())[-_MOST_LOOKED_AT:]
        self._note_line(looked_at, now)
        for life in looked_at:
            if life.doubted:
                self._look_again(life, now)
                continue
            doubt: str = life.pulse.judge(now)
            if not doubt and len(self._places[life.place]) > 1:
                doubt = self._of_several(life, now)
            if doubt:
                self._doubt(life, doubt, now)

    def _note_line(self, looked_at: list[_Life], now: float) -> None:
        for life in looked_at:
            self._came += life.flow.down - life.counted
            life.counted = life.flow.down
        self._line.moved(self._came, now - self._looked, now)
        self._came, self._looked = 0, now

    def _look_again(self, life: _Life, now: float) -> None:
        """What was silent and has gone on was only slow: its way does after all, and such pauses are usual here."""
        if life.doubted == "stall" and life.flow.down >= life.doubted_at + _GOES_ON:
            life.pulse.note_pause(now)
            life.doubted = ""
            self.finder.relieve(life.target, life.made.way)

    def _of_several(self, life: _Life, now: float) -> str:
        """What two connections to one place suggest sooner than one could."""
        if not life.pulse.crawls(now, TOGETHER) or not self._line.has_room(now):
            return ""
        others = (other for other in self._places[life.place].values() if other is not life)
        same = any(other.made.way.key == life.made.way.key and other.pulse.crawls(now, TOGETHER) for other in others)
        return "throttling" if same else ""

    def _doubt(self, life: _Life, doubt: str, now: float) -> None:
        life.doubted, life.doubted_at = doubt, life.flow.down
        self.finder.doubt(life.target, life.made, doubt, now)
        if doubt == "stall" and life.flow.down < _HANDSHAKE:
            # Whoever stops later would let a small question pass, so that is not asked.
            self._look_into(life, doubt)

"""Doing what is decided: light rounds, full rounds, waiting."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio
import msgspec

from rozaneh.core import LocalFault
from rozaneh.net.clock import Clock
from rozaneh.probe.watch.deciding import Deciding, Event, Moment, Power, Round, State
from rozaneh.words import later

_SUPPLIES = Path("/sys/class/power_supply")
_ROUTES = Path("/proc/net/route")
_METERED = ("wwan", "rmnet", "ppp", "usb")
_NAP = 5.0
_LONGEST_LINE = 1 << 16
_LAST_LINES = 1 << 18

Tell = Callable[[Event | Round], None]


@dataclass(frozen=True)
class Means:
    """What watching does things with.

    Attributes:
        light: makes a light round.
        full: makes a full round, and says how many bytes it took.
        moment: says when it is.
        power: says what the machine lives on.
    """

    light: Callable[[], Awaitable[Round]]
    full: Callable[[], Awaitable[int]]
    moment: Callable[[], Moment]
    power: Callable[[], Power]


async def watch(deciding: Deciding, means: Means, tell: Tell, *, rounds: int | None = None) -> None:
    """Watch until cancelled.

    It never sleeps for long at once, so that waking up is noticed within seconds, and a clock that was set too.

    Args:
        deciding: what decides; it carries the state.
        means: what to do it with.
        tell: told of every round and event.
        rounds: how many light rounds; without end when not given.
    """
    moment = means.moment
    _arrive(deciding, moment, tell)
    made = 0
    while rounds is None or made < rounds:
        seen = await means.light()
        made += 1
        _arrive(deciding, moment, tell)
        tell(seen)
        decision = deciding.take(seen, moment())
        for event in decision.events:
            tell(event)
        if decision.full:
            deciding.spent(await means.full())
        if made != rounds:
            await _rest(deciding, moment, tell, deciding.wait(means.power()))


def _arrive(deciding: Deciding, moment: Callable[[], Moment], tell: Tell) -> bool:
    """Look at the clocks; whether the machine has slept."""
    events = deciding.arrive(moment())
    for event in events:
        tell(event)
    return any(event.event == "slept" for event in events)


async def _rest(deciding: Deciding, moment: Callable[[], Moment], tell: Tell, seconds: float) -> None:
    """Wait; after a sleep the next round is due at once."""
    until = moment().running + seconds
    while (left := until - moment().running) > 0:
        await anyio.sleep(min(left, _NAP))
        if _arrive(deciding, moment, tell):
            return


def moment_of(clock: Clock) -> Moment:
    """When it is, by a clock of the day and by this machine's."""
    boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(wall=clock.now(), running=time.monotonic(), since_boot=time.clock_gettime(boot))


def read_power(supplies: Path = _SUPPLIES, routes: Path = _ROUTES) -> Power:
    """What Linux tells of the battery and the line; a machine that tells nothing lives on mains and pays nothing."""
    mains, left = None, 1.0
    for supply in sorted(supplies.glob("*")) if supplies.exists() else ():
        kind = _text(supply / "type")
        if kind in ("Mains", "USB") and _text(supply / "online"):
            mains = (mains or False) or _text(supply / "online") == "1"
        elif kind == "Battery" and _text(supply / "scope") != "Device":
            charge, status = _text(supply / "capacity"), _text(supply / "status")
            if charge.isdigit():
                left = min(left, int(charge) / 100)
            if status == "Discharging" and mains is None:
                mains = False
    default = next((line.split()[0] for line in _text(routes).splitlines()[1:] if _is_default(line)), "")
    return Power(battery=mains is False, left=left, metered=default.startswith(_METERED))


def _is_default(line: str) -> bool:
    fields = line.split()
    return len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a later start needs of a line that was written."""

    time: datetime
    state: State | None = None
    left: float | None = None


def resume(path: Path, per_day: int, now: datetime) -> tuple[State | None, float | None]:
    """What was believed when a file's last line was written, and what is left of the budget by now.

    A file that is not there, or whose end cannot be read, says nothing.
    """
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LAST_LINES))
            lines = file.read(_LAST_LINES).splitlines()
    except OSError:
        return None, None
    state, left = None, None
    for line in reversed(lines):
        try:
            read = msgspec.json.decode(line[:_LONGEST_LINE], type=_Line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if read.left is not None and left is None:
            passed = max((now - read.time).total_seconds(), 0.0) if read.time.tzinfo is not None else 0.0
            left = min(read.left + passed * per_day / 86_400, float(per_day))
        state = state or read.state
        if state is not None and left is not None:
            break
    return state, left


def append(path: Path, line: bytes) -> None:
    """Add a line to a file that its owner alone can read.

    Raises:
        LocalFault: it cannot be written.
    """
    try:
        if not path.exists():
            path.touch(mode=0o600)
        with path.open("ab") as file:
            file.write(line + b"\n")
    except OSError as error:
        raise LocalFault(later("cannot write {path}: {why}", path=path, why=error.strerror)) from error

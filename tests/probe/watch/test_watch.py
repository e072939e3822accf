"""Watching: what is decided, on a clock that jumps; and how it is done, on one that is turned."""

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import LocalFault
from rozaneh.probe.watch import Budget, Deciding, Means, Moment, Power, Reach, Round, Rules, State, watch
from rozaneh.probe.watch.deciding import Event
from rozaneh.probe.watch.watching import append, read_power, resume

ZONE = dt.timezone(dt.timedelta(hours=4.5))
START = dt.datetime(2022, 9, 21, 15, 0, tzinfo=ZONE)
YES, NO = True, False
OPEN = Round(domestic=(YES, YES), foreign=(YES, YES, YES), dns=True, udp=True, rate=200_000.0, cost=20_000)
CUT = Round(domestic=(YES, YES), foreign=(NO, NO, NO), dns=True, udp=False, cost=9_000)
DEAD = Round(domestic=(NO, NO), foreign=(NO, NO, NO), dns=False, udp=False, cost=4_000)
NO_UDP = Round(domestic=(YES, YES), foreign=(YES, YES, YES), dns=True, udp=False, rate=200_000.0, cost=20_000)
MAINS = Power()


def at(seconds: float, *, asleep: float = 0.0, jumped: float = 0.0) -> Moment:
    wall = START + dt.timedelta(seconds=seconds + asleep + jumped)
    return Moment(wall=wall, running=seconds, since_boot=seconds + asleep)


def deciding(**rules: Any) -> Deciding:
    return Deciding(Rules(**rules), random.Random(1))


@pytest.mark.parametrize(
    ("domestic", "foreign", "reach"),
    [
        ((YES, YES), (YES, YES, YES), Reach.OPEN),
        ((YES, YES), (YES, YES, NO), Reach.OPEN),
        ((NO, NO), (YES, YES, NO), Reach.OPEN),
        ((YES, YES), (YES, NO, NO), Reach.PARTLY),
        ((YES, YES), (NO, NO, NO), Reach.DOMESTIC_ONLY),
        ((YES, NO), (NO, NO, NO), Reach.PARTLY),
        ((NO, NO), (NO, NO, NO), Reach.OFFLINE),
        ((), (), Reach.OFFLINE),
    ],
)
def test_how_far_a_line_reaches(domestic: tuple[bool, ...], foreign: tuple[bool, ...], reach: Reach) -> None:
    assert Round(domestic=domestic, foreign=foreign, dns=True, udp=True).reach is reach


def test_a_cut_and_its_end_are_each_told_by_the_first_round_that_shows_them() -> None:
    core = deciding()
    told: list[tuple[str, Reach | None, bool]] = []
    for number, seen in enumerate((OPEN, OPEN, CUT, CUT, CUT, OPEN, OPEN)):
        core.arrive(at(180.0 * number))
        decision = core.take(seen, at(180.0 * number))
        told += [(event.event, event.state.reach if event.state else None, decision.full) for event in decision.events]
    assert told == [
        ("started", Reach.OPEN, True),
        ("changed", Reach.DOMESTIC_ONLY, True),
        ("changed", Reach.OPEN, True),
    ]


def test_something_small_is_looked_at_again_soon_before_it_is_believed() -> None:
    core = deciding()
    core.take(OPEN, at(0))
    assert core.take(NO_UDP, at(180)).events == ()
    assert core.wait(MAINS) == 10.0
    (event,) = core.take(NO_UDP, at(190)).events
    assert event.state == State(reach=Reach.OPEN, udp=False)
    core = deciding()
    core.take(OPEN, at(0))
    core.take(NO_UDP, at(180))
    assert core.take(OPEN, at(190)).events == ()
    assert core.wait(MAINS) > 100


def test_a_sleep_and_a_clock_that_was_set_are_told_apart() -> None:
    core = deciding()
    assert core.arrive(at(0)) == ()
    assert core.arrive(at(60)) == ()
    (slept,) = core.arrive(at(61, asleep=7200))
    assert (slept.event, slept.seconds) == ("slept", 7200.0)
    (jumped,) = core.arrive(at(62, asleep=7200, jumped=-3600))
    assert (jumped.event, jumped.seconds) == ("clock_jumped", -3600.0)
    assert core.arrive(at(63, asleep=7200, jumped=-3600)) == ()


def test_just_after_waking_up_a_silence_is_not_yet_an_outage() -> None:
    core = deciding()
    core.arrive(at(0))
    core.take(OPEN, at(0))
    core.arrive(at(60, asleep=3600))
    assert core.take(DEAD, at(62, asleep=3600)).events == ()
    assert core.wait(MAINS) == 10.0
    core.arrive(at(75, asleep=3600))
    (event,) = core.take(DEAD, at(75, asleep=3600)).events
    assert event.state == State(reach=Reach.OFFLINE)


@given(seed=st.integers(0, 100), battery=st.booleans(), left=st.floats(0, 1), metered=st.booleans())
def test_rounds_have_no_beat_and_a_day_costs_no_more_than_was_given(
    seed: int, *, battery: bool, left: float, metered: bool
) -> None:
    rules = Rules(per_day=10_000_000)
    core = Deciding(rules, random.Random(seed))
    power = Power(battery=battery, left=left, metered=metered)
    now, spent, waits = 0.0, 0, []
    core.arrive(at(now))
    while now < 3 * 86_400:
        spent += OPEN.cost
        core.take(OPEN, at(now))
        waits.append(core.wait(power))
        now += waits[-1]
        core.arrive(at(now))
    assert spent <= 4 * rules.per_day * (rules.metered * 1.5 if metered else 1)
    assert len(set(waits)) > len(waits) // 2
    assert min(waits) >= rules.every * (1 - rules.jitter)
    if battery:
        assert min(waits) >= 2 * rules.every * (1 - rules.jitter)


def test_a_full_round_is_made_only_if_enough_is_left_for_the_light_ones() -> None:
    core = Deciding(Rules(per_day=20_000_000), random.Random(0), left=2_000_000)
    assert not core.take(OPEN, at(0)).full
    core = Deciding(Rules(per_day=20_000_000), random.Random(0))
    assert core.take(OPEN, at(0)).full
    core.spent(19_990_000)
    assert not core.take(CUT, at(180)).full
    assert core.wait(MAINS) >= 180 * 0.75


def test_a_budget_is_refilled_by_time_that_passed_and_by_nothing_else() -> None:
    budget = Budget(86_400)
    budget.spend(1000)
    budget.pass_time(-10_000)
    assert budget.left == 85_400
    budget.pass_time(500)
    assert budget.left == 85_900
    budget.pass_time(1e9)
    assert budget.left == 86_400
    budget.spend(100_000)
    assert budget.seconds_until(100) == pytest.approx(13_700)
    assert Budget(0).seconds_until(1) > 1000


class World:
    """A line, a clock and a machine that can sleep, for the loop."""

    def __init__(self, script: Callable[[float], Round]) -> None:
        self.told: list[Event | Round] = []
        self.asleep = 0.0
        self.fulls = 0
        self._script = script
        self._began = trio.current_time()

    @property
    def running(self) -> float:
        return trio.current_time() - self._began

    def moment(self) -> Moment:
        return at(self.running, asleep=self.asleep)

    async def light(self) -> Round:
        await trio.sleep(3)
        return self._script(self.running + self.asleep)

    async def full(self) -> int:
        self.fulls += 1
        await trio.sleep(30)
        return 1_000_000

    def events(self) -> list[tuple[str, Reach | None]]:
        return [(e.event, e.state.reach if e.state else None) for e in self.told if isinstance(e, Event)]


def during_curfew(seconds: float) -> Round:
    """From 16:00 to 24:00, where 0 is 15:00."""
    return CUT if 3600 <= seconds < 9 * 3600 else OPEN


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})])
async def test_a_curfew_is_noticed_within_one_light_round_and_so_is_its_end() -> None:
    world = World(during_curfew)
    core = deciding()
    await watch(core, Means(world.light, world.full, world.moment, Power), world.told.append, rounds=250)
    assert world.events() == [
        ("started", Reach.OPEN),
        ("changed", Reach.DOMESTIC_ONLY),
        ("changed", Reach.OPEN),
    ]
    assert world.fulls == 3
    changes = [each.time for each in world.told if isinstance(each, Event)][1:]
    for change, hour in zip(changes, (16, 24), strict=True):
        due = START.replace(hour=0) + dt.timedelta(hours=hour)
        assert dt.timedelta(0) <= change - due <= dt.timedelta(seconds=180 * 1.25 + 3)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})])
async def test_waking_up_makes_a_round_at_once() -> None:
    world = World(during_curfew)

    def moment() -> Moment:
        if world.running > 100:
            world.asleep = 7200.0
        return world.moment()

    await watch(deciding(), Means(world.light, world.full, moment, Power), world.told.append, rounds=2)
    assert [name for name, _ in world.events()] == ["started", "slept", "changed"]
    assert world.running < 130 + 30


def test_power_is_read_as_linux_tells_it(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    routes.write_text(head + "wwan0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\n")
    assert read_power(tmp_path / "none", routes) == Power(metered=True)
    for name, facts in {
        "AC": {"type": "Mains", "online": "0"},
        "BAT0": {"type": "Battery", "capacity": "17", "status": "Discharging"},
        "mouse": {"type": "Battery", "capacity": "3", "scope": "Device"},
    }.items():
        (tmp_path / "supply" / name).mkdir(parents=True)
        for fact, text in facts.items():
            (tmp_path / "supply" / name / fact).write_text(text + "\n")
    assert read_power(tmp_path / "supply", tmp_path / "none") == Power(battery=True, left=0.17)
    (tmp_path / "supply" / "AC" / "online").write_text("1\n")
    assert read_power(tmp_path / "supply", tmp_path / "none") == Power(left=0.17)


def test_a_later_start_goes_on_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert resume(file, 86_400, START) == (None, None)
    append(file, b'{"event":"changed","time":"2022-09-21T15:00:00+04:30","state":{"reach":"domestic_only"},"left":100}')
    append(file, b'{"event":"round","time":"2022-09-21T15:00:10+04:30","left":50}')
    append(file, b"\xff half a li")
    state, left = resume(file, 86_400, START + dt.timedelta(seconds=110))
    assert state == State(reach=Reach.DOMESTIC_ONLY)
    assert left == 150
    assert resume(file, 86_400, START - dt.timedelta(days=1))[1] == 50, "a clock that went back gives nothing"
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(LocalFault):
        append(tmp_path / "no" / "folder", b"x")

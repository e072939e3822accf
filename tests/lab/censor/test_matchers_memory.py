"""Matchers of time, chance and history."""

import pytest

from tests.lab.censor.craft import (
    OTHER,
    Lane,
    dropping,
    passed,
)

TIMES = [
    ("from = '16:00', to = '24:00'", "2022-09-21T16:00", "2022-09-21T15:59:59"),
    ("from = '16:00', to = '24:00'", "2022-09-21T23:59:59", "2022-09-22T00:00"),
    ("from = '22:00', to = '06:00'", "2022-09-21T05:59", "2022-09-21T06:00"),
    ("from = '22:00', to = '06:00'", "2022-09-21T22:00", "2022-09-21T21:59"),
    ("to = '08:00'", "2022-09-21T00:00", "2022-09-21T08:00"),
    ("weekdays = ['wed', 'friday']", "2022-09-21T12:00", "2022-09-22T12:00"),
    ("from = '22:00', to = '06:00', weekdays = 'wed'", "2022-09-22T03:00", "2022-09-21T03:00"),
    ("dates = { from = '2022-09-21', to = '2022-10-03' }", "2022-10-03T23:00", "2022-10-04T00:00"),
    ("dates = ['2022-10-08', { from = '2022-09-21', to = '2022-09-22' }]", "2022-11-01T00:00", "2022-10-07T00:00"),
]


@pytest.mark.parametrize(("time", "inside", "outside"), TIMES)
def test_time_is_the_fake_clock(time: str, inside: str, outside: str) -> None:
    assert not passed(dropping(f"time = {{ {time} }}", at=inside).say(b"x"))
    assert passed(dropping(f"time = {{ {time} }}", at=outside).say(b"x"))


def test_schedule_and_age() -> None:
    text = """
    schedule.night = [{ from = "22:00", to = "23:00" }, { from = "01:00", to = "02:00" }]
    [[rule]]
    match.time = { schedule = "night", age = ">=60" }
    action = "drop"
    """
    lane = Lane(text, at="2022-09-21T22:30")
    assert passed(lane.say(b"x"))
    lane.wait(60)
    assert not passed(lane.say(b"x"))
    lane.wait(3600)
    assert passed(lane.say(b"x"))


def test_chance_is_a_share_and_repeats_with_the_seed() -> None:
    def run(seed: int) -> list[bool]:
        lane = dropping("chance = 0.3", seed=seed)
        return [passed(lane.say(b"x")) for _ in range(1000)]

    first = run(1)
    assert 230 < first.count(False) < 370
    assert first == run(1)
    assert first != run(2)


def test_chance_per_flow_holds_for_the_flow() -> None:
    lane = dropping("chance = { probability = 0.5, per = 'flow' }")
    answers: list[bool] = []
    for _ in range(60):
        flow = {passed(lane.say(b"x")) for _ in range(3)}
        assert len(flow) == 1
        answers += flow
        lane.anew()
    assert 10 < answers.count(True) < 50


def test_chance_per_destination_is_one_answer_for_every_flow() -> None:
    lane = dropping("chance = { probability = 0.5, per = 'destination' }")
    for last in range(1, 20):
        lane.anew(there=f"93.184.217.{last}")
        first = passed(lane.say(b"x"))
        lane.anew()
        assert passed(lane.say(b"x")) is first


HISTORIES = [
    ("history = { at_least = 3, within = 10 }", 2),
    ("history = { kind = 'bytes', at_least = 100 }", 2),
    ("history = { kind = 'packets', from = 'all', at_least = 4 }", 3),
]


@pytest.mark.parametrize(("match", "free"), HISTORIES)
def test_history_counts_what_else_fits(match: str, free: int) -> None:
    lane = dropping(f"protocol = 'udp', {match}")
    lane.say(b"not counted")
    assert [passed(lane.udp(b"x" * 10)) for _ in range(free + 2)] == [True] * free + [False] * 2
    lane.wait(100)
    assert passed(lane.udp(b"x" * 10))


def test_history_of_flows_destinations_and_ports() -> None:
    for kind in ("flows", "destinations", "ports"):
        lane = dropping(f"history = {{ kind = '{kind}', at_least = 3 }}")
        for last in (1, 2, 3):
            lane.anew(there=f"93.184.217.{last}")
            lane.server_port = 1000 + last
            found = [passed(lane.say(b"x")) for _ in range(3)]
            assert found == [last < 3] * 3, kind


def test_history_of_events_and_at_most() -> None:
    text = """
    [[rule]]
    match = { payload = "bad" }
    action = { log = "offence" }
    [[rule]]
    match = { history = { kind = "events", event = "offence", from = "source", at_least = 2, within = 30 } }
    action = "drop"
    """
    lane = Lane(text)
    assert passed(lane.say(b"bad"))
    lane.anew(there=OTHER)
    assert passed(lane.say(b"fine"))
    assert not passed(lane.say(b"bad"))
    assert lane.engine.counters["event offence"] == 2
    lane.wait(30)
    assert passed(lane.say(b"fine"))

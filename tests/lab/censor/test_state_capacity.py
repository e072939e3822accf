"""A box holds so many flows, and what becomes of the others."""

import pytest

from tests.lab.censor.craft import BLOCKED, Lane, client_hello, dropping, passed

HELLO = client_hello()
SNI = "tls.sni = 'blocked.example'"


def test_flow_table_is_bounded_and_forgets_the_longest_silent() -> None:
    lane = dropping("flow.packets = '>=2'", "scope = 'packet', capacity = { flows = 100 }")
    for port in range(1000, 1600):
        lane.anew(port=port)
        assert passed(lane.say(b"x"))
    lane.anew(port=1599)
    assert not passed(lane.say(b"x"))
    lane.anew(port=1000)
    assert passed(lane.say(b"x")), "forgotten, hence new"


@pytest.mark.parametrize(("overflow", "free"), [("open", True), ("closed", False)])
def test_a_full_table_fails_open_or_closed(overflow: str, free: bool) -> None:
    lane = dropping("payload = 'bad'", f"scope = 'packet', capacity = {{ flows = 3, overflow = '{overflow}' }}")
    for port in (1, 2, 3):
        lane.anew(port=port)
        assert passed(lane.say(b"x"))
    lane.anew(port=4)
    assert passed(lane.say(b"bad")) is free
    lane.anew(port=1)
    assert not passed(lane.say(b"bad"))


def test_flows_expire() -> None:
    lane = dropping("payload = 'bad'", "scope = 'flow', capacity.expiry = 30")
    assert not passed(lane.say(b"bad"))
    lane.wait(29)
    assert not passed(lane.say(b"x"))
    lane.wait(31)
    assert passed(lane.say(b"x"))


def test_a_box_may_look_at_a_share_of_flows() -> None:
    lane = dropping("payload = 'x'", "scope = 'packet', capacity.share = 0.5")
    answers = []
    for port in range(2000, 2100):
        lane.anew(port=port)
        first = passed(lane.say(b"x"))
        assert passed(lane.say(b"x")) is first
        answers.append(first)
    assert 30 < answers.count(True) < 70


def test_rules_with_tables_of_their_own_keep_their_order() -> None:
    lane = Lane("""
    [[rule]]
    match.payload = "a"
    state.capacity.flows = 10
    action = "pass"
    [[rule]]
    match.direction = "out"
    action = "drop"
    """)
    assert passed(lane.say(b"a"))
    assert not passed(lane.say(b"b"))


def test_a_flood_does_not_grow_memory() -> None:
    lane = Lane("""
    [[rule]]
    match = { history = { kind = "flows", from = "destination", at_least = 1000000 } }
    action = "drop"
    [[rule]]
    match.flags = "syn"
    state = { scope = "3-tuple", residual = 600 }
    action = { mark = { name = "seen", on = "destination" }, rate = { rate = 1000000, per = "pair" }, log = "syn" }
    """)
    for number in range(6000):
        lane.anew(port=1024 + number % 60000, there=f"93.{number % 200}.{number // 250}.{number % 250}")
        lane.syn()
    box = lane.engine._boxes["border"]
    assert len(box._tables[0]) <= 4096
    assert len(box._scoped) <= 20_000
    assert BLOCKED

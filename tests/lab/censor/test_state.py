"""Scope, residual, attention, delay: what a verdict covers and how long, and when a rule looks and acts."""

import pytest

from tests.lab.censor.craft import OTHER, Lane, client_hello, dropping, passed

HELLO = client_hello()
SNI = "tls.sni = 'blocked.example'"


# scope and residual


def scenario(scope: str, rest: str = "") -> Lane:
    return Lane(f"[[rule]]\nmatch = {{ payload = 'bad' }}\nstate = {{ scope = '{scope}' {rest} }}\naction = 'drop'")


SCOPES = [
    # scope, same flow, another flow to the port, another port, another server
    ("packet", True, True, True, True),
    ("flow", False, True, True, True),
    ("3-tuple", False, False, True, True),
    ("pair", False, False, False, True),
    ("destination", False, False, False, True),
    ("source", False, False, False, False),
]


@pytest.mark.parametrize(("scope", "flow", "port", "pair", "server"), SCOPES)
def test_scope_says_what_a_verdict_covers(scope: str, flow: bool, port: bool, pair: bool, server: bool) -> None:
    lane = scenario(scope)
    assert passed(lane.say(b"good"))
    assert not passed(lane.say(b"bad"))
    assert passed(lane.say(b"good")) is flow
    assert passed(lane.say(b"good", out=False)) is flow
    lane.anew()
    assert passed(lane.say(b"good")) is port
    lane.anew()
    lane.server_port = 80
    assert passed(lane.say(b"good")) is pair
    lane.anew(there=OTHER)
    assert passed(lane.say(b"good")) is server


def test_scope_is_the_flow_by_itself_where_connections_are_read() -> None:
    lane = dropping("looks_like = 'ssh'", "")
    assert not passed(lane.say(b"SSH-2.0-x"))
    assert not passed(lane.say(b"anything", out=False))
    lane.anew()
    assert passed(lane.say(b"anything"))


def test_residual_ends() -> None:
    lane = scenario("3-tuple", ", residual = 60")
    assert not passed(lane.say(b"bad"))
    lane.anew()
    lane.wait(59)
    assert not passed(lane.say(b"good"))
    lane.wait(1)
    assert passed(lane.say(b"good"))


@pytest.mark.parametrize(("renew", "blocked"), [("never", False), ("packet", True), ("offence", True)])
def test_residual_is_renewed_or_not(renew: str, blocked: bool) -> None:
    lane = scenario("pair", f", residual = {{ seconds = 60, renew = '{renew}' }}")
    lane.say(b"bad")
    lane.wait(40)
    lane.anew()
    assert not passed(lane.say(b"bad"))
    lane.wait(40)
    lane.anew()
    assert passed(lane.say(b"good")) is not blocked


def test_renewal_by_offence_needs_another_flow() -> None:
    lane = scenario("pair", ", residual = { seconds = 60, renew = 'offence' }")
    lane.say(b"bad")
    lane.wait(40)
    lane.say(b"bad")
    lane.wait(21)
    assert passed(lane.say(b"good"))


def test_residual_may_do_something_else() -> None:
    lane = scenario("3-tuple", ", residual = { seconds = 60, action = { reset = 'client' } }")
    offence = lane.say(b"bad")
    assert not offence.forward
    assert not offence.inject
    lane.anew()
    later = lane.syn()
    assert [way for _, way, _ in later.inject] == ["client"]


def test_residual_drawn_from_a_range_stays_in_it() -> None:
    ends = []
    for seed in range(12):
        lane = Lane(
            "[[rule]]\nmatch.payload = 'bad'\nstate = { scope = 'pair', residual = [10, 20] }\naction = 'drop'",
            seed=seed,
        )
        lane.say(b"bad")
        for second in range(1, 40):
            lane.wait(1)
            if passed(lane.say(b"good")):
                ends.append(second)
                break
    assert len(ends) == 12
    assert min(ends) >= 9
    assert max(ends) <= 21
    assert len(set(ends)) > 3


# attention, delay, capacity


@pytest.mark.parametrize(
    ("attention", "packets"), [("packets = 5", 2), ("data_packets = 2", 2), ("bytes = 20", 2), ("seconds = 0.04", 1)]
)
def test_attention_runs_out(attention: str, packets: int) -> None:
    state = f"scope = 'packet', attention = {{ {attention} }}"
    lane = dropping("payload = 'bad'", state)
    lane.open()
    for _ in range(packets - 1):
        lane.say(b"0123456789")
    assert not passed(lane.say(b"bad"))
    lane.anew()
    lane.open()
    for _ in range(packets + 1):
        lane.say(b"0123456789")
    assert passed(lane.say(b"bad"))


def test_attention_that_acts_blocks_what_did_not_show_itself() -> None:
    lane = dropping("tls.sni = 'never.org'", "attention = { data_packets = 2, then = 'act' }")
    lane.open()
    assert passed(lane.say(b"one"))
    assert passed(lane.say(b"two"))
    assert not passed(lane.say(b"three"))
    assert not passed(lane.say(b"four", out=False))


@pytest.mark.parametrize(
    ("delay", "free"), [("delay = '1s'", None), ("delay = { packets = 3 }", 3), ("delay = { bytes = 90 }", 2)]
)
def test_delay_before_acting(delay: str, free: int | None) -> None:
    lane = dropping("payload = 'bad'", f"scope = 'flow', {delay}")
    assert passed(lane.say(b"bad"))
    if free is None:
        assert passed(lane.say(b"x"))
        lane.wait(1)
    else:
        assert all(passed(lane.say(b"xxxxx")) for _ in range(free))
    assert not passed(lane.say(b"x"))
    assert not passed(lane.say(b"x", out=False))


def test_delayed_injection_comes_without_a_packet() -> None:
    lane = Lane(
        "[[rule]]\nmatch.looks_like = 'ssh'\nstate = { scope = 'flow', delay = [15, 44] }\n"
        "action = { send = { data = 'x', count = 2 }, drop = 'both' }"
    )
    lane.open()
    assert passed(lane.say(b"SSH-2.0-y\r\n"))
    due = lane.engine.next_due
    assert lane.time + 14 < due < lane.time + 45
    assert lane.engine.tick(due - 0.1) == []
    ((place, decision),) = lane.engine.tick(due)
    assert place == "border"
    assert [way for _, way, _ in decision.inject] == ["client", "client"]
    lane.wait(50)
    assert not passed(lane.say(b"more"))

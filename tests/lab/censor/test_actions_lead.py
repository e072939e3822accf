"""Every action that shapes, leads elsewhere, refuses or remembers."""

from ipaddress import ip_address

import pytest

from rozaneh.lab.censor import Decision, forge
from rozaneh.lab.censor.packet import ACK, PSH, RST, SYN, Packet
from tests.lab.censor.craft import (
    BLOCKED,
    HOME,
    OTHER,
    Lane,
    acting,
    client_hello,
    http_get,
    passed,
    read,
)


def injected(decision: Decision) -> list[tuple[str, Packet, float]]:
    return [(way, read(raw, out=way == "server"), delay) for raw, way, delay in decision.inject]


def forged_page(decision: Decision) -> bytes:
    return b"".join(packet.payload for way, packet, _ in injected(decision) if way == "client")


# shaping


def delays(lane: Lane, count: int, *, out: bool = True, size: int = 972) -> list[float | None]:
    found = []
    for _ in range(count):
        decision = lane.engine.packet(
            forge.udp_packet(lane.ends(out=out), bytes(size)), outbound=out, place=lane.place, now=lane.time
        )
        found.append(decision.forward[0][1] if decision.forward else None)
    return found


def test_rate_queues_and_loses_what_does_not_fit() -> None:
    lane = acting("rate = { rate = 10000, queue = 0.25 }")
    assert delays(lane, 5) == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3), None, None]
    lane.wait(10)
    assert delays(lane, 1) == [pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("per", "new_flow", "new_server"),
    [("flow", 0.1, 0.1), ("3-tuple", 0.2, 0.1), ("pair", 0.2, 0.1), ("source", 0.2, 0.3), ("all", 0.2, 0.3)],
)
def test_rate_lines_are_shared_as_told(per: str, new_flow: float, new_server: float) -> None:
    lane = acting(f"rate = {{ rate = '80kbit', per = '{per}' }}")
    delays(lane, 1)
    lane.anew()
    assert delays(lane, 1) == [pytest.approx(new_flow)]
    lane.anew(there=OTHER)
    assert delays(lane, 1) == [pytest.approx(new_server)]


def test_rate_of_one_direction_and_fair_parts() -> None:
    lane = acting("rate = { rate = 10000, direction = 'in' }")
    assert delays(lane, 1) == [0.0]
    assert delays(lane, 1, out=False) == [pytest.approx(0.1)]
    lane = acting("rate = { rate = 10000, per = 'source', share = 'fair', queue = 10 }")
    assert delays(lane, 3)[-1] == pytest.approx(0.3)
    lane.anew()
    assert delays(lane, 1) == [pytest.approx(0.2)], "half the rate, but a queue of its own"


def test_delay_jitter_and_their_order() -> None:
    assert delays(acting("delay = '300ms'"), 1) == [pytest.approx(0.3)]
    assert delays(acting("delay = { seconds = 1, direction = 'in' }"), 1) == [0.0]
    found = delays(acting("jitter = 0.1"), 50)
    kept = [delay for delay in found if delay is not None]
    assert kept == sorted(kept)
    assert 0 <= kept[0] < kept[-1] <= 0.1
    free = delays(acting("delay = { seconds = [0.1, 0.2], reorder = true }"), 50)
    assert free != sorted(delay or 0 for delay in free)


def test_reorder_holds_some_back() -> None:
    found = delays(acting("reorder = { probability = 0.2, by = 0.05 }"), 500)
    assert set(found) == {0.0, 0.05}
    assert 60 < found.count(0.0) < 450


@pytest.mark.parametrize(("burst", "longest"), [(1, 6), (10, 10)])
def test_loss_alone_and_in_bursts(burst: int, longest: int) -> None:
    found = [
        delay is None for delay in delays(acting(f"loss = {{ probability = 0.2, burst = {burst} }}"), 5000, size=1)
    ]
    assert 0.15 < sum(found) / len(found) < 0.25
    runs = "".join("x" if lost else "." for lost in found).split(".")
    longest_run = max(map(len, runs))
    assert longest_run > longest if burst > 1 else longest_run <= longest


def test_freeze_after_bytes_or_packets() -> None:
    lane = acting("freeze = 10", "protocol = 'tcp'")
    lane.open()
    assert passed(lane.say(b"12345678"))
    assert not passed(lane.say(b"123"))
    assert not passed(lane.say(b"x", out=False))
    lane.anew()
    assert passed(lane.say(b"x"))
    lane = acting("freeze = { packets = 2, direction = 'in' }")
    assert [passed(lane.say(b"x", out=False)) for _ in range(3)] == [True, True, False]
    assert passed(lane.say(b"x"))


# null routes


@pytest.mark.parametrize(
    ("of", "same", "neighbour", "elsewhere"),
    [
        ("of = 'destination'", 0, 1, 1),
        ("of = 'prefix', length = 24", 0, 0, 1),
        ("of = 'source'", 0, 0, 0),
        ("of = 'family'", 0, 0, 0),
    ],
)
def test_null_routes(of: str, same: bool, neighbour: bool, elsewhere: bool) -> None:
    lane = acting(f"null_route = {{ {of}, seconds = 30 }}", "payload = 'bad'")
    assert not passed(lane.say(b"bad"))
    for there, free in ((BLOCKED, same), (OTHER, neighbour), ("8.8.8.8", elsewhere)):
        lane.anew(there=there)
        assert passed(lane.syn()) == free
    lane.home, lane.there = "2a01:5ec0:77::5", "2606:2800:220:1::35"
    assert passed(lane.say(b"x"))
    lane.wait(31)
    lane.home, lane.there = HOME, BLOCKED
    assert passed(lane.say(b"x"))


def test_null_route_of_packets_lasts_as_long_as_they_match_and_may_say_so() -> None:
    lane = acting("null_route = { direction = 'out', icmp = true }", "server = 'blocked.example'")
    decision = lane.syn()
    ((way, packet, _),) = injected(decision)
    assert (way, packet.raw[packet.l4]) == ("client", 3)
    assert passed(lane.say(b"x", out=False))


# redirect, refuse


def test_redirect_translates_both_ways() -> None:
    lane = acting("redirect = { to = '10.10.34.50', port = 8080 }", "server = 'blocked.example'")
    ((raw, _),) = lane.syn().forward
    there = read(raw, out=True)
    assert (str(ip_address(there.dst)), there.dport) == ("10.10.34.50", 8080)
    back = forge.tcp_packet((there.dst, 8080, there.src, there.sport or 0), (1, lane.seq), SYN | ACK)
    ((raw, _),) = lane.raw(back, out=False).forward
    answer = read(raw)
    assert (str(ip_address(answer.src)), answer.sport) == (BLOCKED, 443)
    ((raw, _),) = lane.say(client_hello()).forward
    assert str(ip_address(read(raw, out=True).dst)) == "10.10.34.50"


def test_redirect_to_the_terminator_with_an_issuer_of_its_own() -> None:
    plain = acting("redirect = true", "server = 'blocked.example'")
    named = acting("redirect = { issuer = 'State Root', tls_version = '1.2' }", "server = 'blocked.example'")
    ports = [read(lane.syn().forward[0][0], out=True).dport for lane in (plain, named)]
    assert ports[0] == 443
    (service,) = named.scenario.world.service
    assert (service.kind, service.ports) == ("terminator", (ports[1],))
    assert service.options == {"issuer": "State Root", "tls_version": "1.2"}
    assert not plain.scenario.world.service


def test_refusals_look_like_the_far_end() -> None:
    lane = acting("refuse = true", "server = 'blocked.example'")
    decision = lane.syn()
    ((_, packet, delay),) = injected(decision)
    assert not decision.forward
    assert packet.flags == RST | ACK
    assert delay > 0.03
    lane = acting("refuse = 'alert'", "tls.hello = 'client'")
    lane.open()
    decision = lane.say(client_hello())
    assert forged_page(decision) == bytes.fromhex("15030300020228")
    lane = acting("refuse = 451", "server.port = [80, 443]")
    lane.server_port = 80
    lane.open()
    assert forged_page(lane.say(http_get())).startswith(b"HTTP/1.1 451 ")
    lane.anew()
    lane.server_port = 443
    assert str(ip_address(read(lane.syn().forward[0][0], out=True).dst)).startswith("34.120.0.")


# marks, events, probes


def test_marks_are_set_counted_cleared_and_expire() -> None:
    lane = Lane("""
    [[rule]]
    match.payload = "set"
    action = { mark = [{ name = "bad", on = "pair", seconds = 60 }, { name = "seen", on = "source" }] }
    [[rule]]
    match.payload = "clear"
    action = { mark = { name = "bad", on = "pair", clear = true } }
    [[rule]]
    match = { payload = "twice", marked = { name = "bad", on = "pair", at_least = 2 } }
    action = "drop"
    [[rule]]
    match = { payload = "soon", marked = { name = "bad", on = "pair", within = 5 } }
    action = "drop"
    [[rule]]
    match = { payload = "both", marked = ["seen", { name = "bad", on = "pair" }] }
    action = "drop"
    """)
    assert passed(lane.say(b"both"))
    assert passed(lane.say(b"set"))
    assert not passed(lane.say(b"both"))
    assert not passed(lane.say(b"soon"))
    assert passed(lane.say(b"twice"))
    lane.say(b"set")
    assert not passed(lane.say(b"twice"))
    lane.wait(10)
    assert passed(lane.say(b"soon"))
    lane.say(b"clear")
    assert passed(lane.say(b"both"))
    lane.say(b"set")
    lane.wait(60)
    assert passed(lane.say(b"both"))


def test_a_probe_is_asked_for_and_its_result_sets_a_mark() -> None:
    lane = Lane("""
    [[rule]]
    match = { looks_like = "unknown", flow.data_packet = 1, direction = "out" }
    [rule.action.probe]
    kind = ["replay", "random"]
    delay = [1, 2]
    size = 50
    when = "silent"
    mark = { name = "proxy", on = "destination" }
    [[rule]]
    match.marked = { name = "proxy", on = "destination" }
    action = "drop"
    """)
    lane.open()
    decision = lane.say(b"\x8f" * 60)
    assert passed(decision)
    replay, random = decision.events
    assert (replay.kind, replay.address, replay.port, replay.payload) == ("replay", BLOCKED, 443, b"\x8f" * 60)
    assert (random.kind, len(random.payload)) == ("random", 50)
    assert 1 <= replay.delay <= 2
    lane.engine.probe_result(replay.token, frozenset(("open", "answers")), lane.time)
    lane.engine.probe_result(999, frozenset(("silent",)), lane.time)
    assert passed(lane.say(b"x"))
    lane.engine.probe_result(random.token, frozenset(("open", "silent")), lane.time)
    assert not passed(lane.say(b"x"))
    lane.anew()
    assert not lane.say(b"\x8f" * 60).events, "not the same server again so soon"


def test_two_places_have_memories_of_their_own_and_share_marks() -> None:
    lane = Lane("""
    places.border = 3
    [[rule]]
    at = ["operator", "border"]
    match = { payload = "bad", history = { at_least = 2 } }
    action = { mark = "seen" }
    [[rule]]
    at = "border"
    match.marked = "seen"
    action = "drop"
    [[rule]]
    at = "sites"
    match.payload = "last"
    action = "drop"
    """)
    assert lane.engine.places == {"operator", "border", "host:sites"}
    assert lane.engine.hops["border"] == 3
    raw = forge.udp_packet(lane.ends(), b"bad")
    for _ in range(2):
        assert passed(lane.raw(raw, place="operator"))
    assert not passed(lane.raw(raw, place="border"))
    assert not passed(lane.raw(forge.udp_packet(lane.ends(), b"last"), place="host:sites"))
    assert passed(lane.raw(raw, place="nowhere"))


def test_rules_of_another_network_are_left_out() -> None:
    text = "[[rule]]\nnetworks = 'mobile'\naction = 'drop'"
    assert not passed(Lane(text).say(b"x"))
    assert passed(Lane(text, network="fixed").say(b"x"))
    assert PSH

"""Scenarios that nobody had in mind when the language was written, and the three that its brief gives."""

# ruff: noqa: E501 - scenarios stand here as they would stand in a file

import pytest

from rozaneh.lab.censor import forge
from tests.lab.censor.craft import BLOCKED, OTHER, Lane, client_hello, dns_query, http_get, passed

HELLO = client_hello()


def test_brief_first_example_resets_after_joining_segments_but_not_records() -> None:
    text = """
[[rule]]                                  # atlas I12, with the parser's limits as knobs
at = "border"
mode = "on-path"
match = { direction = "out", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow", reassembly = { tcp = "in-order", records = false, bytes = 16384 }, attention = { data_packets = 10 } }
action = { reset = { to = ["client", "server"], count = 1 } }
"""
    lane = Lane(text)
    lane.open()
    assert not lane.say(HELLO[:30]).inject
    assert len(lane.say(HELLO[30:]).inject) == 2
    lane.anew()
    lane.open()
    assert not lane.say(client_hello(records=[60])).inject


def test_brief_second_example_two_pings_silence_the_source() -> None:
    text = """
[[rule]]                                  # atlas I22: an event in one flow sets a mark, another rule acts on it
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "icmp", history = { kind = "packets", from = "source", at_least = 2, within = 60 } }
action = { mark = { name = "noisy", on = "source", seconds = 300 } }   # duration is not documented: a knob
[[rule]]
at = "border"
mode = "in-path"
match = { marked = { name = "noisy", on = "source" } }
action = { drop = { direction = "both" } }
"""
    lane = Lane(text)
    assert passed(lane.ping())
    assert passed(lane.say(b"x"))
    lane.ping()
    assert not passed(lane.say(b"x"))
    assert not passed(lane.say(b"x", out=False))
    lane.anew(there=OTHER)
    assert not passed(lane.syn())
    lane.wait(300)
    assert passed(lane.syn())


def test_brief_third_example_is_a_curfew_on_one_network() -> None:
    text = """
[[rule]]                                  # atlas I28: mobile only, 16:00-24:00; the domestic network stays
at = "border"
mode = "in-path"
networks = ["mobile"]
match = { time = { from = "16:00", to = "24:00" } }
action = { null_route = { direction = "both" } }
"""
    lane = Lane(text, at="2022-09-21T15:59:30")
    assert passed(lane.say(b"x"))
    lane.wait(31)
    assert not passed(lane.say(b"x"))
    assert not passed(lane.say(b"x", out=False))
    assert passed(Lane(text, network="fixed", at="2022-09-21T18:00").say(b"x"))


def test_third_data_packet_of_one_length_on_tuesdays_slows_udp_to_that_server() -> None:
    text = """
    [[rule]]
    networks = "mobile"
    match = { protocol = "tcp", direction = "out", time.weekdays = "tue", flow.data_packet = 3, payload.size = 517 }
    action = { mark = { name = "odd", on = "destination", seconds = 30 } }
    [[rule]]
    networks = "mobile"
    match = { protocol = "udp", marked = { name = "odd", on = "destination" } }
    action = { delay = "300ms" }
    """

    def held(lane: Lane) -> float:
        ((_, delay),) = lane.udp(b"x").forward
        return delay

    lane = Lane(text, at="2022-09-20T12:00")
    lane.open()
    for size in (517, 517):
        lane.say(bytes(size))
    assert held(lane) == 0
    lane.say(bytes(517))
    assert held(lane) == pytest.approx(0.3)
    lane.there = OTHER
    assert held(lane) == 0
    lane.there = BLOCKED
    lane.wait(31)
    assert held(lane) == 0
    wednesday = Lane(text, at="2022-09-21T12:00")
    for _ in range(4):
        wednesday.say(bytes(517))
    assert held(wednesday) == 0


def test_a_name_asked_in_dns_dooms_the_next_tls_flow_of_that_client_to_anybody() -> None:
    lane = Lane("""
    [[rule]]
    at = "operator"
    mode = "on-path"
    match = { dns.qname.label = "blocked", dns.message = "query" }
    action = { mark = { name = "curious", on = "source", seconds = "10s" } }
    [[rule]]
    at = "border"
    match = { tls.hello = "client", marked = { name = "curious", within = 5 } }
    action = { reset = { to = "client", count = 3, sequence = [0, 500, 9999] }, mark = { name = "curious", clear = true } }
    """)
    lane.server_port = 53
    lane.raw(forge.udp_packet(lane.ends(), dns_query()), place="operator")
    lane.server_port = 443
    lane.anew(there=OTHER)
    lane.place = "border"
    lane.open()
    assert len(lane.say(client_hello("innocent.example")).inject) == 9
    lane.anew()
    lane.open()
    assert not lane.say(client_hello("innocent.example")).inject


def test_server_speaks_first_and_large_answers_freeze_after_a_quota_per_hour() -> None:
    lane = Lane(
        """
    [[rule]]
    match = { direction = "in", server.port = "1024-", any = [{ looks_like = "ssh" }, { payload.bytes = { offset = -2, is = "\\r\\n" } }] }
    state = { scope = "flow", residual = 3600 }
    action = { freeze = { bytes = 20, direction = "in" }, log = "greeted" }
    """.replace('"1024-"', '">=1024"')
    )
    lane.server_port = 2222
    lane.open()
    assert passed(lane.say(b"220 hello\r\n", out=False))
    assert passed(lane.say(b"123456789", out=False))
    assert not passed(lane.say(b"1", out=False))
    assert passed(lane.say(b"still out"))
    assert lane.engine.counters["event greeted"] == 1
    lane.wait(200)
    assert not passed(lane.say(b"1", out=False))


def test_allowlist_of_names_per_address_with_a_penalty_that_refuses_the_address() -> None:
    lane = Lane("""
    [sets]
    cdn = ["104.16.0.0/13", "cdn.example"]
    good = ["front.example", "*.trusted.org"]
    [[rule]]
    match = { server.address = "@cdn", tls.sni.present = true, not = { tls.sni = "@good" } }
    state = { scope = "3-tuple", residual = { seconds = 60, renew = "packet", action = { icmp = "admin-prohibited" } } }
    action = "drop"
    """)
    lane.there = "104.16.0.1"
    lane.open()
    assert passed(lane.say(client_hello("front.example")))
    lane.anew()
    lane.open()
    assert passed(lane.say(client_hello("a.trusted.org")))
    lane.anew()
    lane.open()
    offence = lane.say(HELLO)
    assert (offence.forward, offence.inject) == ([], [])
    lane.anew()
    assert len(lane.syn().inject) == 1
    lane.wait(50)
    lane.anew()
    assert not passed(lane.syn())
    lane.wait(59)
    lane.anew()
    assert not passed(lane.syn()), "renewed by every packet"
    lane.wait(61)
    lane.anew()
    assert passed(lane.syn())


def test_a_censor_that_minds_traffic_opened_from_outside_alone() -> None:
    lane = Lane("""
    [[rule]]
    match = { flow = { opened = "outside", established = true }, http.path.suffix = ".onion" }
    action = { http = { status = 418, reason = "No", body = "x" } }
    """)
    lane.syn(out=False)
    lane.segment(0x12)
    lane.seq += 1
    decision = lane.say(http_get(path="/a.onion"), out=False)
    assert {way for _, way, _ in decision.inject} == {"client", "server"}
    assert any(b"418 No" in raw for raw, way, _ in decision.inject if way == "server")
    lane.anew()
    lane.open()
    assert passed(lane.say(http_get(path="/a.onion")))


def test_a_lone_hello_from_a_source_that_never_opened_anything() -> None:
    lane = Lane("[[rule]]\nmode = 'on-path'\nmatch.tls.sni = 'blocked.example'\naction.reset = 'client'")
    assert lane.say(HELLO).inject


def test_upload_is_slow_only_once_much_was_sent_lately_and_only_in_the_evening() -> None:
    lane = Lane(
        """
    schedule.evening = { from = "18:00", to = "23:00", weekdays = ["sat", "sun", "mon", "tue", "wed"] }
    [[rule]]
    match = { direction = "out", time.schedule = "evening", history = { kind = "bytes", from = "source", at_least = "3kB", within = 10 } }
    action = { rate = { rate = "8kbit", per = "source", direction = "out", queue = 60 } }
    """,
        at="2022-09-21T19:00",
    )
    held = [lane.udp(bytes(972)).forward[0][1] for _ in range(5)]
    assert held[:2] == [0.0, 0.0]
    assert held[2] == pytest.approx(1.0, abs=0.1)
    assert held[3] > held[2] + 0.5
    lane.wait(200)
    assert lane.udp(bytes(972)).forward[0][1] == 0


def test_a_box_with_a_bad_memory_and_half_an_eye() -> None:
    lane = Lane("""
    [[rule]]
    match = { tls.sni.suffix = "blocked.example", chance = { probability = 0.6, per = "3-tuple" } }
    state = { scope = "flow", tcp = { start = "syn", teardown = ["rst", "fin"] }, capacity = { flows = 2, expiry = 5, overflow = "open" } }
    action = "drop"
    """)
    verdicts = set()
    for last in range(1, 30):
        lane.anew(there=f"93.184.217.{last}")
        lane.open()
        verdicts.add(passed(lane.say(HELLO)))
        lane.wait(6)
    assert verdicts == {True, False}

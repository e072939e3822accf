"""Every action that answers or resets: what it forges, and what becomes of the original."""

import struct
from ipaddress import ip_address

import dns.message
import dns.rdatatype
import pytest

from rozaneh.lab.censor import Decision
from rozaneh.lab.censor.packet import ACK, FIN, RST, Packet
from tests.lab.censor.craft import (
    BLOCKED,
    HOME,
    OTHER,
    Lane,
    acting,
    client_hello,
    dns_query,
    http_get,
    passed,
    read,
)


def injected(decision: Decision) -> list[tuple[str, Packet, float]]:
    return [(way, read(raw, out=way == "server"), delay) for raw, way, delay in decision.inject]


# drop and pass


@pytest.mark.parametrize(("direction", "out", "back"), [("both", 0, 0), ("this", 0, 1), ("out", 0, 1), ("in", 1, 0)])
def test_drop_by_direction(direction: str, out: bool, back: bool) -> None:
    lane = acting(f"drop = '{direction}'", "payload = 'bad'", "state.scope = 'flow'")
    assert passed(lane.say(b"bad")) == out
    assert passed(lane.say(b"x")) == out
    assert passed(lane.say(b"x", out=False)) == back


def test_pass_exempts_and_a_drop_of_the_other_direction_leaves_later_rules_alone() -> None:
    lane = Lane("""
    [[rule]]
    match.server = "93.184.216.34"
    action = "pass"
    [[rule]]
    match.protocol = "tcp"
    action = { drop = "in" }
    [[rule]]
    match.payload = "x"
    action = "drop"
    """)
    assert not passed(lane.say(b"x"))
    assert passed(lane.say(b"y"))
    assert not passed(lane.say(b"y", out=False))
    lane.anew(there=OTHER)
    assert passed(lane.say(b"x"))


def test_the_first_that_acts_ends_it_unless_it_continues() -> None:
    for word, count in (("", 1), ("continue = true", 2)):
        lane = Lane(f"""
        [[rule]]
        action = {{ delay = 1 }}
        {word}
        [[rule]]
        action = {{ delay = 2 }}
        """)
        ((_, delay),) = lane.say(b"x").forward
        assert delay == pytest.approx(1 if count == 1 else 3)


# reset


def test_reset_in_the_path_to_both_ends_with_exact_numbers() -> None:
    lane = acting("reset = true", "tls.sni = 'blocked.example'")
    lane.open()
    hello = client_hello()
    decision = lane.say(hello, keep=True)
    assert not decision.forward
    (_, to_client, _), (_, to_server, _) = injected(decision)
    assert (to_client.flags, to_client.seq, to_client.ack) == (RST | ACK, lane.ack, lane.seq + len(hello))
    assert (to_client.sport, to_client.dport) == (443, lane.port)
    assert (to_server.flags, to_server.seq) == (RST | ACK, lane.seq)


def test_reset_on_the_path_lets_the_original_go_on() -> None:
    lane = acting("reset = 'client'", "payload = 'bad'", "mode = 'on-path'\nreaction_time = 0.002")
    decision = lane.say(b"bad")
    assert passed(decision)
    ((way, packet, delay),) = injected(decision)
    assert (way, packet.flags, delay) == ("client", RST | ACK, 0.002)


def test_reset_can_be_shaped() -> None:
    lane = acting(
        "reset = { to = 'client', count = 2, sequence = [0, 1460], flags = 'rst', ttl = 99, ip_id = 7, interval = 0.5, "
        "pass_original = true }",
        "payload = 'bad'",
    )
    decision = lane.say(b"bad", keep=True)
    assert passed(decision)
    found = injected(decision)
    assert [(packet.seq - lane.ack, delay) for _, packet, delay in found] == [
        (0, 0),
        (1460, 0.5),
        (0, 1.0),
        (1460, 1.5),
    ]
    assert {(packet.flags, packet.ttl, packet.ip_id, packet.ack) for _, packet, _ in found} == {(RST, 99, 7, 0)}


def test_reset_of_a_syn_is_believed_and_resets_are_not_answered() -> None:
    lane = acting("reset = 'client'")
    ((_, packet, _),) = injected(lane.syn())
    assert (packet.flags, packet.seq, packet.ack) == (RST | ACK, 0, lane.seq)
    assert not lane.segment(RST | ACK).inject


def test_reset_triggered_by_the_answer_reaches_both_ends() -> None:
    lane = acting("reset = true", "payload = 'bad', direction = 'in'")
    lane.open()
    found = {way: packet for way, packet, _ in injected(lane.say(b"bad", out=False, keep=True))}
    assert found["client"].seq == lane.ack
    assert found["server"].seq == lane.seq


def test_client_of_a_reset_is_the_end_that_opened_the_flow() -> None:
    lane = acting("reset = 'client'", "payload = 'bad'")
    lane.syn(out=False)
    assert [way for _, way, _ in lane.say(b"bad", out=False).inject] == ["server"]


def test_reset_works_over_ipv6() -> None:
    lane = acting("reset = true", "payload = 'bad'")
    lane.home, lane.there = "2a01:5ec0:77::5", "2606:2800:220:1::35"
    assert [packet.version for _, packet, _ in injected(lane.say(b"bad"))] == [6, 6]


# ICMP


@pytest.mark.parametrize(
    ("action", "v4", "v6"),
    [
        ("icmp = true", (3, 13), (1, 1)),
        ("icmp = 'net-unreachable'", (3, 0), (1, 0)),
        ("icmp = 'port-unreachable'", (3, 3), (1, 4)),
        ("icmp = { kind = 'time-exceeded' }", (11, 0), (3, 0)),
        ("icmp = { type = 5, code = 1 }", (5, 1), (5, 1)),
    ],
)
def test_icmp_of_either_family(action: str, v4: tuple[int, int], v6: tuple[int, int]) -> None:
    for home, there, numbers in ((HOME, BLOCKED, v4), ("2a01:5ec0:77::5", "2606:2800:220:1::35", v6)):
        lane = acting(action)
        lane.home, lane.there = home, there
        decision = lane.syn()
        assert not decision.forward
        ((way, packet, _),) = injected(decision)
        assert way == "client"
        assert tuple(packet.raw[packet.l4 : packet.l4 + 2]) == numbers
        assert ip_address(packet.dst) == ip_address(home)


def test_icmp_comes_from_the_place_a_hop_or_an_address() -> None:
    for action, source in (
        ("icmp = true", "10.202.4.1"),
        ("icmp.hop = 3", "10.202.3.1"),
        ("icmp.from = '10.10.34.1'", "10.10.34.1"),
    ):
        ((_, packet, _),) = injected(acting(action).syn())
        assert str(ip_address(packet.src)) == source
    assert passed(acting("icmp.pass_original = true").syn())
    assert not acting("icmp = true").ping(kind=3).inject, "no error about an error"


# DNS


def ask(lane: Lane, name: str = "blocked.example", qtype: int = 1, *, tcp: bool = False) -> Decision:
    lane.server_port = 53
    query = dns_query(name, qtype)
    if not tcp:
        return lane.udp(query)
    lane.open()
    return lane.say(struct.pack("!H", len(query)) + query)


def answers(decision: Decision) -> list[tuple[list[str], int, float]]:
    found = []
    for _, packet, delay in injected(decision):
        data = packet.payload if packet.proto == 17 else packet.payload[2:]
        message = dns.message.from_wire(data)
        assert message.id == 0x1234
        assert not message.edns >= 0
        found.append(([str(item) for rrset in message.answer for item in rrset], int(message.rcode()), delay))
    return found


DNS_ROWS = [
    ("a = '10.10.34.36'", 1, [(["10.10.34.36"], 0)]),
    ("a = ['10.10.34.34', '10.10.34.35']", 1, [(["10.10.34.34", "10.10.34.35"], 0)]),
    ("a = '10.10.34.36'", 28, [([], 0)]),
    ("a = '10.10.34.36', other = 'nxdomain'", 65, [([], 3)]),
    ("a = '10.10.34.36', other = 'pass'", 65, []),
    ("aaaa = 'd0::11'", 28, [(["d0::11"], 0)]),
    ("rcode = 'nxdomain'", 1, [([], 3)]),
    ("rcode = 'servfail'", 16, [([], 2)]),
    ("rcode = 'refused'", 1, [([], 5)]),
    ("rcode = 'empty'", 1, [([], 0)]),
    ("a = '1.2.3.4', count = 2", 1, [(["1.2.3.4"], 0)] * 2),
    ("a = '1.2.3.4', cname = 'x.example'", 1, [(["x.example.", "1.2.3.4"], 0)]),
    ("injectors = [{ a = '1.1.1.1' }, { rcode = 'nxdomain' }]", 1, [(["1.1.1.1"], 0), ([], 3)]),
]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(("action", "qtype", "expected"), DNS_ROWS)
def test_dns_answers(action: str, qtype: int, expected: list[tuple[list[str], int]], tcp: bool) -> None:
    decision = ask(acting(f"dns = {{ {action} }}"), qtype=qtype, tcp=tcp)
    assert [(addresses, rcode) for addresses, rcode, _ in answers(decision)] == expected
    assert passed(decision) is not bool(expected)


def test_dns_races_on_the_path_and_may_race_in_it() -> None:
    assert passed(ask(acting("dns.a = '1.2.3.4'", "", "mode = 'on-path'")))
    assert passed(ask(acting("dns = { a = '1.2.3.4', replace = false }")))


def test_dns_injectors_have_delays_and_mirror_the_ttl() -> None:
    lane = acting(
        "dns = { a = '1.2.3.4', ttl = 418, ip_ttl = 51, injectors = [{ delay = 0.001 }, "
        "{ delay = [0.002, 0.003], ip_ttl = 'mirror' }] }",
        "",
        "mode = 'on-path'\nreaction_time = '1ms'",
    )
    lane.server_port = 53
    first, second = injected(lane.udp(dns_query(), ttl=33))
    assert (first[1].ttl, second[1].ttl) == (51, 33)
    assert first[2] == pytest.approx(0.002)
    assert 0.003 <= second[2] <= 0.004
    assert dns.message.from_wire(first[1].payload).answer[0].ttl == 418


def test_dns_picks_at_random_or_in_turn() -> None:
    lane = acting("dns = { a = ['1.1.1.1', '2.2.2.2'], pick = 'turn' }")
    assert [answers(ask(lane))[0][0] for _ in range(3)] == [["1.1.1.1"], ["2.2.2.2"], ["1.1.1.1"]]
    lane = acting("dns = { a = ['1.1.1.1', '2.2.2.2'], pick = 'random' }")
    assert {answers(ask(lane))[0][0][0] for _ in range(40)} == {"1.1.1.1", "2.2.2.2"}


def test_dns_forger_leaves_everything_but_queries_to_later_rules() -> None:
    lane = Lane("[[rule]]\naction = { dns.a = '1.2.3.4' }\n[[rule]]\nmatch.payload = 'bad'\naction = 'drop'")
    assert not passed(lane.udp(b"bad"))
    assert passed(lane.udp(b"good"))


def test_a_connection_that_was_taken_over_ends_in_peace() -> None:
    lane = acting("dns.a = '1.2.3.4'", "dns.transport = 'tcp'")
    first = ask(lane, tcp=True)
    lane.ack += injected(first)[0][1].payload_size
    assert not passed(lane.say(b"late", out=False, keep=True)), "the true server is cut off"
    query = dns_query("other.example")
    again = lane.say(struct.pack("!H", len(query)) + query)
    assert answers(again)[0][0] == ["1.2.3.4"], "a second query on the connection is answered too"
    lane.ack += injected(again)[0][1].payload_size
    closing = lane.segment(FIN | ACK)
    assert not closing.forward
    ((_, packet, _),) = injected(closing)
    assert (packet.flags, packet.ack) == (FIN | ACK, lane.seq + 1)


# HTTP


def forged_page(decision: Decision) -> bytes:
    return b"".join(packet.payload for way, packet, _ in injected(decision) if way == "client")


def test_http_block_page_takes_the_connection_over() -> None:
    lane = acting(
        "http = { status = 403, body = '<iframe>', headers = { X-Y = 'z' } }", "http.host = 'blocked.example'"
    )
    lane.open()
    decision = lane.say(http_get())
    assert not decision.forward
    page = forged_page(decision)
    assert page.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"\r\nX-Y: z\r\n" in page
    assert b"\r\nContent-Length: 8\r\n" in page
    assert page.endswith(b"\r\n\r\n<iframe>")
    last = [packet for way, packet, _ in injected(decision) if way == "client"][-1]
    assert last.flags & FIN
    assert [packet.flags & RST for way, packet, _ in injected(decision) if way == "server"] == [RST]
    assert not passed(lane.say(b"HTTP/1.1 200 OK\r\n\r\n", out=False))


def test_http_redirect_raw_bytes_and_long_pages() -> None:
    page = forged_page(acting("http.redirect = 'http://10.10.34.36/'", "payload = 'GET'").say(http_get()))
    assert page.startswith(b"HTTP/1.1 302 Found\r\nLocation: http://10.10.34.36/\r\n")
    assert forged_page(acting("http.raw = 'hex:00ff'").say(b"x")) == b"\x00\xff"
    lane = acting(f"http.body = '{'x' * 5000}'")
    decision = lane.say(b"x", keep=True)
    packets = [packet for way, packet, _ in injected(decision) if way == "client"]
    assert len(packets) == 4
    assert [packet.seq for packet in packets][1:] == [packet.seq + packet.payload_size for packet in packets][:-1]


def test_http_may_close_by_reset_or_not_at_all_and_spare_the_server() -> None:
    decision = acting("http = { status = 451, close = 'rst', server = 'nothing' }").say(b"x")
    assert [(way, bool(packet.flags & RST)) for way, packet, _ in injected(decision)] == [
        ("client", False),
        ("client", True),
    ]
    decision = acting("http = { status = 451, close = 'none' }", "", "mode = 'on-path'").say(b"x")
    assert passed(decision)
    assert not any(packet.flags & FIN for _, packet, _ in injected(decision))


# send


def test_send_follows_the_numbers() -> None:
    lane = acting(
        "send = { data = 'abc', to = ['client', 'server'], count = 2, fin = true, interval = 1 }", "payload = 'bad'"
    )
    decision = lane.say(b"bad", keep=True)
    assert passed(decision)
    found = injected(decision)
    assert [(way, packet.seq, packet.payload, bool(packet.flags & FIN), delay) for way, packet, delay in found] == [
        ("client", lane.ack, b"abc", False, 0),
        ("client", lane.ack + 3, b"abc", True, 1),
        ("server", lane.seq + 3, b"abc", False, 0),
        ("server", lane.seq + 6, b"abc", True, 1),
    ]


def test_send_over_udp_and_only_for_the_offence() -> None:
    lane = acting("send = 'boo'", "payload = 'bad'", "state.scope = 'flow'")
    ((_, packet, _),) = injected(lane.udp(b"bad"))
    assert (packet.payload, packet.dport) == (b"boo", lane.port)
    assert not lane.udp(b"bad").inject

"""Every knob of state: scopes, residuals, how TCP is followed, reassembly, attention, delays, capacity."""

import itertools
import struct

import pytest

from rozaneh.lab.censor import forge
from rozaneh.lab.censor.packet import ACK, FIN, PSH, RST, SYN, checksum
from tests.lab.censor.craft import BLOCKED, OTHER, Lane, client_hello, dropping, passed

HELLO = client_hello()
SNI = "tls.sni = 'blocked.example'"


def pieces(data: bytes, *cuts: int) -> list[bytes]:
    places = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


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


# TCP


def test_reading_by_segment_misses_a_split_name_and_joining_finds_it() -> None:
    first, second = pieces(HELLO, 60)
    plain = dropping(SNI)
    assert passed(plain.say(first))
    assert passed(plain.say(second))
    joined = dropping(SNI, "reassembly = 'in-order'")
    assert passed(joined.say(first))
    assert not passed(joined.say(second))


def test_retransmissions_meet_the_same_verdict() -> None:
    for state in ("", "reassembly = 'in-order'", "scope = 'packet', reassembly = 'last-wins'"):
        lane = dropping(SNI, state)
        lane.open()
        assert not passed(lane.say(HELLO, keep=True))
        assert not passed(lane.say(HELLO, keep=True))


def test_joining_in_order_stops_at_an_overlap_and_waits_at_a_gap() -> None:
    first, second, third = pieces(HELLO, 40, 80)
    lane = dropping(SNI, "reassembly = 'in-order'")
    lane.open()
    start = lane.seq
    lane.seq = start + 40
    assert passed(lane.say(second))
    lane.seq = start
    assert passed(lane.say(first))
    lane.seq = start + 80
    assert passed(lane.say(third))
    lane.anew()
    lane.open()
    start = lane.seq
    lane.say(HELLO[:50])
    lane.seq = start + 40
    assert passed(lane.say(HELLO[40:]))


def test_out_of_order_segments_are_joined_when_the_box_can() -> None:
    first, second, third = pieces(HELLO, 40, 80)
    for mode in ("first-wins", "last-wins"):
        lane = dropping(SNI, f"reassembly = '{mode}'")
        lane.open()
        start = lane.seq
        for offset, piece in ((80, third), (0, first)):
            lane.seq = start + offset
            assert passed(lane.say(piece))
        lane.seq = start + 40
        assert not passed(lane.say(second))


@pytest.mark.parametrize(("mode", "fooled"), [("first-wins", True), ("last-wins", False)])
def test_overlapping_segments_the_first_or_the_last_copy_counts(mode: str, fooled: bool) -> None:
    decoy = client_hello("innocent.examp")
    assert len(decoy) < len(HELLO)
    lane = dropping(SNI, f"reassembly = '{mode}'")
    lane.open()
    lane.say(HELLO[:10], keep=True)
    start = lane.seq
    lane.seq = start + 10
    lane.say(b"\0" * (len(HELLO) - 20), keep=True)
    lane.say(HELLO[10:-10], keep=True)
    lane.seq = start + len(HELLO) - 10
    assert passed(lane.say(HELLO[-10:])) is fooled


def test_reassembly_has_a_bound() -> None:
    long = client_hello("blocked.example", alpn=[letter * 250 for letter in "abcdefgh"])
    name_last = b"\x16\3\1" + struct.pack("!H", len(long) - 5) + long[5:]
    for bound, free in ((100, True), (8000, False)):
        lane = dropping(
            "tls = { sni = 'blocked.example', complete = true }",
            f"reassembly = {{ tcp = 'in-order', bytes = {bound} }}",
        )
        lane.say(name_last[:500])
        assert passed(lane.say(name_last[500:])) is free


def test_records_are_joined_or_not() -> None:
    cut = client_hello(records=[60])
    for records, free in (("false", True), ("true", False)):
        lane = dropping(SNI, f"reassembly = {{ tcp = 'in-order', records = {records} }}")
        assert passed(lane.say(cut)) is free
    both = dropping(SNI, "reassembly = { tcp = 'in-order', records = true }")
    first, second = pieces(cut, 70)
    assert passed(both.say(first))
    assert not passed(both.say(second))


def test_an_inspector_that_needs_the_syn_ignores_the_rest() -> None:
    for start, free in (("any", False), ("syn", True), ("handshake", True)):
        assert passed(dropping(SNI, f"tcp.start = '{start}'").say(HELLO)) is free
    lane = dropping(SNI, "tcp.start = 'syn'")
    lane.syn()
    assert not passed(lane.say(HELLO))
    lane = dropping(SNI, "tcp.start = 'handshake'")
    lane.syn()
    assert passed(lane.say(HELLO))
    lane.anew()
    lane.open()
    assert not passed(lane.say(HELLO))


@pytest.mark.parametrize(("resync", "fooled"), [("true", False), ("false", True)])
def test_resync_after_a_reset(resync: str, fooled: bool) -> None:
    lane = dropping(SNI, f"tcp.resync_on_rst = {resync}, reassembly = 'in-order'")
    lane.open()
    lane.segment(RST)
    lane.seq += 5000
    assert passed(lane.say(HELLO)) is fooled


@pytest.mark.parametrize(("checks", "fooled"), [("true", False), ("false", True)])
def test_a_wrong_checksum_fools_those_who_do_not_look(checks: str, fooled: bool) -> None:
    lane = dropping(SNI, f"tcp.checksum = {checks}, reassembly = 'in-order'")
    lane.open()
    decoy = bytearray(forge.tcp_packet(lane.ends(), (lane.seq, lane.ack), PSH | ACK, bytes(len(HELLO))))
    decoy[36] ^= 0x55
    lane.raw(bytes(decoy))
    assert passed(lane.say(HELLO)) is fooled


@pytest.mark.parametrize(("believed", "flags", "free"), [("rst", RST, True), ("fin", FIN, True), ("fin", RST, False)])
def test_a_teardown_that_is_believed_ends_the_verdict(believed: str, flags: int, free: bool) -> None:
    lane = dropping(SNI, f"tcp = {{ start = 'syn', teardown = '{believed}' }}")
    lane.syn()
    assert not passed(lane.say(HELLO))
    lane.segment(flags | ACK)
    assert passed(lane.say(b"more")) is free
    if free:
        assert passed(lane.say(HELLO)), "it does not look again without a SYN"


def test_one_direction_may_be_all_the_box_sees() -> None:
    lane = dropping("payload = 'x'", "scope = 'packet', tcp.see = 'in'")
    assert passed(lane.say(b"x"))
    assert not passed(lane.say(b"x", out=False))


def test_a_second_syn_is_a_new_connection_or_not() -> None:
    for new_syn, free in (("true", True), ("false", False)):
        lane = dropping(SNI, f"tcp.new_syn = {new_syn}")
        lane.syn()
        assert not passed(lane.say(HELLO))
        lane.seq += 70000
        assert passed(lane.syn()) is free


def test_a_repeated_syn_is_the_same_connection() -> None:
    lane = dropping("flags = 'syn', flow.packets = 2")
    assert passed(lane.segment(SYN))
    assert not passed(lane.segment(SYN))


# IP fragments


def fragments(raw: bytes, size: int = 24) -> list[bytes]:
    body = raw[20:]
    found = []
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        more = 0x2000 if at + size < len(body) else 0
        head = bytearray(raw[:20])
        head[2:4] = struct.pack("!H", 20 + len(piece))
        head[4:6] = b"\x0b\xad"
        head[6:8] = struct.pack("!H", more | at // 8)
        head[10:12] = b"\0\0"
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
        found.append(bytes(head) + piece)
    return found


def fragments_v6(raw: bytes, size: int = 24) -> list[bytes]:
    body = raw[40:]
    found = []
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        header = bytes([raw[6], 0]) + struct.pack("!HI", at | (at + size < len(body)), 77)
        found.append(raw[:4] + struct.pack("!H", 8 + len(piece)) + b"\x2c" + raw[7:40] + header + piece)
    return found


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_are_ignored_joined_or_dropped(version: int) -> None:
    for how, expected in (("ignore", "passed"), ("reassemble", "last"), ("drop", "none")):
        lane = dropping(SNI, f"reassembly.fragments = '{how}'")
        cut = fragments
        if version == 6:
            lane.home, lane.there = "2a01:5ec0:77::5", "2606:2800:220:1::35"
            cut = fragments_v6
        parts = cut(forge.tcp_packet(lane.ends(), (1, 1), PSH | ACK, HELLO))
        answers = [passed(lane.raw(part)) for part in parts]
        wanted = {"passed": [True] * len(parts), "none": [False] * len(parts)}
        assert answers == wanted.get(expected, [True] * (len(parts) - 1) + [False]), how


def test_fragments_joined_out_of_order_and_rules_that_see_them() -> None:
    lane = dropping("payload.keyword = 'needle'", "scope = 'packet', reassembly.fragments = 'reassemble'")
    parts = fragments(forge.udp_packet(lane.ends(), b"hay " * 8 + b"needle" + b" hay" * 8))
    assert [passed(lane.raw(part)) for part in parts[::-1]] == [True] * (len(parts) - 1) + [False]
    for match, taken in (("any", [0, 1, 2]), ("first", [0]), ("later", [1, 2])):
        lane = dropping(f"fragment = '{match}'")
        parts = fragments(forge.udp_packet(lane.ends(), bytes(60)))
        assert [index for index, part in enumerate(parts) if not passed(lane.raw(part))] == taken


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

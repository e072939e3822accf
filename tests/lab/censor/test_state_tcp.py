"""How an inspector follows TCP: segments, records, overlaps, teardowns, checksums, fragments."""

import itertools
import struct

import pytest

from rozaneh.lab.censor import forge
from rozaneh.lab.censor.packet import ACK, FIN, PSH, RST, SYN, checksum
from tests.lab.censor.craft import client_hello, dropping, http_get, passed

HELLO = client_hello()
SNI = "tls.sni = 'blocked.example'"


def pieces(data: bytes, *cuts: int) -> list[bytes]:
    places = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


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


def test_what_the_client_said_is_known_when_the_answer_comes() -> None:
    lane = dropping(f"direction = 'in', {SNI}", "")
    lane.open()
    assert passed(lane.say(HELLO))
    assert not passed(lane.say(b"answer", out=False))
    lane.anew()
    lane.open()
    assert passed(lane.say(client_hello("other.example")))
    assert passed(lane.say(b"answer", out=False))


def test_a_request_is_known_when_its_answer_comes() -> None:
    lane = dropping("direction = 'in', http.host = 'blocked.example', http.status = 404", "")
    assert passed(lane.say(http_get()))
    assert passed(lane.say(b"HTTP/1.1 200 OK\r\n\r\n", out=False))
    assert not passed(lane.say(b"HTTP/1.1 404 Not Found\r\n\r\n", out=False))


@pytest.mark.parametrize("start", ["syn", "handshake"])
@pytest.mark.parametrize(("direction", "hello"), [("out", False), ("in", True)])
def test_an_inspector_sees_the_handshake_whichever_direction_the_rule_is_for(
    start: str, direction: str, hello: bool
) -> None:
    lane = dropping(f"direction = '{direction}', {SNI}", f"scope = 'packet', tcp.start = '{start}'")
    lane.open()
    assert passed(lane.say(HELLO)) is hello
    assert passed(lane.say(b"answer", out=False)) is (direction == "out")

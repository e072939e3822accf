"""Where packets go, what routers do to them, and what routers say."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.lab.topology import Link, Zone
from rozaneh.lab.wire import packet
from tests.lab.wire.internet import Internet, ipv4, ipv6

HOME, ABROAD, DOMESTIC, RESOLVER = "10.77.1.0", "93.184.216.34", "5.160.0.10", "10.202.77.53"
HOME6, ABROAD6 = "2a01:5ec0:77::100", "2606:2800:220::34"


@pytest.mark.parametrize(
    ("source", "sent", "target", "delay", "routers"),
    [
        ("home", ipv4(HOME, ABROAD), "abroad", 0.022, 7),
        ("home", ipv6(HOME6, ABROAD6), "abroad", 0.022, 7),
        ("abroad", ipv4(ABROAD, HOME), "home", 0.022, 7),
        ("home", ipv4(HOME, DOMESTIC), "domestic", 0.005, 4),
        ("home", ipv4(HOME, RESOLVER), "resolver", 0.003, 2),
        ("resolver", ipv4(RESOLVER, DOMESTIC), "domestic", 0.004, 2),
        ("domestic", ipv4(DOMESTIC, ABROAD), "abroad", 0.023, 5),
    ],
)
def test_a_packet_takes_its_time_and_its_routers(
    internet: Internet, *, source: str, sent: bytes, target: str, delay: float, routers: int
) -> None:
    internet.send(source, sent)
    ((when, where, raw),) = internet.settle()
    assert (when, where) == (delay, target)
    assert packet.ttl(raw) == 64 - routers
    if raw[0] >> 4 == 4:
        assert packet.checksum(raw[:20]) == b"\0\0"


@given(ttl=st.integers(2, 255), hops=st.integers(1, 254), payload=st.binary(max_size=60), protocol=st.integers(0, 255))
def test_lowering_the_ttl_keeps_the_header_checksum_right(ttl: int, hops: int, payload: bytes, protocol: int) -> None:
    if hops < ttl:
        lowered = packet.lowered(ipv4(HOME, ABROAD, payload, ttl=ttl, protocol=protocol), hops)
        assert packet.checksum(lowered[:20]) in {b"\0\0", b"\xff\xff"}
        assert lowered[8] == ttl - hops


@pytest.mark.parametrize("ttl", range(1, 8))
def test_every_hop_answers_a_traceroute_after_its_share_of_the_delay(internet: Internet, ttl: int) -> None:
    internet.send("home", ipv4(HOME, ABROAD, b"probe", ttl=ttl))
    ((when, where, raw),) = internet.settle()
    assert where == "home"
    assert when == pytest.approx(2 * 0.022 * ttl / 8)
    assert socket.inet_ntoa(raw[12:16]) == f"10.202.{ttl}.1"
    assert raw[20] == 11
    assert raw[28:48][12:20] == socket.inet_aton(HOME) + socket.inet_aton(ABROAD)
    assert packet.checksum(raw[20:]) == b"\0\0"


def test_hops_have_the_same_names_from_both_ends(internet: Internet) -> None:
    internet.send("abroad", ipv4(ABROAD, HOME, b"probe", ttl=7))
    ((_, where, raw),) = internet.settle()
    assert (where, socket.inet_ntoa(raw[12:16])) == ("abroad", "10.202.1.1")


def test_ipv6_hops_answer_with_their_own_kind_of_error(internet: Internet) -> None:
    internet.send("home", ipv6(HOME6, ABROAD6, b"probe", hops=4))
    ((_, where, raw),) = internet.settle()
    assert where == "home"
    assert socket.inet_ntop(socket.AF_INET6, raw[8:24]) == "2a01:5ec0:202:4::1"
    assert raw[40:42] == b"\x03\x00"
    pseudo = raw[8:40] + (len(raw) - 40).to_bytes(4, "big") + (58).to_bytes(4, "big")
    assert packet.checksum(pseudo + raw[40:]) == b"\0\0"


def test_nobody_answers_an_error_with_an_error(internet: Internet) -> None:
    internet.send("home", ipv4(HOME, ABROAD, b"\x03\x01" + bytes(20), ttl=2, protocol=1))
    assert internet.settle() == []


def test_the_first_router_says_that_there_is_no_route(internet: Internet) -> None:
    internet.send("home", ipv4(HOME, "203.0.113.9", b"x"))
    internet.send("home", ipv6(HOME6, "2001:db8::9", b"x"))
    (_, _, four), (_, _, six) = internet.settle()
    assert (four[20:22], socket.inet_ntoa(four[12:16])) == (b"\x03\x00", "10.202.1.1")
    assert six[40:42] == b"\x01\x00"


def test_what_is_for_many_ends_silently(internet: Internet) -> None:
    internet.send("home", ipv4(HOME, "224.0.0.22"))
    internet.send("home", ipv4(HOME, "255.255.255.255"))
    internet.send("home", ipv6(HOME6, "ff02::16"))
    assert internet.settle() == []
    assert internet.wire.counters["stray"] == 3


def test_a_black_hole_is_silent(internet: Internet) -> None:
    hole = internet.add("hole", Zone.WORLD, ["45.76.10.99"], Link(delay_ms=5))
    hole.port = None
    internet.send("home", ipv4(HOME, "45.76.10.99"))
    assert internet.settle() == []


def test_nobody_can_send_in_anothers_name(internet: Internet) -> None:
    internet.send("home", ipv4(DOMESTIC, ABROAD))
    internet.send("home", ipv4("203.0.113.1", ABROAD))
    assert internet.settle() == []
    assert internet.wire.counters["spoofed"] == 1


def test_who_has_gone_gets_nothing(internet: Internet) -> None:
    internet.wire.detach("abroad")
    internet.send("home", ipv4(HOME, ABROAD))
    ((_, where, raw),) = internet.settle()
    assert (where, raw[20]) == ("home", 3)


def test_fragments_are_routed_like_everything_else(internet: Internet) -> None:
    internet.send("home", ipv4(HOME, ABROAD, bytes(800), flags=0x2000))
    internet.send("home", ipv4(HOME, ABROAD, bytes(800), flags=100))
    assert [where for _, where, _ in internet.settle()] == ["abroad", "abroad"]


class TestTooLong:
    @pytest.fixture(autouse=True)
    def _narrow(self, internet: Internet) -> None:
        internet.wire.set_link(internet.endpoint("abroad"), Link(mtu=1280))

    def test_is_cut_where_that_is_allowed(self, internet: Internet) -> None:
        payload = bytes(range(250)) * 5 + bytes(150)
        internet.send("home", ipv4(HOME, ABROAD, payload))
        pieces = [raw for _, _, raw in internet.settle()]
        assert all(len(raw) <= 1280 and packet.checksum(raw[:20]) == b"\0\0" for raw in pieces)
        assert b"".join(raw[20:] for raw in sorted(pieces, key=lambda raw: raw[6:8][1] | (raw[6] & 31) << 8)) == payload
        assert [raw[6] >> 5 for raw in pieces] == [1, 0]

    def test_is_reported_where_it_is_not(self, internet: Internet) -> None:
        internet.send("home", ipv4(HOME, ABROAD, bytes(1400), flags=0x4000))
        internet.send("home", ipv6(HOME6, ABROAD6, bytes(1400)))
        (_, _, four), (_, _, six) = internet.settle()
        assert four[20:22] == b"\x03\x04"
        assert int.from_bytes(four[26:28], "big") == 1280
        assert six[40:42] == b"\x02\x00"
        assert int.from_bytes(six[44:48], "big") == 1280


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: b"\x45\x00\x00\x20" + tail))
def test_any_bytes_are_counted_and_never_raised(frame: bytes) -> None:
    internet = Internet()
    internet.censor("home", "operator", "border")
    internet.send("home", frame)
    internet.settle()
    assert internet.wire.counters["broken"] + internet.wire.counters["packets"] == 1

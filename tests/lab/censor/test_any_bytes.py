"""No bytes make a censor raise, and whatever it decides is well formed."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rozaneh.lab.censor import Engine, forge
from rozaneh.lab.censor.packet import read_packet
from rozaneh.lab.scenario import parse_scenario
from tests.lab.censor.craft import Clock, client_hello, dns_query, http_get

EVERYTHING = """
[[rule]]
at = "operator"
match = { any = [{ dns.qname.suffix = "example" }, { dns.answer = "10.0.0.0/8" }] }
action = { dns = { a = "10.10.34.36", aaaa = "d0::11", cname = "x.example" } }
[[rule]]
match = { tls = { sni.suffix = "example", ja4 = "t", extension = "alpn", version = "1.3" } }
state = { reassembly = { tcp = "last-wins", records = true, fragments = "reassemble" }, tcp.checksum = true }
action = "reset"
[[rule]]
match = { http.host.suffix = "example", http.keyword = "x" }
state = { reassembly = "first-wins", tcp.teardown = ["rst", "fin"] }
action = { http = { body = "page" } }
[[rule]]
match = { quic.sni.suffix = "example" }
action = { icmp = true, log = "quic" }
[[rule]]
match = { tls.certificate.san.suffix = "example" }
state = { reassembly = "in-order", delay = 0.01 }
action = { send = "bye", mark = { name = "seen", on = "pair", seconds = 1 } }
[[rule]]
match.looks_like = "unknown"
match.payload = { popcount = "3.4-4.6", longest_printable = ">2", first_printable = 1 }
state = { scope = "3-tuple", residual = { seconds = 0.05, renew = "offence", action = { loss = 0.5, jitter = 0.1 } } }
action = { freeze = 100, probe = true, rate = "1Mbit" }
[[rule]]
match = { fragment = "any", chance = 0.5 }
action = { reorder = 0.5 }
continue = true
[[rule]]
match = { checksum = "invalid", history = { kind = "flows", at_least = 3 } }
action = { null_route = { of = "prefix", length = 30, seconds = 0.1, icmp = true } }
[[rule]]
match = { protocol = "tcp", server.port = "<100", marked = { name = "seen", on = "pair" } }
action = { redirect = true }
"""
SCENARIO = parse_scenario(EVERYTHING)
ENDS = (bytes([10, 77, 0, 5]), 40000, bytes([93, 184, 216, 35]), 443)
ENDS_V6 = (bytes([0x2A] * 16), 40000, bytes([0x26] * 16), 53)

seeds = st.sampled_from(
    [
        b"",
        client_hello(),
        client_hello(records=[30]),
        http_get("www.example"),
        dns_query("a.example"),
        b"\0\x2c" + dns_query("a.example"),
        b"\x16\3\3\0\4\2\0\0\0",
        b"\xc3\0\0\0\1\x08" + bytes(1200),
        b"SSH-2.0-x\r\n",
    ]
)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    seed = bytearray(draw(seeds))
    for place, value in draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6)):
        if seed:
            seed[place % len(seed)] = value
    cut = draw(st.integers(0, len(seed)))
    return bytes(seed[:cut]) + draw(st.binary(max_size=40))


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    ends = draw(st.sampled_from([ENDS, ENDS_V6, (ENDS[2], 443, ENDS[0], 40000), (ENDS[0], 40000, ENDS[2], 53)]))
    kind = draw(st.sampled_from(["tcp", "udp", "other", "any"]))
    payload = draw(payloads())
    if kind == "any":
        return draw(st.binary(max_size=120))
    if kind == "other":
        raw = forge.ip_packet(draw(st.integers(0, 255)), ends[0], ends[2], payload)
    elif kind == "udp":
        raw = forge.udp_packet(ends, payload)
    else:
        numbers = (draw(st.integers(0, 3000)), draw(st.integers(0, 2**32 - 1)))
        raw = forge.tcp_packet(ends, numbers, draw(st.integers(0, 255)), payload)
    changed = bytearray(raw)
    for place, value in draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=4)):
        if place < len(changed):
            changed[place] = value
    return bytes(changed[: draw(st.integers(0, len(changed)))]) if draw(st.booleans()) else bytes(changed)


@settings(max_examples=300)
@given(st.lists(st.tuples(packets(), st.booleans(), st.sampled_from(["operator", "border"])), max_size=12))
def test_any_packets_get_decisions(crossing: list[tuple[bytes, bool, str]]) -> None:
    engine = Engine(SCENARIO, seed=1, clock=Clock("2022-09-21T12:00"))
    for index, (raw, outbound, place) in enumerate(crossing):
        decision = engine.packet(raw, outbound=outbound, place=place, now=index * 0.02)
        assert len(decision.forward) <= 1
        for changed, delay in decision.forward:
            assert changed or not raw
            assert delay >= 0
        for forged, toward, delay in decision.inject:
            packet = read_packet(forged, outbound=False, now=0.0)
            assert packet is not None
            assert packet.checksum_valid()
            assert toward in ("client", "server")
            assert delay >= 0
        for request in decision.events:
            assert msgspec.json.encode(request)
            engine.probe_result(request.token, frozenset(("open",)), index * 0.02)


@settings(max_examples=50)
@given(st.lists(st.tuples(packets(), st.booleans()), max_size=10))
def test_the_same_packets_get_the_same_decisions(crossing: list[tuple[bytes, bool]]) -> None:
    def run() -> list[object]:
        engine = Engine(SCENARIO, seed=7, clock=Clock("2022-09-21T12:00"))
        found: list[object] = []
        for index, (raw, outbound) in enumerate(crossing):
            decision = engine.packet(raw, outbound=outbound, place="border", now=index * 0.02)
            found.append((decision.forward, decision.inject, decision.events))
        return found

    assert run() == run()

"""Targets for the censors' own parsers and for scenario files."""

import functools
import ipaddress
from contextlib import suppress
from datetime import UTC, datetime

from rozaneh.core import LocalFault
from rozaneh.lab.censor import Engine, classify, forge, parse_dns, parse_http, parse_tls
from rozaneh.lab.censor.packet import read_packet
from rozaneh.lab.censor.parse_quic import InitialReader, read_header
from rozaneh.lab.scenario import Scenario, parse_scenario, variants

_RULES = """
[[rule]]
match.any = [{ dns.qname.suffix = "a" }, { tls.sni.suffix = "a" }, { http.host = "a" }, { quic.sni.suffix = "a" }]
state.scope = "flow"
state.reassembly = { tcp = "last-wins", records = true, fragments = "reassemble" }
state.tcp.checksum = true
action = { reset = true, dns.rcode = "nxdomain", http.status = 403, icmp = true }
[[rule]]
match = { looks_like = "unknown", payload.popcount = ">1", not = { tls.certificate.san = "a" } }
action = { send = "x", rate = 1000, null_route.of = "prefix" }
"""


class _Clock:
    def now(self) -> datetime:
        return datetime(2022, 9, 21, 12, tzinfo=UTC)


@functools.cache
def _scenario() -> Scenario:
    return parse_scenario(_RULES)


def fuzz_packet(data: bytes) -> None:
    """Packets of up to 255 bytes, each with its length and direction in front."""
    engine = Engine(_scenario(), clock=_Clock())
    at, now = 0, 0.0
    while at + 2 <= len(data):
        raw = data[at + 2 : at + 2 + data[at]]
        engine.packet(raw, outbound=bool(data[at + 1] & 1), place="border", now=now)
        at += 2 + data[at]
        now += 0.1


def fuzz_payload(data: bytes) -> None:
    """One payload, over TCP and UDP, in clear and cut in two."""
    engine = Engine(_scenario(), clock=_Clock())
    ends = ipaddress.ip_address("10.77.0.5").packed, 40000, ipaddress.ip_address("93.184.216.35").packed, 443
    engine.packet(forge.udp_packet(ends, data), outbound=True, place="border", now=0.0)
    for number, piece in ((1, data[: len(data) // 2]), (1 + len(data) // 2, data[len(data) // 2 :])):
        raw = forge.tcp_packet(ends, (number, 1), 0x18, piece)
        engine.packet(raw, outbound=True, place="border", now=0.1)


def fuzz_parsers(data: bytes) -> None:
    for join in (False, True):
        parse_tls.read_hello(data, join_records=join)
    certificate = parse_tls.first_certificate(data)
    if certificate is not None:
        parse_tls.read_certificate(certificate)
    parse_tls.read_certificate(data)
    message = parse_dns.read_message(data)
    if message is not None:
        assert parse_dns.read_message(parse_dns.forge_answer(message, rcode=3)) is not None
    parse_http.read_request(data)
    parse_http.read_status(data)
    read_header(data)
    InitialReader().feed(data)
    packet = read_packet(data, outbound=True, now=0.0)
    if packet is not None:
        assert packet.l4 <= packet.end <= len(data)
        packet.checksum_valid()
    for tcp in (False, True):
        classify.classify(data, tcp=tcp, limit=16)


def fuzz_scenario_text(data: bytes) -> None:
    """Any file is a scenario or one line that says why not."""
    said = "fuzzed.toml"
    scenario = Scenario()
    try:
        scenario = parse_scenario(data, "fuzzed.toml")
    except LocalFault as fault:
        said = str(fault)
    assert "\n" not in said
    assert said.startswith("fuzzed.toml")
    with suppress(LocalFault):
        for variant in variants(scenario):
            Engine(variant.scenario, clock=_Clock())

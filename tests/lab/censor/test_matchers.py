"""Every matcher: a packet that it takes, and one that it leaves."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from rozaneh.lab.censor import Decision, forge
from rozaneh.lab.censor.fingerprint import ja3, ja4
from rozaneh.lab.censor.packet import ACK, FIN, RST, SYN
from rozaneh.lab.censor.parse_tls import read_hello
from tests.lab.censor.craft import (
    OTHER,
    Lane,
    client_hello,
    dns_answer,
    dns_query,
    dropping,
    http_get,
    passed,
)

Send = Callable[[Lane], Decision]
HELLO = client_hello()
RANDOM = bytes.fromhex("8f1d3c7ae2059b46d1f0283e6c95ba47" * 14)


def say(payload: bytes, *, out: bool = True, **how: Any) -> Send:
    return lambda lane: lane.say(payload, out=out, **how)


def later(seconds: float, payload: bytes) -> Send:
    def send(lane: Lane) -> Decision:
        lane.wait(seconds)
        return lane.say(payload)

    return send


def udp(payload: bytes, *, out: bool = True, **how: Any) -> Send:
    return lambda lane: lane.udp(payload, out=out, **how)


def at(server: str = "", *, port: int = 443, client_port: int = 40000, payload: bytes = b"x") -> Send:
    def send(lane: Lane) -> Decision:
        lane.there, lane.server_port, lane.port = server or lane.there, port, client_port
        return lane.say(payload)

    return send


def both(*sends: Send) -> Send:
    """Several packets; the answer to the last one counts."""

    def send(lane: Lane) -> Decision:
        return [one(lane) for one in sends][-1]

    return send


def v6(lane: Lane) -> Decision:
    lane.home, lane.there = "2a01:5ec0:77::5", "2606:2800:220:1::35"
    return lane.say(b"x")


def segment(flags: int) -> Send:
    return lambda lane: lane.segment(flags)


def spoiled(lane: Lane) -> Decision:
    raw = bytearray(forge.tcp_packet(lane.ends(), (1, 1), ACK, b"x"))
    raw[36] ^= 1
    return lane.raw(bytes(raw))


def initial(name: str, *, version: int = 1) -> bytes:
    configuration = QuicConfiguration(
        is_client=True, server_name=name, alpn_protocols=["h3"], original_version=version, supported_versions=[version]
    )
    connection = QuicConnection(configuration=configuration)
    connection.connect(("192.0.2.1", 443), now=0.0)
    return connection.datagrams_to_send(now=0.0)[0][0]


def digest(kind: Callable[..., str]) -> str:
    hello = read_hello(HELLO, join_records=False)
    assert hello is not None
    return kind(hello)


PACKETS = [
    ("direction = 'out'", say(b"x"), say(b"x", out=False)),
    ("ip = 6", v6, say(b"x")),
    ("ip = 4", say(b"x"), v6),
    ("protocol = 'udp'", udp(b"x"), say(b"x")),
    ("protocol = ['tcp', 132]", say(b"x"), udp(b"x")),
    ("protocol = 'icmp'", lambda lane: lane.ping(), udp(b"x")),
    ("icmp = { type = 8, code = 0 }", lambda lane: lane.ping(), lambda lane: lane.ping(kind=13)),
    ("server.address = '93.184.216.35'", say(b"x", out=False), at(OTHER)),
    ("server = ['10.0.0.0/8', '93.184.216.32/30']", at("93.184.216.35"), at("93.184.216.36")),
    ("server = 'blocked.example'", v6, at(OTHER)),
    ("destination = '93.184.216.35'", say(b"x"), say(b"x", out=False)),
    ("source = '93.184.216.35'", say(b"x", out=False), say(b"x")),
    ("client.network = 'mobile'", say(b"x"), at("5.160.0.10", client_port=9, port=10)),
    ("server.network = 'domestic'", at("5.160.0.10"), say(b"x")),
    ("server.network = 'world'", say(b"x"), at("5.160.0.10")),
    ("server.network = 'cloudflare'", at("104.16.0.1"), say(b"x")),
    ("server.asn = 'AS13335'", at("1.1.1.1"), at("8.8.8.8")),
    ("server.port = [80, '440-450']", at(port=443), at(port=8443)),
    ("server.port = '>1000'", at(port=8443), at(port=443)),
    ("port = 443", say(b"x", out=False), at(port=8443)),
    ("client.port = 40000", say(b"x", out=False), at(client_port=40001)),
    ("port_order = 'source-above'", say(b"x"), say(b"x", out=False)),
    ("port_order = 'equal'", at(client_port=443), say(b"x")),
    ("ttl = '<10'", say(b"x", ttl=9), say(b"x", ttl=10)),
    ("ip_id = 7", say(b"x", ip_id=7), say(b"x", ip_id=8)),
    ("size = { at_most = 41 }", say(b"x"), say(b"xx")),
    ("payload_size = [3, '5-7']", say(b"123456"), say(b"1234")),
    ("flags = 'syn'", segment(SYN | ACK), segment(ACK)),
    ("flags = { all = 'syn', none = 'ack' }", segment(SYN), segment(SYN | ACK)),
    ("flags = ['fin', 'ack']", segment(FIN | ACK), segment(FIN)),
    ("flags = { none = 'rst' }", segment(ACK), segment(RST)),
    ("checksum = 'invalid'", spoiled, say(b"x")),
    ("checksum = 'valid'", say(b"x"), spoiled),
    ("any = [{ ttl = 5 }, { payload.prefix = 'y' }]", say(b"y"), say(b"x")),
    ("all = [{ protocol = 'tcp' }, { payload.prefix = 'y' }]", say(b"y"), udp(b"y")),
    ("protocol = 'tcp', not = { payload.prefix = 'y' }", say(b"x"), say(b"y")),
    ("not = [{ protocol = 'udp' }, { ttl = '<9' }]", say(b"x"), say(b"x", ttl=8)),
]

NAMES = [
    ("dns.qname = 'blocked.example'", udp(dns_query("BLOCKED.example")), udp(dns_query("www.blocked.example"))),
    (
        "dns.qname.suffix = 'blocked.example'",
        udp(dns_query("a.b.blocked.example")),
        udp(dns_query("unblocked.example")),
    ),
    ("dns.qname.label = 'blocked'", udp(dns_query("x.blocked.org")), udp(dns_query("blocked-not.org"))),
    ("dns.qname.keyword = 'lock'", udp(dns_query("unlocked.org")), udp(dns_query("open.org"))),
    ("dns.qname = '*.blocked.example'", udp(dns_query("a.blocked.example")), udp(dns_query("blocked.example"))),
    ("dns.qtype = ['AAAA', 65]", udp(dns_query(qtype=65)), udp(dns_query(qtype=1))),
    ("dns.transport = 'tcp'", say(b"\0\x2c" + dns_query()), udp(dns_query())),
    ("dns.transport = 'udp'", udp(dns_query()), say(b"\0\x2c" + dns_query())),
    ("dns.message = 'answer'", udp(dns_answer("x.org", "1.2.3.4"), out=False), udp(dns_query())),
    ("dns.answer = '10.0.0.0/8'", udp(dns_answer("x.org", "10.1.2.3")), udp(dns_answer("x.org", "1.2.3.4"))),
    ("dns.rcode = 3", udp(dns_answer("x.org", "1.2.3.4", rcode=3)), udp(dns_answer("x.org", "1.2.3.4"))),
    ("http.host.suffix = 'blocked.example'", say(http_get("www.blocked.example:80")), say(http_get("example.org"))),
    ("http.host.present = false", say(b"GET / HTTP/1.0\r\n\r\n"), say(http_get())),
    ("http.method = ['POST', 'put']", say(b"PUT / HTTP/1.1\r\n\r\n"), say(http_get())),
    ("http.path.keyword = 'secret'", say(http_get(path="/a/Secret/b")), say(http_get())),
    ("http.path.prefix = '/a/'", say(http_get(path="/a/b")), say(http_get(path="/b/a/"))),
    ("http.header.user-agent.prefix = 'curl'", say(http_get()), say(b"GET / HTTP/1.1\r\nUser-Agent: x\r\n\r\n")),
    ("http.keyword = 'falun'", say(http_get(extra="X: falun\r\n")), say(http_get())),
    ("http = { keyword = 'falun', within = 40 }", say(http_get("falun")), say(http_get(extra="X: falun\r\n"))),
    ("http.first_bytes = 'GET /x'", say(http_get(path="/xy")), say(http_get(path="/y"))),
    ("http.status = '>=400'", say(b"HTTP/1.1 403 No\r\n\r\n", out=False), say(b"HTTP/1.1 200 OK\r\n\r\n", out=False)),
    ("tls.sni = 'blocked.example'", say(HELLO), say(client_hello("www.blocked.example"))),
    ("tls.sni.suffix = '*.example'", say(HELLO), say(client_hello("blocked.org"))),
    ("tls.sni.present = false", say(client_hello(None)), say(HELLO)),
    ("tls.sni.present = true", say(HELLO), say(client_hello(None))),
    ("tls.sni.present = true, not = { tls.sni.suffix = 'good.org' }", say(HELLO), say(client_hello("a.good.org"))),
    ("tls.extension = 0xffce", say(client_hello(extensions=[0xFFCE])), say(HELLO)),
    ("tls.extension = ['esni', 'ech']", say(client_hello(extensions=[0xFE0D])), say(HELLO)),
    ("tls.alpn = 'h2'", say(HELLO), say(client_hello(alpn=["http/1.1"]))),
    ("tls.version = '1.3'", say(HELLO), say(client_hello(versions=[]))),
    ("tls.version = 1.2", say(client_hello(versions=[])), say(HELLO)),
    (f"tls.ja3 = '{digest(ja3)[:12]}'", say(HELLO), say(client_hello(ciphers=[0x1301]))),
    (f"tls.ja4 = ['t00', '{digest(ja4)}']", say(HELLO), say(client_hello(ciphers=[0x1301]))),
    ("tls.cipher = 0x1303", say(HELLO), say(client_hello(ciphers=[0x1301]))),
    ("tls.first_cipher = 0x1303", say(client_hello(ciphers=[0x0A0A, 0x1303, 0x1301])), say(HELLO)),
    ("tls.records = '>=2'", say(client_hello(records=[1])), say(HELLO)),
    ("tls.records = 3", say(client_hello(records=[1, 7])), say(client_hello(records=[1]))),
    ("tls.hello_size = '>500'", say(client_hello(padding=600)), say(HELLO)),
    ("tls.hello = 'client'", say(HELLO), say(b"\x16\3\3\0\4\2\0\0\0", out=False)),
    ("tls.hello = 'server'", say(b"\x16\3\3\0\4\2\0\0\0", out=False), say(HELLO)),
    ("tls.complete = false", say(client_hello(records=[9])), say(HELLO)),
    ("tls.complete = true", say(HELLO), say(client_hello(records=[9]))),
    ("tls.record = { type = 'alert', length = 2 }", say(b"\x15\3\3\0\2\2\x28"), say(b"\x17\3\3\0\2ab")),
    ("tls.record.length = '>=1000'", say(b"\x17\3\3\x10\0ab"), say(b"\x17\3\3\0\2ab")),
    ("tls.server_hello = true", both(say(b"\x16\3\3\0\4\2\0\0\0", out=False), say(b"x")), say(b"x")),
    ("quic.sni.suffix = 'blocked.example'", udp(initial("blocked.example")), udp(initial("example.org"))),
    ("quic.sni = 'blocked.example'", udp(initial("blocked.example", version=0x6B3343CF)), udp(HELLO)),
    ("quic.alpn = 'h3'", udp(initial("example.org")), udp(RANDOM)),
    ("quic.version = 'v1'", udp(initial("a.org")), udp(initial("a.org", version=0x6B3343CF))),
    ("quic.packet = 'initial'", udp(initial("a.org")), udp(b"\xe0\0\0\0\1\4abcd\4efgh" + RANDOM)),
    ("quic.header = 'short'", udp(b"\x41" + RANDOM), udp(initial("a.org"))),
    ("quic.header = 'long'", udp(initial("a.org")), udp(b"\x41" + RANDOM)),
]

BYTES = [
    ("payload = 'ab'", say(b"abc"), say(b"bc")),
    ("payload.prefix = ['hex:0102', 'zz']", say(b"\1\2\3"), say(b"\1\3")),
    ("payload.keyword = 'needle'", udp(b"hay needle hay"), udp(b"hay")),
    ("payload = { keyword = 'needle', within = 6 }", udp(b"needle hay"), udp(b"hay needle")),
    ("payload.bytes = { offset = 2, is = 'hex:ff' }", say(b"\0\0\xff"), say(b"\xff\0\0")),
    ("payload.bytes = { offset = -1, is = ['a', 'b'] }", say(b"xxb"), say(b"bxx")),
    ("payload.bytes = [{ offset = 0, is = 'a' }, { offset = 2, is = 'c' }]", say(b"abc"), say(b"abd")),
    ("payload.popcount = '3.4-4.6'", say(RANDOM), say(bytes(100))),
    ("payload.printable_share = '>0.5'", say(b"abcd\0\1"), say(b"a\0\1")),
    ("payload.first_printable = '>=6'", say(b"abcdef\0"), say(b"abcde\0f")),
    ("payload.longest_printable = '>20'", say(b"\0" + b"a" * 21 + b"\0"), say(b"\0" + b"a" * 20 + b"\0" + b"b" * 20)),
    ("payload.size = [92, 148]", udp(bytes(148)), udp(bytes(149))),
    ("looks_like = 'tls'", say(HELLO), say(http_get())),
    ("looks_like = { protocol = 'tls', bytes = 5 }", say(b"\x16\3\1\2\0"), say(b"\x16\2\1\2\0")),
    ("looks_like = 'http'", say(http_get()), say(b"GET /\r\n")),
    ("looks_like = 'ssh'", say(b"SSH-2.0-x\r\n", out=False), say(b"SSL-2.0-x\r\n")),
    ("looks_like = 'dns'", udp(dns_query()), udp(RANDOM)),
    ("looks_like = 'dns'", say(b"\0\x2c" + dns_query()), say(dns_query())),
    ("looks_like = 'quic'", udp(initial("a.org")), udp(RANDOM)),
    ("looks_like = 'wireguard'", udp(b"\1\0\0\0" + bytes(144)), udp(b"\1\0\0\0" + bytes(140))),
    ("looks_like = 'openvpn'", udp(b"\x38" + bytes(13)), udp(b"\x37" + bytes(13))),
    ("looks_like = 'unknown'", say(RANDOM), say(HELLO)),
    ("looks_like = ['unknown', 'ssh']", udp(RANDOM), udp(dns_query())),
]

FLOWS = [
    ("flow.bytes = '>100'", both(say(b"x" * 30), say(b"y" * 30)), both(say(b"x"), say(b"y"))),
    ("flow.bytes_out = '>100'", both(say(b"x" * 60), say(b"y")), both(say(b"x" * 60, out=False), say(b"y"))),
    ("flow.bytes_in = '>60'", both(say(b"x" * 60, out=False), say(b"y")), both(say(b"x" * 60), say(b"y"))),
    ("flow.packets = '>=3'", both(say(b"x"), say(b"x", out=False), say(b"x")), both(say(b"x"), say(b"x"))),
    ("flow.packets_out = 2", both(say(b"x"), say(b"x", out=False), say(b"x")), both(say(b"x", out=False), say(b"x"))),
    ("flow.packets_in = 1", both(say(b"x", out=False), say(b"x")), say(b"x")),
    ("flow.age = '>=1'", both(say(b"x"), later(1, b"x")), both(say(b"x"), say(b"x"))),
    (
        "flow.idle = '>=1m'",
        both(say(b"x"), later(60, b"x")),
        both(say(b"x"), say(b"x")),
    ),
    ("flow.data_packet = 2", both(say(b"x"), segment(ACK), say(b"x")), both(say(b"x"), say(b"x", out=False))),
    (
        "flow.opened = 'inside'",
        both(segment(SYN), say(b"x", out=False)),
        both(lambda lane: lane.syn(out=False), say(b"x")),
    ),
    ("flow.opened = 'outside'", both(lambda lane: lane.syn(out=False), say(b"x")), both(segment(SYN), say(b"x"))),
    ("flow.established = true", both(lambda lane: lane.open(), say(b"x")), both(segment(SYN), say(b"x"))),
    (
        "flow.window = { seconds = 1, bytes = '>=150' }",
        both(say(b"x" * 40), say(b"x" * 40)),
        both(say(b"x" * 40), later(1, b"x" * 40)),
    ),
    ("flow.window = { packets = 2, direction = 'in' }", both(*[say(b"x", out=False)] * 2), both(*[say(b"x")] * 2)),
]

ROWS = [*PACKETS, *NAMES, *BYTES, *FLOWS]


@pytest.mark.parametrize(
    ("match", "hit", "miss"), ROWS, ids=[f"{index}-{row[0][:40]}" for index, row in enumerate(ROWS)]
)
def test_takes_what_fits_and_leaves_the_rest(match: str, hit: Send, miss: Send) -> None:
    assert not passed(hit(dropping(match)))
    assert passed(miss(dropping(match)))


def test_certificate_names_of_tls_1_2() -> None:
    import trustme

    issued = trustme.CA(organization_name="State Works").issue_cert("secret.example", common_name="secret.example")
    der = __import__("ssl").PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    listed = len(der).to_bytes(3, "big") + der
    message = b"\x0b" + (len(listed) + 3).to_bytes(3, "big") + len(listed).to_bytes(3, "big") + listed
    flight = b"\x16\3\3\0\4\2\0\0\0" + b"\x16\3\3" + len(message).to_bytes(2, "big") + message
    for match, hit in (
        ("certificate.subject.suffix = 'secret.example'", True),
        ("certificate = { san = 'secret.example', issuer.keyword = 'state works' }", True),
        ("certificate.issuer.keyword = 'Let us'", False),
        ("certificate = 'other.example'", False),
    ):
        assert passed(dropping(f"tls.{match}").say(flight, out=False)) is not hit
    joined = dropping("tls.certificate = 'secret.example'", "scope = 'flow', reassembly.tcp = 'in-order'")
    assert passed(joined.say(flight[:300], out=False))
    assert not passed(joined.say(flight[300:], out=False))


def test_quic_name_in_several_initials_in_any_order() -> None:
    configuration = QuicConfiguration(is_client=True, server_name="blocked.example")
    configuration.alpn_protocols = ["h3", *(letter * 200 for letter in "abcdefg")]
    connection = QuicConnection(configuration=configuration)
    connection.connect(("192.0.2.1", 443), now=0.0)
    datagrams = [data for data, _ in connection.datagrams_to_send(now=0.0)]
    assert len(datagrams) > 1
    for order in (datagrams, datagrams[::-1]):
        lane = dropping("quic = { sni = 'blocked.example', extension = 'quic_transport_parameters' }")
        answers = [passed(lane.udp(data)) for data in order]
        assert answers[-1] is False


def test_random_bytes_are_seldom_a_class() -> None:
    lane = dropping("looks_like = 'unknown'")
    assert sum(passed(lane.udp(os.urandom(200))) for _ in range(200)) < 10

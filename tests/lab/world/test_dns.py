import base64
import socket
import ssl
import struct
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import RemoteFault
from rozaneh.lab.topology import Service, World
from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.dns import answer, parse_question, refusal
from tests.lab.world.conftest import SECONDS, Served

_WORLD = World(
    service=(
        Service(kind="web", names=("site.example", "*.wild.example"), addresses=("93.184.216.34", "2606:2800::34")),
        Service(kind="plain-resolver", names=("four.example",), addresses=("93.184.216.35",)),
        Service(kind="echo", names=("many.example",), addresses=tuple(f"93.184.217.{n}" for n in range(1, 101))),
    )
)


def _ask(name: str, kind: str = "A", *, udp: bool = True, payload: int = 0) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0 if payload else -1, payload=payload)
    return dns.message.from_wire(answer(parse_question(query.to_wire()), Directory(_WORLD), udp=udp))


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("site.example", "A", ["93.184.216.34"]),
        ("SITE.eXample", "A", ["93.184.216.34"]),
        ("site.example", "AAAA", ["2606:2800::34"]),
        ("site.example", "HTTPS", ['1 . alpn="h3"']),
        ("a.wild.example", "A", ["93.184.216.34"]),
        ("a.b.wild.example", "A", ["93.184.216.34"]),
        ("four.example", "AAAA", []),
        ("four.example", "HTTPS", []),
        ("site.example", "TXT", []),
        ("example", "A", []),
    ],
)
def test_a_name_of_the_world_is_answered(name: str, kind: str, found: list[str]) -> None:
    response = _ask(name, kind)
    assert response.rcode() == dns.rcode.NOERROR
    assert [record.to_text() for section in response.answer for record in section] == found
    assert bool(response.authority) == (not found)


def test_an_unknown_name_does_not_exist() -> None:
    response = _ask("nobody.example")
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert response.authority[0].rdtype == dns.rdatatype.SOA


def test_upper_and_lower_case_come_back_as_they_were_sent() -> None:
    assert _ask("SiTe.ExAmPlE").question[0].name.to_text() == "SiTe.ExAmPlE."


@pytest.mark.parametrize(("payload", "truncated"), [(0, True), (512, True), (1232, True), (4096, True)])
def test_a_long_answer_is_truncated_over_udp(payload: int, truncated: bool) -> None:
    response = _ask("many.example", payload=payload)
    assert bool(response.flags & dns.flags.TC) == truncated
    assert (response.edns == 0) == bool(payload)


def test_a_long_answer_is_whole_over_tcp() -> None:
    assert len(_ask("many.example", udp=False).answer[0]) == 100


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0" * 12,
        struct.pack("!6H", 1, 0x8000, 1, 0, 0, 0) + b"\1a\0\0\1\0\1",  # an answer
        struct.pack("!6H", 1, 0, 2, 0, 0, 0) + b"\1a\0\0\1\0\1" * 2,  # two questions
        struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",  # a pointer to itself
        struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\1a\0\0\1\0\3",  # class CHAOS
        struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\1a\0\0",  # cut off
        struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\x3f" * 300,  # a name too long
    ],
)
def test_what_is_no_question_is_refused(message: bytes) -> None:
    with pytest.raises(RemoteFault):
        parse_question(message)
    reply = refusal(message)
    assert reply is None or dns.message.from_wire(reply).rcode() == dns.rcode.FORMERR


@given(st.binary(max_size=600))
def test_any_bytes_are_a_question_or_a_fault(message: bytes) -> None:
    try:
        question = parse_question(message)
    except RemoteFault:
        return
    dns.message.from_wire(answer(question, Directory(_WORLD), udp=True), ignore_trailing=True)


@pytest.mark.parametrize("resolver", ["8.8.8.8", "2606:4700:4700::1111", "10.202.77.53"])
def test_resolvers_answer_over_udp_and_tcp(served: Served, resolver: str) -> None:
    query = dns.message.make_query("www.instagram.com", "A").to_wire()
    assert "157.240.1.174" in dns.message.from_wire(served.ask(resolver, 53, query)).answer[0].to_text()
    with served.connect(resolver, 53) as stream:
        assert "157.240.1.174" in _over_stream(stream, query).answer[0].to_text()


@pytest.mark.parametrize("sni", ["dns.google", "8.8.8.8"])
def test_resolvers_answer_over_tls_under_name_and_address(served: Served, sni: str) -> None:
    with served.connect_tls("8.8.8.8", 853, sni=sni) as stream:
        query = dns.message.make_query("example.org", "AAAA").to_wire()
        assert "2606:2800:220:1::34" in _over_stream(stream, query).answer[0].to_text()


def _over_stream(stream: socket.socket | ssl.SSLSocket, query: bytes) -> dns.message.Message:
    stream.settimeout(SECONDS)
    stream.sendall(struct.pack("!H", len(query)) + query)
    whole = stream.recv(65_536)
    return dns.message.from_wire(whole[2:])


def test_resolvers_answer_over_https(served: Served, get: Callable[..., tuple[int, dict[str, str], bytes]]) -> None:
    query = dns.message.make_query("example.org", "A", id=0).to_wire()
    text = base64.urlsafe_b64encode(query).rstrip(b"=").decode()
    status, headers, body = get(f"https://dns.google/dns-query?dns={text}")
    assert (status, headers["content-type"]) == (200, "application/dns-message")
    assert "93.184.216.34" in dns.message.from_wire(body).answer[0].to_text()
    with served.connect_tls("cloudflare-dns.com") as stream:
        head = f"Content-Type: application/dns-message\r\nContent-Length: {len(query)}\r\nConnection: close\r\n"
        stream.sendall(f"POST /dns-query HTTP/1.1\r\nHost: cloudflare-dns.com\r\n{head}\r\n".encode() + query)
        assert stream.recv(65_536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("text", ["", "%%%", "AAAA", "x" * 4000])
def test_what_is_no_question_over_https_is_a_bad_request(
    get: Callable[..., tuple[int, dict[str, str], bytes]], text: str
) -> None:
    assert get(f"https://dns.google/dns-query?dns={text}")[0] == 400

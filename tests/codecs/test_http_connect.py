import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.http_connect import ConnectClient, ConnectServer, Opened, Refused, RequestHead, reply
from rozaneh.core import RemoteFault

ASKED = b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"


def test_asks() -> None:
    assert ConnectClient("example.org:443").request == ASKED


def test_logs_in() -> None:
    asked = ConnectClient("example.org:443", "Aladdin", "open sesame").request
    assert b"Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" in asked  # RFC 7617 section 2


def test_hears_that_it_is_open_and_keeps_what_follows() -> None:
    client = ConnectClient("example.org:443")
    assert client.receive(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connection est") is None
    assert client.receive(b"ablished\r\nVia: x\r\n\r\n\x16\x03") == Opened()
    assert client.leftover == b"\x16\x03"


def test_early_answers_without_end_are_no_answer() -> None:
    with pytest.raises(RemoteFault, match="early answers"):
        ConnectClient("example.org:443").receive(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)


@pytest.mark.parametrize("status", [403, 407, 502])
def test_hears_a_refusal(status: int) -> None:
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    assert ConnectClient("example.org:443").receive(answer) == Refused(status)


@pytest.mark.parametrize("answer", [b"", b"\x05\x00", b"HTTP/1.1 two hundred\r\n\r\n", b"x" * 20000])
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(RemoteFault):
        ConnectClient("example.org:443").receive(answer + b"\r\n\r\n" if answer else b"")


def test_a_target_that_http_cannot_carry() -> None:
    with pytest.raises(RemoteFault, match="no proxy can be asked"):
        ConnectClient("exam ple:443")


def test_a_server_reads_the_head_byte_by_byte_as_whole() -> None:
    whole, bytewise = ConnectServer(), ConnectServer()
    head = whole.receive(ASKED + b"first flight")
    heads = [found for at in range(len(ASKED)) if (found := bytewise.receive(ASKED[at : at + 1]))]
    assert heads == [head]
    assert head is not None
    assert head.authority == ("example.org", 443)
    assert whole.leftover == b"first flight"
    assert bytewise.leftover == b""


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        ("[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("1.2.3.4:80", ("1.2.3.4", 80)),
        ("EXAMPLE.org.:8443", ("example.org", 8443)),
    ],
)
def test_authorities(target: str, authority: tuple[str, int]) -> None:
    assert RequestHead(method="CONNECT", target=target, headers=()).authority == authority


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "http://example.org/"),
        ("CONNECT", "example.org"),
        ("CONNECT", "example.org:"),
        ("CONNECT", "example.org:0"),
        ("CONNECT", "example.org:65536"),
        ("CONNECT", "example.org:+80"),
        ("CONNECT", f"example.org:{'9' * 5000}"),
        ("CONNECT", ":443"),
        ("CONNECT", "exa/mple:443"),
    ],
)
def test_what_is_no_authority_is_refused(method: str, target: str) -> None:
    with pytest.raises(RemoteFault):
        _ = RequestHead(method=method, target=target, headers=()).authority


@pytest.mark.parametrize("data", [b"", b"\x05\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"A" * 20000])
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteFault):
        ConnectServer().receive(data)


def test_a_server_and_a_client_understand_each_other() -> None:
    assert ConnectClient("a.example:1").receive(reply(200, "Connection established")) == Opened()
    assert ConnectClient("a.example:1").receive(reply(502, "Bad Gateway", "every way failed")) == Refused(502)
    assert reply(502, "Bad Gateway", "every way failed").endswith(b"\r\n\r\nevery way failed\n")


@given(st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,6}){1,3}", fullmatch=True), st.integers(1, 65535))
def test_any_authority_arrives(host: str, port: int) -> None:
    head = ConnectServer().receive(ConnectClient(f"{host}:{port}").request)
    assert head is not None
    assert head.authority == (host, port)

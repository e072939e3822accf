import base64
import json
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.lab.world.relays import Destination, authorised, parse_authority, read_destination
from rozaneh.lab.world.shadowsocks import ClearText, cipher, key_length
from rozaneh.lab.world.vpn import answer_openvpn, answer_wireguard
from tests.lab.world.conftest import Served, parse, read_all

_GET = b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
_TO = b"\5\1\0\3" + bytes([len(b"example.org")]) + b"example.org" + struct.pack("!H", 80)


def test_strangers_meet_a_web_site_where_tunnels_end(served: Served) -> None:
    for name, status in (("trojan.relay.example", b"400"), ("vless.relay.example", b"404")):
        with served.connect_tls(name) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n")
            assert read_all(stream).startswith(b"HTTP/1.1 " + status)


def test_socks5_connects_to_a_name_and_the_site_sees_the_relay(served: Served) -> None:
    with served.connect("relay.example", 1080, source="10.77.1.9") as stream:
        stream.sendall(b"\5\1\0")
        assert stream.recv(2) == b"\5\0"
        stream.sendall(_TO)
        assert stream.recv(10)[:2] == b"\5\0"
        stream.sendall(_GET)
        assert b"your address 45.76.10.11" in read_all(stream)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (b"\5\1\0\3\x0edown.example.x" + struct.pack("!H", 443), 4),
        (b"\5\1\0\1" + bytes([93, 184, 216, 37]) + struct.pack("!H", 443), 5),
        (b"\5\2\0\1" + bytes([93, 184, 216, 37]) + struct.pack("!H", 443), 7),
    ],
)
def test_socks5_says_why_not(served: Served, wanted: bytes, code: int) -> None:
    with served.connect("relay.example", 1080) as stream:
        stream.sendall(b"\5\1\0" + wanted)
        assert stream.recv(2) == b"\5\0"
        assert stream.recv(10)[:2] == bytes((5, code))


@pytest.mark.parametrize(("password", "status"), [(b"lab", 0), (b"no", 1)])
def test_socks5_asks_for_the_password(served: Served, password: bytes, status: int) -> None:
    with served.connect("relay.example", 1081) as stream:
        stream.sendall(b"\5\2\0\2")
        assert stream.recv(2) == b"\5\2"
        stream.sendall(b"\1\3lab" + bytes([len(password)]) + password)
        assert stream.recv(2) == bytes((1, status))


def test_the_https_proxy_connects_and_is_a_site_to_strangers(served: Served) -> None:
    with served.connect_tls("relay.example") as stream:
        stream.sendall(b"CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n")
        assert stream.recv(100).startswith(b"HTTP/1.1 200 ")
        stream.sendall(_GET)
        assert b"your address 45.76.10.11" in read_all(stream)
    with served.connect_tls("relay.example") as stream:
        stream.sendall(b"CONNECT nowhere.invalid:80 HTTP/1.1\r\n\r\n")
        assert stream.recv(100).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(("port", "method"), [(8388, "chacha20-ietf-poly1305"), (8389, "aes-256-gcm")])
def test_shadowsocks_connects(served: Served, port: int, method: str) -> None:
    salt = secrets.token_bytes(key_length(method))
    sealing = cipher(method, "lab", salt)
    head = b"\3\x0bexample.org" + struct.pack("!H", 80)
    with served.connect("relay.example", port) as stream:
        stream.sendall(salt)
        for part in (head[:3], head[3:] + _GET):
            stream.sendall(sealing.seal(len(part).to_bytes(2, "big")) + sealing.seal(part))
        answer = read_all_of(stream, b"</html>", method)
    assert b"your address 45.76.10.11" in answer


def read_all_of(stream: socket.socket, end: bytes, method: str) -> bytes:
    async def read(count: int) -> bytes:
        return stream.recv(count, socket.MSG_WAITALL)

    async def gather() -> bytes:
        clear, gathered = ClearText(read, method, "lab"), b""
        while end not in gathered:
            gathered += await clear.chunk()
        return gathered

    return anyio.run(gather)


def test_shadowsocks_is_silent_to_whoever_does_not_know_the_password(served: Served) -> None:
    with served.connect("relay.example", 8388) as stream:
        stream.sendall(secrets.token_bytes(200))
        stream.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stream.recv(1)


def test_an_unknown_cipher_is_our_own_fault() -> None:
    with pytest.raises(LocalFault, match="rc4-md5"):
        key_length("rc4-md5")


def _reader(data: bytes) -> Callable[[int], Awaitable[bytes]]:
    left = bytearray(data)

    async def read(count: int) -> bytes:
        if len(left) < count:
            raise EOFError
        part = bytes(left[:count])
        del left[:count]
        return part

    return read


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\1\1\2\3\4\0\x50", Destination(host="1.2.3.4", port=80)),
        (b"\3\1a\1\xbb", Destination(host="a", port=443)),
        (b"\4" + b"\0" * 15 + b"\1\0\1", Destination(host="::1", port=1)),
    ],
)
def test_a_destination_is_read(data: bytes, wanted: Destination) -> None:
    assert anyio.run(read_destination, _reader(data)) == wanted


@given(st.binary(max_size=300))
def test_any_bytes_are_a_destination_or_a_fault(data: bytes) -> None:
    try:
        anyio.run(read_destination, _reader(data))
    except (RemoteFault, EOFError):
        return


@given(st.binary(max_size=200))
def test_any_bytes_on_shadowsocks_are_a_fault(data: bytes) -> None:
    clear = ClearText(_reader(data), "aes-256-gcm", "lab")
    with pytest.raises((RemoteFault, EOFError)):
        anyio.run(clear.destination)


@pytest.mark.parametrize("text", ["", ":", "a", "a:", "a:0", "a:65536", "a:-1", ":80", "a:8x", "[]:1"])
def test_what_is_no_authority_is_a_fault(text: str) -> None:
    with pytest.raises(RemoteFault):
        parse_authority(text)


def test_authorities() -> None:
    assert parse_authority("[2001:DB8::1]:443") == Destination(host="2001:db8::1", port=443)
    assert authorised("Basic " + base64.b64encode(b"lab:lab").decode(), "lab", "lab")
    assert not authorised("Basic !", "lab", "lab")
    assert not authorised("", "lab", "lab")


@given(st.binary(max_size=200))
def test_any_bytes_to_a_vpn_server_are_answered_or_a_fault(data: bytes) -> None:
    for understand in (answer_wireguard, answer_openvpn):
        try:
            assert understand(data)
        except RemoteFault:
            continue


def _helped(served: Served, asked: dict[str, Any] | bytes) -> tuple[int, Any]:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    with served.connect_tls("control.example", source="10.77.1.9") as stream:
        head = f"POST / HTTP/1.1\r\nHost: control.example\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        stream.sendall(head.encode() + body)
        status, _, told = parse(read_all(stream))
    return status, json.loads(told)


def test_the_helper_tells_what_a_working_site_is_like(served: Served) -> None:
    status, told = _helped(
        served, {"http_request": "https://www.example.org/", "tcp_connect": ["93.184.216.34:443", "10.10.34.36:80"]}
    )
    assert status == 200
    assert told["tcp_connect"]["93.184.216.34:443"] == {"status": True, "failure": None}
    assert told["tcp_connect"]["10.10.34.36:80"]["failure"] == "host_unreachable"
    assert told["tls_handshake"]["93.184.216.34:443"]["status"]
    assert told["http_request"]["status_code"] == 200
    assert told["http_request"]["title"] == "rozaneh lab: www.example.org"
    assert told["dns"]["addrs"] == ["93.184.216.34", "2606:2800:220:1::34"]
    assert told["ip_info"]["93.184.216.34"] == {"asn": 15133, "flags": 11}


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("https://down.example/", "connection_refused"),
        ("https://badcert.example/", "ssl_invalid_hostname"),
        ("https://selfsigned.example/", "ssl_unknown_authority"),
        ("https://nobody.example/", "dns_nxdomain_error"),
    ],
)
def test_the_helper_tells_how_a_broken_site_fails(served: Served, url: str, failure: str) -> None:
    assert _helped(served, {"http_request": url})[1]["http_request"]["failure"] == failure


def test_the_helper_is_not_refused_by_who_refuses_the_country(served: Served) -> None:
    assert _helped(served, {"http_request": "https://refuses.example/"})[1]["http_request"]["status_code"] == 200


@pytest.mark.parametrize(
    "asked", [b"", b"[]", b"{", {"http_request": "file:///etc/passwd"}, {"tcp_connect": ["x"]}, {"http_request": 5}]
)
def test_the_helper_answers_nonsense_with_a_clear_line(served: Served, asked: Any) -> None:
    status, told = _helped(served, asked)
    assert status == 400
    assert told["error"]

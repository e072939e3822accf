"""The other languages of the port: SOCKS4a, plain requests, passwords and the file for browsers."""

import base64
import socket
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.codecs import socks4
from rozaneh.codecs.http_connect import ConnectServer
from rozaneh.codecs.http_forward import forward
from rozaneh.core import LocalFault, RemoteFault
from rozaneh.finder import Finder
from rozaneh.gateway import Gateway
from rozaneh.net.memory import MemoryNetwork, resets
from rozaneh.net.real import RealNetwork
from tests.finder.world import HELLO_BACK, PAGE, SITE, hello
from tests.gateway.test_gateway import NO_TABLE, exactly, rest, running, tls_site

pytestmark = pytest.mark.anyio
LOGIN = ("someone", "a password")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


class Site:
    """An origin server that keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = anyio.Event()

    async def __call__(self, stream: ByteStream) -> None:
        self.heard += await stream.receive()
        await stream.send(PAGE)
        try:
            while True:
                self.heard += await stream.receive()
        except anyio.EndOfStream:
            self.ended.set()


@pytest.mark.parametrize("whole", [True, False])
async def test_socks4a_carries_a_name(whole: bool) -> None:
    asks = b"\x04\x01\x01\xbb\x00\x00\x00\x01user\x00blocked.example\x00"
    async with running(tls_site) as front:
        client = await front.connect()
        for piece in [asks] if whole else [asks[at : at + 1] for at in range(len(asks))]:
            await client.send(piece)
        assert await exactly(client, 8) == socks4.GRANTED
        await client.send(hello())
        assert await exactly(client, len(HELLO_BACK)) == HELLO_BACK


async def test_socks4_carries_an_address() -> None:
    async with running(tls_site) as front:
        client = await front.connect()
        await client.send(b"\x04\x01\x01\xbb" + socket.inet_aton(SITE) + b"\x00")
        assert await exactly(client, 8) == socks4.GRANTED


async def test_a_plain_request_reaches_its_origin_without_what_belongs_to_this_hop() -> None:
    site = Site()
    async with running(lambda network: network.serve(SITE, 80, site)) as front:
        client = await front.connect()
        await client.send(
            b"GET http://blocked.example/a?b=c HTTP/1.1\r\nHost: blocked.example\r\nProxy-Connection: keep-alive\r\n"
            b"Proxy-Authorization: Basic eDp5\r\nX-Mine: 1\r\nConnection: X-Secret\r\nX-Secret: 2\r\n\r\n"
        )
        assert await exactly(client, len(PAGE)) == PAGE
        await client.send(b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
        await site.ended.wait()
    lines = site.heard.decode().lower().split("\r\n")
    assert lines[:2] == ["get /a?b=c http/1.1", "host: blocked.example"]
    assert "x-mine: 1" in lines
    assert "connection: close" in lines
    assert not [line for line in lines if "proxy" in line or "secret" in line or "other" in line]


async def test_a_body_comes_whole_and_nothing_after_it() -> None:
    site = Site()
    async with running(lambda network: network.serve(SITE, 80, site)) as front:
        client = await front.connect()
        head = b"POST http://blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 10\r\n\r\n"
        await client.send(head + b"12345")
        assert await exactly(client, len(PAGE)) == PAGE
        await client.send(b"67890GET /smuggled HTTP/1.1\r\n\r\n")
        await client.send(b"more")
        await site.ended.wait()
    assert site.heard.endswith(b"\r\n\r\n1234567890")


async def test_a_plain_request_that_fails_gets_a_page_that_explains() -> None:
    async with running(lambda network: network.serve(SITE, 80, resets())) as front:
        client = await front.connect()
        await client.send(b"GET http://blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
        assert (await rest(client)).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("host", ["127.0.0.1", "router.lan", "[::1]", "169.254.169.254"])
async def test_a_plain_request_does_not_lead_inside(host: str) -> None:
    async with running() as front:
        head, _ = await front.http(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert head.startswith(b"HTTP/1.1 403 ")
        assert front.network.connections == []


async def test_the_file_for_browsers_names_the_gateway_and_no_way_around_it() -> None:
    async with running() as front:
        place = f"127.0.0.1:{front.port}"
        client = await front.connect()
        await client.send(f"GET /proxy.pac HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        answer = (await rest(client)).decode()
        assert answer.startswith("HTTP/1.1 200 ")
        assert f'return "SOCKS5 {place}; PROXY {place}";' in answer
        assert answer.count("DIRECT") == 1, "for places on this machine alone"
        assert front.notes == []


async def test_with_a_password_nobody_gets_through_without_it() -> None:
    async with running(tls_site, credentials=LOGIN) as front:
        ask = b"CONNECT blocked.example:443 HTTP/1.1\r\nHost: x\r\n"
        for extra in (
            b"",
            _basic("someone:wrong"),
            b"Proxy-Authorization: Basic !\r\n",
            b"Proxy-Authorization: Bearer x\r\n",
        ):
            head, _ = await front.http(ask + extra + b"\r\n")
            assert head.startswith(b"HTTP/1.1 407 ")
        client = await front.connect()
        await client.send(b"\x05\x01\x00")
        assert await rest(client) == b"\x05\xff"
        client = await front.connect()
        await client.send(b"\x04\x01\x01\xbb\x00\x00\x00\x01u\x00blocked.example\x00")
        assert await rest(client) == socks4.REFUSED
        client = await front.connect()
        await client.send(b"\x05\x01\x02\x01\x07someone\x05wrong")
        assert await rest(client) == b"\x05\x02\x01\x01"
        assert front.network.connections == []
        head, _ = await front.http(ask + _basic("someone:a password") + b"\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        client = await front.connect()
        await client.send(b"\x05\x01\x02\x01\x07someone\x0aa password")
        assert await exactly(client, 4) == b"\x05\x02\x01\x00"


def _basic(login: str) -> bytes:
    return b"Proxy-Authorization: Basic " + base64.b64encode(login.encode()) + b"\r\n"


async def test_others_may_reach_the_listener_only_with_a_password() -> None:
    async with MemoryNetwork() as network:
        gateway = Gateway(Finder(network, table=NO_TABLE), credentials=LOGIN)
        async with await RealNetwork().listen_tcp("0.0.0.0", 0) as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.serve, listener)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        async with await RealNetwork().listen_tcp("0.0.0.0", 0) as listener:
            with pytest.raises(LocalFault, match="without a password"):
                await Gateway(Finder(network, table=NO_TABLE)).serve(listener)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x05", "not SOCKS4"),
        (b"\x04\x03", "command 3"),
        (b"\x04\x01\x00\x50\x01\x01\x01\x01" + b"u" * 300, "user name"),
        (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00" + b"n" * 300, "host name"),
    ],
)
def test_what_is_no_socks4_is_said(data: bytes, said: str) -> None:
    with pytest.raises(RemoteFault, match=said):
        socks4.request(data)


def test_a_request_for_a_port_keeps_it() -> None:
    head = ConnectServer().receive(b"GET http://[2606:2800::1]:8080 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head is not None
    made = forward(head)
    assert (made.host, made.port) == ("2606:2800::1", 8080)
    assert made.head.startswith(b"GET / HTTP/1.1\r\nHost: [2606:2800::1]:8080\r\n")

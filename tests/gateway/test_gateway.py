"""The gateway as its clients see it: both protocols on one port, honest refusals, and clients that behave badly."""

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.core import LocalFault
from rozaneh.finder import Finder, Table
from rozaneh.gateway import Closed, Event, Gateway, Limits, Opened, Refused
from rozaneh.net.memory import MemoryNetwork, echo, resets
from rozaneh.net.real import RealNetwork
from tests.finder.world import HELLO_BACK, PAGE, SITE, answers, hello

NAMES = {"blocked.example": [SITE], "local-by-name.example": ["127.0.0.1"]}
GET = b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n"
CHUNKED = b"POST http://blocked.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
NO_TABLE = Table([], [])


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Front:
    """A gateway on a real loopback port before a world in memory."""

    def __init__(self, port: int, network: MemoryNetwork) -> None:
        self.port = port
        self.network = network
        self.events: list[Event] = []
        self.closed = anyio.Event()
        self.clients: list[ByteStream] = []
        self.notes: list[str] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Closed):
            self.closed.set()

    async def connect(self) -> ByteStream:
        client = await RealNetwork().connect_tcp("127.0.0.1", self.port)
        self.clients.append(client)
        return client

    async def socks(self, host: str, port: int) -> tuple[int, ByteStream]:
        client = await self.connect()
        await client.send(b"\x05\x01\x00")
        assert await exactly(client, 2) == b"\x05\x00"
        name = host.encode()
        await client.send(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack("!H", port))
        return (await exactly(client, 10))[1], client

    async def http(self, request: bytes) -> tuple[bytes, ByteStream]:
        client = await self.connect()
        await client.send(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += await client.receive()
        return head, client


async def exactly(stream: ByteStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await stream.receive(count - len(data))
    return data


async def rest(stream: ByteStream) -> bytes:
    data = b""
    try:
        while True:
            data += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return data


@asynccontextmanager
async def running(script: Callable[[MemoryNetwork], None] = lambda _: None, **settings: Any) -> AsyncIterator[Front]:
    """A gateway with whatever a script makes of its world; the deadline bounds a test that hangs."""
    with anyio.fail_after(60):
        async with MemoryNetwork(names=NAMES) as network:
            script(network)
            listener = await RealNetwork().listen_tcp("127.0.0.1", 0)
            front = Front(listener.extra(anyio.abc.SocketAttribute.local_port), network)
            gateway = Gateway(Finder(network, table=NO_TABLE), tell=front.tell, warn=front.notes.append, **settings)
            async with listener, anyio.create_task_group() as tasks:
                tasks.start_soon(gateway.serve, listener)
                try:
                    yield front
                finally:
                    for client in front.clients:
                        await client.aclose()
                    tasks.cancel_scope.cancel()


def tls_site(network: MemoryNetwork) -> None:
    network.serve(SITE, 443, answers(HELLO_BACK))


@pytest.mark.anyio
async def test_socks5_carries_a_name_and_the_clients_own_hello() -> None:
    async with running(tls_site) as front:
        code, client = await front.socks("blocked.example", 443)
        assert code == 0
        await client.send(hello())
        assert await exactly(client, len(HELLO_BACK)) == HELLO_BACK
        await client.aclose()
        await front.closed.wait()
    opened, closed = front.events
    assert isinstance(opened, Opened)
    assert (opened.way, opened.obstacle, opened.host) == ("tcp", "", "")
    assert isinstance(closed, Closed)
    assert closed.down == len(HELLO_BACK)


@pytest.mark.anyio
async def test_http_connect_on_the_same_port() -> None:
    async with running(tls_site, show_hosts=True) as front:
        head, client = await front.http(b"CONNECT blocked.example:443 HTTP/1.1\r\nHost: blocked.example:443\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        await client.send(hello())
        assert await exactly(client, len(HELLO_BACK)) == HELLO_BACK
        await client.aclose()
        assert front.events[0].host == "blocked.example:443"


@pytest.mark.anyio
async def test_what_came_with_the_request_is_not_lost() -> None:
    async with running(tls_site) as front:
        client = await front.connect()
        await client.send(b"CONNECT blocked.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" + hello())
        head = await exactly(client, len(b"HTTP/1.1 200 Connection established\r\n\r\n"))
        assert b"200" in head
        assert await exactly(client, len(HELLO_BACK)) == HELLO_BACK
        await client.aclose()


@pytest.mark.anyio
async def test_a_hello_that_comes_byte_by_byte() -> None:
    async with running(tls_site) as front:
        _, client = await front.socks("blocked.example", 443)
        for byte in hello():
            await client.send(bytes([byte]))
        assert await exactly(client, len(HELLO_BACK)) == HELLO_BACK
        await client.aclose()


@pytest.mark.anyio
async def test_a_server_that_speaks_first() -> None:
    async def greets(stream: ByteStream) -> None:
        await stream.send(b"220 hello\r\n")
        await echo(stream)

    async with running(lambda network: network.serve(SITE, 25, greets)) as front:
        _, client = await front.socks("blocked.example", 25)
        assert await exactly(client, 11) == b"220 hello\r\n"
        await client.send(b"EHLO")
        assert await exactly(client, 4) == b"EHLO"
        await client.aclose()


@pytest.mark.anyio
async def test_a_refusal_has_its_code_and_its_reason() -> None:
    async with running() as front:
        code, client = await front.socks("blocked.example", 443)
        assert code == 5, "connection refused"
        assert await rest(client) == b""
        code, client = await front.socks("no-such-name.example", 443)
        assert code != 0
        head, client = await front.http(b"CONNECT blocked.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"No connection: " in head + await rest(client)
    assert all(isinstance(event, Refused) for event in front.events)


@pytest.mark.anyio
async def test_a_request_in_the_clear_that_fails_after_the_go_ahead_gets_a_page_that_explains() -> None:
    async with running(lambda network: network.serve(SITE, 80, resets())) as front:
        _, client = await front.socks("blocked.example", 80)
        await client.send(GET)
        answer = await rest(client)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"broken off" in answer


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "printer", "router.lan", "192.168.1.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"],
)
async def test_places_on_this_machine_and_its_network_are_refused(host: str) -> None:
    async with running() as front:
        code, _ = await front.socks(host, 80)
        assert code == 2, "not allowed"
        head, _ = await front.http(f"CONNECT {host}:80 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert head.startswith(b"HTTP/1.1 403 ")
        assert front.network.connections == []


@pytest.mark.anyio
async def test_a_name_that_leads_to_this_machine_is_refused_where_it_is_resolved() -> None:
    async with running(lambda network: network.serve("127.0.0.1", 80, answers(PAGE))) as front:
        code, _ = await front.socks("local-by-name.example", 80)
        assert code != 0
        assert front.network.connections == []


@pytest.mark.anyio
async def test_places_on_this_machine_are_reached_where_that_is_allowed() -> None:
    async with running(lambda n: n.serve("127.0.0.1", 80, answers(PAGE)), allow_local=True) as front:
        code, client = await front.socks("127.0.0.1", 80)
        assert code == 0
        await client.send(GET)
        assert await exactly(client, len(PAGE)) == PAGE
        await client.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1:1080\r\nOrigin: http://evil.example\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: 127.evil.example\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET https://blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET http://u:p@blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\n\r\n", b"HTTP/1.1 400 "),
        (CHUNKED, b"HTTP/1.1 400 "),
        (b"POST http://blocked.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /proxy.pac HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /proxy.pac HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", b"HTTP/1.1 400 "),
        (b"CONNECT nonsense HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 "),
        (b"CONNECT blocked.example:99999 HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 "),
        (b"\x04\x02\x00\x50\x01\x02\x03\x04\x00", b"\x00\x5b"),
        (b"\x04\x01\x00\x50\x00\x00\x00\x01u\x00a b\x00", b"\x00\x5b"),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x01\x02\x03\x04\x00\x50", b"\x05\x00\x05\x07"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", b"\x05\x00\x05\x07"),
        (b"\x16\x03\x01\x00\x05hello", b""),
        (b"\x00\x00\x00", b""),
        (b"A" * 40_000, b"HTTP/1.1 400 "),
    ],
    ids=[
        "post-of-a-page", "get-by-rebinding", "plain-https", "plain-with-password", "chunked", "two-lengths",
        "pac-by-rebinding", "pac-by-another-name", "connect-nonsense", "connect-bad-port",
        "socks4-bind", "socks4-bad-name", "socks-password-only", "socks-bind", "socks-udp", "tls", "zeros",
        "endless-head",
    ],
)  # fmt: skip
async def test_what_is_not_spoken_is_declined_and_nothing_is_dialled(sent: bytes, answer: bytes) -> None:
    async with running() as front:
        client = await front.connect()
        await client.send(sent)
        assert (await rest(client)).startswith(answer)
        assert front.network.connections == []
        assert front.notes


@pytest.mark.anyio
async def test_clients_that_say_nothing_are_shown_the_door_and_others_are_served_meanwhile() -> None:
    async with running(tls_site, limits=Limits(handshake=0.5)) as front:
        silent = [await front.connect() for _ in range(200)]
        half = await front.connect()
        await half.send(b"\x05\x01")
        code, client = await front.socks("blocked.example", 443)
        assert code == 0
        await client.aclose()
        for each in (*silent, half):
            assert await rest(each) == b""
            await each.aclose()


@pytest.mark.anyio
async def test_more_clients_than_there_is_room_for_are_closed_and_that_is_said_once() -> None:
    async with running(tls_site, limits=Limits(clients=3)) as front:
        first = [await front.socks("blocked.example", 443) for _ in range(3)]
        for _ in range(5):
            further = await front.connect()
            assert await rest(further) == b""
        assert len(front.notes) == 1
        assert "more than 3 connections" in front.notes[0]
        await first[0][1].aclose()
        await front.closed.wait() if front.events and isinstance(front.events[0], Closed) else await anyio.sleep(0.2)
        code, _ = await front.socks("blocked.example", 443)
        assert code == 0


@pytest.mark.anyio
async def test_a_client_that_goes_away_in_the_middle_harms_nobody() -> None:
    async with running(tls_site) as front:
        for step in range(1, 12):
            client = await front.connect()
            await client.send((b"\x05\x01\x00" + b"\x05\x01\x00\x03\x03abc\x01\xbb")[:step])
            raw = client.extra(anyio.abc.SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await client.aclose()
        code, client = await front.socks("blocked.example", 443)
        assert code == 0
        await client.aclose()


@pytest.mark.anyio
async def test_a_listener_that_others_could_reach_is_refused() -> None:
    async with MemoryNetwork() as network:
        listener = await RealNetwork().listen_tcp("0.0.0.0", 0)
        async with listener:
            with pytest.raises(LocalFault, match="loopback"):
                await Gateway(Finder(network, table=NO_TABLE)).serve(listener)

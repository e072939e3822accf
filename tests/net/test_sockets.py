"""Plain sockets behave the same on asyncio, uvloop and trio."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import DialFailed
from rozaneh.net import real
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import SocketListener, SocketStream, SystemSockets, bare_socket_stream
from rozaneh.net.streams import Prefixed, StreamOver, receive_exactly

pytestmark = pytest.mark.anyio

BACKENDS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[SocketStream, SocketStream]]:
    listener = SocketListener(SystemSockets().listener("127.0.0.1", 0))
    one = await RealNetwork().connect_tcp(*listener.address)
    other = await listener.accept()
    assert isinstance(one, SocketStream)
    async with listener, one, other:
        yield one, other


async def test_bytes_go_both_ways_until_the_end() -> None:
    async with pair() as (one, other):
        await one.send(b"hello")
        assert await other.receive() == b"hello"
        await other.send(b"hello yourself")
        assert await receive_exactly(one, 5) == b"hello"
        assert await one.receive(3) == b" yo"
        await one.send_eof()
        with pytest.raises(anyio.EndOfStream):
            await other.receive()
        await other.aclose()
        with pytest.raises(anyio.IncompleteRead):
            await receive_exactly(one, 50)


async def test_more_than_the_kernel_takes_at_once_arrives() -> None:
    data = bytes(range(256)) * 20_000
    async with pair() as (one, other), anyio.create_task_group() as group:
        group.start_soon(one.send, data)
        assert await receive_exactly(other, len(data)) == data


async def test_a_reset_is_told_with_its_cause() -> None:
    async with pair() as (one, other):
        raw = other.detach()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        raw.close()
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await one.receive()
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_closing_wakes_whoever_waits() -> None:
    async with pair() as (one, _), anyio.create_task_group() as group:

        async def wait() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await one.receive()

        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await one.aclose()


async def test_each_send_leaves_at_once_and_the_socket_can_be_had() -> None:
    async with pair() as (one, other):
        raw = one.extra(SocketAttribute.raw_socket)
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert raw.get_inheritable() is False
        assert one.extra(SocketAttribute.remote_address) == other.extra(SocketAttribute.local_address)
        assert one.extra(SocketAttribute.remote_port) == other.extra(SocketAttribute.local_port)
        assert one.extra(SocketAttribute.family) == socket.AF_INET


async def test_a_detached_socket_belongs_to_whoever_took_it() -> None:
    async with pair() as (one, other):
        raw = one.detach()
        await one.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await one.send(b"x")
        raw.send(b"by hand")
        raw.close()
        assert await other.receive() == b"by hand"


async def test_the_socket_below_is_found_once_nothing_changes_the_bytes() -> None:
    async with pair() as (one, other):
        early = Prefixed(b"early", one)
        assert bare_socket_stream(one) is one
        assert bare_socket_stream(early) is None
        assert bare_socket_stream(StreamOver(one)) is None
        assert await receive_exactly(early, 5) == b"early"
        assert bare_socket_stream(Prefixed(b"", early)) is one
        await other.send(b"late")
        assert await early.receive() == b"late"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_serves_until_closed(address: str) -> None:
    network = RealNetwork()

    async def shout(stream: ByteStream) -> None:
        async with stream:
            await stream.send((await stream.receive()).upper())

    listener = await network.listen_tcp(address, 0)
    port = listener.extra(SocketAttribute.local_port)
    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, shout)
        for _ in range(3):
            async with await network.connect_tcp(address, port) as stream:
                await stream.send(b"hello")
                assert await stream.receive() == b"HELLO"
        group.cancel_scope.cancel()
    await listener.aclose()
    with pytest.raises(ConnectionRefusedError):
        await network.connect_tcp(address, port)


async def test_only_addresses_are_connected_to() -> None:
    with pytest.raises(OSError, match="not an IP address") as caught:
        await RealNetwork().connect_tcp("localhost", 80)
    assert caught.value.errno == errno.EINVAL


async def test_a_cancelled_connect_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    stream = SystemSockets.stream

    def remember(self: SystemSockets, family: socket.AddressFamily) -> socket.socket:
        made.append(stream(self, family))
        return made[-1]

    monkeypatch.setattr(SystemSockets, "stream", remember)
    # A queue for one connection that nobody accepts from is full after two: the third connect waits.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with anyio.move_on_after(0.3):
            for _ in range(20):
                await RealNetwork().connect_tcp(*full.getsockname())
        assert made[-1].fileno() == -1
    for each in made:
        each.close()


async def test_datagrams() -> None:
    network = RealNetwork()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        datagrams = await network.connect_udp(*far.getsockname())
        await datagrams.send(b"one")
        data, place = far.recvfrom(100)
        far.sendto(data * 2, place)
        assert await datagrams.receive() == b"oneone"
    await datagrams.send(b"nobody there")
    with pytest.raises(ConnectionRefusedError):
        await datagrams.receive()
    await datagrams.aclose()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), "dns_nxdomain_error"),
        (socket.gaierror(socket.EAI_NODATA, "no"), "dns_no_answer"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "dns_temporary_failure"),
        (socket.gaierror(socket.EAI_FAIL, "no"), "dns_non_recoverable_failure"),
        (socket.gaierror(socket.EAI_MEMORY, "no"), "dns_server_misbehaving"),
        (OSError(errno.ENETUNREACH, "no"), "network_unreachable"),
        (UnicodeError("label too long"), "dns_nxdomain_error"),
    ],
)
async def test_the_librarys_errors_are_failures(
    error: Exception, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(DialFailed) as caught:
        await RealNetwork().resolve("site.example")
    assert caught.value.failure == failure


async def test_the_librarys_answers_are_addresses_once() -> None:
    assert await RealNetwork().resolve("127.0.0.1") == ["127.0.0.1"]


async def test_a_lookup_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    release, left = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> object:
        release.wait(30)
        left.set()
        raise socket.gaierror(socket.EAI_AGAIN, "late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with anyio.move_on_after(0.05) as scope:
        await RealNetwork().resolve("site.example")
    assert scope.cancelled_caught
    release.set()
    assert left.wait(10)


async def test_a_lookup_that_outlives_its_loop_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    call = real._Call("127.0.0.1", anyio.lowlevel.current_token())

    def refuse(*_: object, **__: object) -> None:
        raise anyio.RunFinishedError

    monkeypatch.setattr(anyio.from_thread, "run_sync", refuse)
    call.run()
    assert call.addresses == ["127.0.0.1"]
    assert call.error is None

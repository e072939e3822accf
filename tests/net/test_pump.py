"""The pump: every byte arrives, in order, both ways; ends are passed on as they happened; nothing is left open."""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.codecs.shadowsocks import METHODS, Decoder, Encoder
from rozaneh.core import Failure
from rozaneh.dialers.ss import ShadowsocksStream
from rozaneh.net.pump import Flow, Pump
from rozaneh.net.sockets import SocketStream
from rozaneh.net.tls import start_tls
from rozaneh.net.trace import Trace
from rozaneh.net.trust import Trust
from tests.dialers.world import ca_file, in_tls

BACKENDS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Opaque(ByteStream):
    """Hides that there is a socket below, so that the pump has to carry chunks."""

    def __init__(self, inner: ByteStream) -> None:
        self.inner = inner

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await self.inner.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        await self.inner.send(item)

    async def send_eof(self) -> None:
        await self.inner.send_eof()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def tcp_pair() -> tuple[SocketStream, SocketStream]:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    for each in (one, other):
        each.settimeout(0)
    return SocketStream(one), SocketStream(other)


Scene = Callable[[SocketStream, Any], Awaitable[None]]
Sides = tuple[ByteStream, ByteStream, ByteStream]
Way = Callable[[SocketStream, SocketStream, SocketStream], Sides]

METHOD = METHODS["aes-128-gcm"]


def plain(near: SocketStream, far: SocketStream, server: SocketStream) -> Sides:
    return near, far, server


def opaque(near: SocketStream, far: SocketStream, server: SocketStream) -> Sides:
    return Opaque(near), Opaque(far), server


def sealed(near: SocketStream, far: SocketStream, server: SocketStream) -> Sides:
    return near, shadowsocks(far), shadowsocks(server)


def shadowsocks(inner: ByteStream) -> ShadowsocksStream:
    """Either end of a conversation of 2017; here nobody says an address."""
    return ShadowsocksStream(inner, Encoder(METHOD, bytes(16)), Decoder(METHOD, bytes(16)))


WAYS = [pytest.param(way, id=way.__name__) for way in (plain, opaque, sealed)]


async def pumped(scene: Scene, *, pump: Pump | None = None, way: Way = plain, to_near: bytes = b"") -> Flow:
    """Run a scene between a client and a server with the pump in the middle."""
    client, near = await tcp_pair()
    far, raw = await tcp_pair()
    engine = pump or Pump()
    flow = Flow()
    *sides, server = way(near, far, raw)

    async def move() -> None:
        await engine.run(*sides, to_near=to_near, flow=flow)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(move)
            await scene(client, server)
            await client.aclose()
            await server.aclose()
    if pump is None:
        engine.close()
    return flow


async def read_all(stream: ByteStream) -> bytes:
    parts = []
    try:
        while True:
            parts.append(await stream.receive())
    except anyio.EndOfStream:
        return b"".join(parts)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.anyio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [1, 65536, 65537, 8_000_003])
async def test_every_byte_arrives_in_order_both_ways_at_once(size: int, way: Way) -> None:
    up, down = os.urandom(size), os.urandom(size)
    got: dict[str, bytes] = {}

    async def scene(client: SocketStream, server: SocketStream) -> None:
        async def talk(name: str, stream: ByteStream, data: bytes) -> None:
            async with anyio.create_task_group() as both:

                async def write() -> None:
                    await stream.send(data)
                    await stream.send_eof()

                both.start_soon(write)
                got[name] = await read_all(stream)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk, "client", client, up)
            tasks.start_soon(talk, "server", server, down)

    flow = await pumped(scene, way=way)
    assert got["server"] == up
    assert got["client"] == down
    assert (flow.up, flow.down, flow.failure) == (size, size, None)


@pytest.mark.anyio
@pytest.mark.parametrize("way", WAYS)
async def test_half_close_is_passed_on_and_the_other_direction_goes_on(way: Way) -> None:
    async def scene(client: SocketStream, server: SocketStream) -> None:
        await client.send(b"question")
        await client.send_eof()
        assert await read_all(server) == b"question"
        await server.send(b"answer")
        await server.aclose()
        assert await read_all(client) == b"answer"

    flow = await pumped(scene, way=way)
    assert flow.failure is None


@pytest.mark.anyio
async def test_a_half_close_that_tls_cannot_pass_on_costs_the_answer_nothing(tmp_path: Path) -> None:
    client, near = await tcp_pair()
    far, raw = await tcp_pair()
    flow = Flow()

    async def server(stream: ByteStream) -> None:
        assert await stream.receive() == b"question"
        await anyio.wait_all_tasks_blocked()
        assert flow.half_closed
        await stream.send(b"answer")
        await stream.aclose()

    async def serve() -> None:
        await in_tls("site.example", server)(raw)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            secured = await start_tls(far, Trace(), Trust.with_ca(Path(ca_file(tmp_path))), "site.example")
            await client.send(b"question")
            await client.send_eof()
            tasks.start_soon(lambda: Pump().run(near, secured, flow=flow))
            assert await read_all(client) == b"answer"
            await client.aclose()
    assert flow.failure is None


@pytest.mark.anyio
async def test_first_bytes_go_before_all_others() -> None:
    async def scene(client: SocketStream, server: SocketStream) -> None:
        await server.send(b"two")
        await server.send_eof()
        assert await read_all(client) == b"onetwo"

    flow = await pumped(scene, to_near=b"one")
    assert flow.down == 6


@pytest.mark.anyio
async def test_a_reset_is_passed_on_as_a_reset(anyio_backend_name: str) -> None:
    async def scene(client: SocketStream, server: SocketStream) -> None:
        await server.send(b"half an ans")
        assert await client.receive() == b"half an ans"
        raw = server.detach()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        raw.close()
        if anyio_backend_name == "asyncio":
            with pytest.raises(anyio.BrokenResourceError):
                await client.receive()

    flow = await pumped(scene)
    assert flow.failure is Failure.CONNECTION_RESET
    assert flow.broken_by == "far"


@pytest.mark.anyio
@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_does_not_read_holds_back_the_server_and_then_gets_all(way: Way) -> None:
    data = os.urandom(20_000_000)

    async def scene(client: SocketStream, server: SocketStream) -> None:
        async with anyio.create_task_group() as tasks:

            async def write() -> None:
                await server.send(data)
                await server.send_eof()

            tasks.start_soon(write)
            await anyio.sleep(0.2)
            assert await read_all(client) == data

    await pumped(scene, way=way)


@pytest.mark.anyio
async def test_a_connection_left_half_closed_is_ended_after_lingering() -> None:
    async def scene(client: SocketStream, server: SocketStream) -> None:
        await client.send_eof()
        assert await read_all(server) == b""
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await client.receive()

    await pumped(scene, pump=Pump(linger=0.05))


@pytest.mark.anyio
async def test_nothing_is_left_open_and_idle_connections_hold_no_pipe() -> None:
    pump = Pump()
    await pumped(_hello, pump=pump)
    before = descriptors()
    idle = [await tcp_pair() + await tcp_pair() for _ in range(50)]
    with_idle = descriptors()
    async with anyio.create_task_group() as tasks:
        for _, near, far, _ in idle:
            tasks.start_soon(pump.run, near, far)
        await anyio.sleep(0.05)
        assert descriptors() == with_idle
        for _ in range(20):
            await pumped(_bulk, pump=pump)
        assert descriptors() <= with_idle + 2 * pump.pool.most
        tasks.cancel_scope.cancel()
    for client, _, _, server in idle:
        await client.aclose()
        await server.aclose()
    pump.close()
    assert descriptors() <= before


async def _hello(client: SocketStream, server: SocketStream) -> None:
    await client.send(b"hello")
    assert await server.receive() == b"hello"


async def _bulk(client: SocketStream, server: SocketStream) -> None:
    async with anyio.create_task_group() as tasks:

        async def write() -> None:
            await server.send(bytes(3_000_000))
            await server.send_eof()

        tasks.start_soon(write)
        assert len(await read_all(client)) == 3_000_000


@pytest.mark.anyio
async def test_without_splice_the_same_bytes_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> int:
        raise OSError(22, "no splice for such descriptors")

    monkeypatch.setattr("rozaneh.net.splice.SPLICE", refuses)
    await pumped(_bulk)


@pytest.mark.anyio
async def test_without_descriptors_for_a_pipe_the_same_bytes_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: int) -> tuple[int, int]:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(os, "pipe2", refuses)
    await pumped(_bulk)

"""A stream that only changes bytes leaves moving them to the pump: nothing is lost, said twice or taken for an end."""

import os
import socket
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import ByteStream

from rozaneh.codecs import shadowsocks2022
from rozaneh.codecs.shadowsocks import METHODS, Decoder, Encoder
from rozaneh.core import Failure
from rozaneh.dialers.ss import ShadowsocksStream
from rozaneh.net.coded import coded_socket_stream
from rozaneh.net.pump import Flow, Pump
from rozaneh.net.streams import Prefixed
from tests.codecs.test_shadowsocks2022 import answer, now
from tests.codecs.test_shadowsocks2022 import opened as opened_2022
from tests.net.test_pump import Opaque, anyio_backend, read_all, tcp_pair

__all__ = ["anyio_backend"]

pytestmark = pytest.mark.anyio

METHOD = METHODS["aes-256-gcm"]
KEY = bytes(32)
HEADER = b"the address"


def through(inner: ByteStream) -> ShadowsocksStream:
    return ShadowsocksStream(inner, Encoder(METHOD, KEY), Decoder(METHOD, KEY), HEADER)


async def test_only_directly_above_a_socket() -> None:
    far, server = await tcp_pair()
    client = through(far)
    assert coded_socket_stream(client)[0] is far
    assert coded_socket_stream(Prefixed(b"", client))[0] is far
    assert coded_socket_stream(Prefixed(b"left", client)) == (None, None)
    for within in (through(client), through(Opaque(far))):
        assert coded_socket_stream(within)[0] is None
    assert coded_socket_stream(far) == (far, None)
    await far.aclose()
    await server.aclose()


Scene = Callable[[ByteStream, ByteStream], Awaitable[None]]


async def moved(stream: Callable[[ByteStream], ByteStream], before: Scene, after: Scene) -> Flow:
    """Let a scene between our side of a stream and the server pass, then another one through the pump."""
    client, near = await tcp_pair()
    far, server = await tcp_pair()
    coded, pump, flow = stream(far), Pump(), Flow()
    with anyio.fail_after(30):
        await before(coded, server)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: pump.run(near, coded, flow=flow))
            await after(client, server)
            await client.aclose()
            await server.aclose()
    pump.close()
    return flow


async def nothing(_one: ByteStream, _other: ByteStream) -> None:
    """Nothing is said before the pump begins."""


async def test_the_address_goes_first_even_if_the_client_says_nothing() -> None:
    async def after(_client: ByteStream, server: ByteStream) -> None:
        assert Decoder(METHOD, KEY).decode(await server.receive()) == HEADER

    assert (await moved(through, nothing, after)).up == 0


async def test_what_came_before_the_pump_is_not_lost() -> None:
    data = os.urandom(300_000)
    sealed = Encoder(METHOD, KEY).encode(data)

    async def before(coded: ByteStream, server: ByteStream) -> None:
        await server.send(sealed[:20_000])  # a chunk, and the beginning of another one
        await anyio.sleep(0.01)
        assert await coded.receive(5) == data[:5]

    async def after(client: ByteStream, server: ByteStream) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.send, sealed[20_000:])
            got = b""
            while len(got) < len(data) - 5:
                got += await client.receive()
            assert got == data[5:]

    assert (await moved(through, before, after)).down == len(data) - 5


async def test_bytes_that_come_one_at_a_time() -> None:
    sealed = Encoder(METHOD, KEY).encode(b"hello")

    async def after(client: ByteStream, server: ByteStream) -> None:
        for at in range(len(sealed)):
            await server.send(sealed[at : at + 1])
            await anyio.lowlevel.checkpoint()
        assert await client.receive() == b"hello"

    assert (await moved(through, nothing, after)).down == 5


async def test_a_changed_byte_is_a_reset_and_no_end(anyio_backend_name: str) -> None:
    encoder = Encoder(METHOD, KEY)

    async def after(client: ByteStream, server: ByteStream) -> None:
        await server.send(encoder.encode(b"half an ans"))
        assert await client.receive() == b"half an ans"
        *sealed, last = encoder.encode(b"wer")
        await server.send(bytes([*sealed, last ^ 1]))
        # Streams, which are all that there is on trio, are closed one after the other.
        with pytest.raises(anyio.BrokenResourceError if anyio_backend_name == "asyncio" else anyio.EndOfStream):
            await client.receive()

    flow = await moved(through, nothing, after)
    assert (flow.failure, flow.broken_by, flow.down) == (Failure.CONNECTION_RESET, "far", 11)


@pytest.mark.parametrize("left", [1, 20], ids=["in its payload", "after its length"])
@pytest.mark.parametrize("sides", [through, lambda inner: through(Opaque(inner))], ids=["pump", "stream"])
async def test_an_end_in_the_middle_of_a_chunk_is_none(sides: Callable[[ByteStream], ByteStream], left: int) -> None:
    encoder = Encoder(METHOD, KEY)
    first, second = encoder.encode(b"half of the page"), encoder.encode(b"rest")

    async def after(client: ByteStream, server: ByteStream) -> None:
        await server.send(first)
        assert await client.receive() == b"half of the page"
        await server.send(second[:-left])
        await anyio.lowlevel.checkpoint()
        await server.send_eof()
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await client.receive()

    flow = await moved(sides, nothing, after)
    assert flow.failure is not None
    assert flow.broken_by == "far"


async def test_a_client_that_leaves_while_much_comes() -> None:
    async def after(client: ByteStream, server: ByteStream) -> None:
        async with anyio.create_task_group() as tasks:

            async def give() -> None:
                with pytest.raises(anyio.BrokenResourceError):
                    await server.send(Encoder(METHOD, KEY).encode(bytes(30_000_000)))

            tasks.start_soon(give)
            await client.receive()
            raw = client.detach()  # type: ignore[attr-defined]  # it is a socket's
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            raw.close()

    assert (await moved(through, nothing, after)).broken_by == "near"


@pytest.mark.parametrize("name", ["2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305"])
async def test_of_2022(name: str) -> None:
    method, question = shadowsocks2022.METHODS[name], os.urandom(200_000)
    pieces = [os.urandom(shadowsocks2022.LARGEST_CHUNK) for _ in range(20)] + [b"end"]
    encoder = shadowsocks2022.Encoder(method, [KEY], b"\x03\x0csite.example\x01\xbb", now=int(now()))

    def stream(inner: ByteStream) -> ByteStream:
        return ShadowsocksStream(inner, encoder, shadowsocks2022.Decoder(method, KEY, encoder.salt, now=now))

    async def after(client: ByteStream, server: ByteStream) -> None:
        async with anyio.create_task_group() as tasks:

            async def serve() -> None:
                salt, _, payload = opened_2022(name, KEY, await read_all(server))
                assert payload == question
                await server.send(answer(name, KEY, salt, pieces))
                await server.send_eof()

            tasks.start_soon(serve)
            await client.send(question)
            await client.send_eof()
            assert await read_all(client) == b"".join(pieces)

    flow = await moved(stream, nothing, after)
    assert (flow.up, flow.down, flow.failure) == (len(question), sum(map(len, pieces)), None)

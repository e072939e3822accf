"""SSH servers that speak nonsense, die in the middle or fall silent, on loopback: asyncssh runs on asyncio alone."""

import base64
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import asyncssh
import pytest
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import Target
from rozaneh.dialers import build
from rozaneh.net import Deadlines, Dialer, measure
from rozaneh.net.real import RealNetwork
from rozaneh.net.trace import NETWORK_ERRORS

pytestmark = pytest.mark.anyio

TARGET = Target(host="site.example", port=80, speaks="http")
SOON = Deadlines(proxy=0.5, connect=0.5)
KEY = asyncssh.generate_private_key("ssh-ed25519")
BANNER = b"SSH-2.0-x\r\n"
WRONG_KEY = b"\0\0\0\x0bssh-ed25519" + b"junk"

Handler = Callable[[ByteStream], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    async def one(stream: ByteStream) -> None:
        async with stream:
            try:
                await handler(stream)
            except NETWORK_ERRORS:
                return

    listener = await RealNetwork().listen_tcp("127.0.0.1", 0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, one)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


def way(port: int, blob: bytes = b"") -> Dialer:
    pinned = base64.b64encode(blob or KEY.public_data).decode().replace("+", "%2B")
    return build(f"ssh://u:p@127.0.0.1:{port}?hostkey=ssh-ed25519%20{pinned}|tcp", RealNetwork())


def says(data: bytes, piece: bytes = b"") -> Handler:
    async def handler(stream: ByteStream) -> None:
        await stream.send(data)
        while piece:
            await anyio.sleep(0.01)
            await stream.send(piece)
        while True:
            await stream.receive()

    return handler


class _Open(asyncssh.SSHServer):
    """Lets everybody in, and connects nobody."""

    def begin_auth(self, username: str) -> bool:
        return bool(not username)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        del dest_host, dest_port, orig_host, orig_port
        return False


def cut(port: int, count: int) -> Handler:
    """Stands before an honest server, and lets so many of its bytes out."""

    async def handler(stream: ByteStream) -> None:
        async with await RealNetwork().connect_tcp("127.0.0.1", port) as up, anyio.create_task_group() as both:

            async def carry(source: ByteStream, sink: ByteStream, left: int) -> None:
                try:
                    while left > 0:
                        data = (await source.receive())[:left]
                        left -= len(data)
                        await sink.send(data)
                except NETWORK_ERRORS:
                    left = 0
                both.cancel_scope.cancel()

            both.start_soon(carry, stream, up, 1 << 30)
            both.start_soon(carry, up, stream, count)

    return handler


def sockets_open() -> int:
    """Of this process. An event loop may open other files when it first needs them."""
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one by which this folder is read
            count += str(each.readlink()).startswith("socket:")
    return count


async def fails(dialer: Dialer) -> str:
    """Fail once, and say how; nothing is left of it."""
    held = sockets_open()
    measured = await measure(dialer, TARGET, deadlines=SOON)
    assert measured.failure is not None
    await measured.aclose()
    gc.collect()
    for _ in range(100):
        if sockets_open() <= held:
            return measured.detail or measured.failure.value
        await anyio.sleep(0.01)
    return pytest.fail("a socket is left")


HOSTILE = {
    "nothing": says(b""),
    "HTTP": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a line without end": says(b"SSH-2.0-", b"y" * 1000),
    "lines without end": says(b"", b"hello\r\n" * 100),
    "zeros": says(BANNER, bytes(1000)),
    "ones": says(BANNER, b"\xff" * 1000),
    "a length of two gibibytes": says(BANNER + b"\x80\0\0\0", b"y" * 1000),
    "a packet that is none": says(BANNER + b"\0\0\0\x0c\x0a\x14" + bytes(10), b"\0"),
    "drips": says(BANNER, b"\0"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_nonsense_costs_one_attempt(what: str) -> None:
    async with served(HOSTILE[what]) as port:
        assert await fails(way(port))


async def test_a_link_with_a_key_that_is_none_costs_one_attempt() -> None:
    async with served(says(b"")) as port:
        assert "public key" in await fails(way(port, WRONG_KEY))


async def test_a_server_that_dies_at_any_moment_costs_one_attempt() -> None:
    honest = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[KEY], server_factory=_Open)
    async with honest:
        for count in (1, 20, 40, 300, 900, 1200, 1400, 1500):
            async with served(cut(honest.get_port(), count)) as port:
                assert await fails(way(port)), count

"""Getting a file: whole, bounded in bytes and time, by any way, and never from somewhere else than was asked."""

from typing import Any

import anyio
import pytest
import trio.testing
from anyio.abc import ByteStream

from rozaneh.core import Spec, Target
from rozaneh.dialers import build
from rozaneh.net.memory import MemoryNetwork, resets, sends, silence
from rozaneh.net.trust import Trust
from rozaneh.probe.fetching import NotFetched, fetch
from tests.finder.world import RELAY, socks_relay

pytestmark = pytest.mark.anyio
PLACE = "45.76.10.50"
TARGET = Target.parse("http://lists.example/lists.json")


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


def answer(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


async def endless(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"400\r\n" + b"x" * 1024 + b"\r\n")


async def headers_for_ever(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X-More: " + b"y" * 1000 + b"\r\n")


async def drips(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await anyio.sleep(1)
        await stream.send(b"x")


async def stops(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nxxx")
    await silence(stream)


async def got(behaviour: Any) -> bytes | str:
    """The file, or why it did not come."""
    async with MemoryNetwork(names={"lists.example": [PLACE]}) as network:
        network.serve(PLACE, 80, behaviour)
        try:
            return await fetch(TARGET, (build("tcp", network),), Trust(), longest=10_000)
        except NotFetched as fault:
            return str(fault)


async def test_a_whole_file() -> None:
    assert await got(sends(answer(b"x" * 9000))) == b"x" * 9000


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sends(answer(b"", "404 Not Found")), "its answer is 404"),
        (sends(answer(b"", "302 Found", "Location: http://192.168.1.1/\r\n")), "sends on to http://192.168.1.1/"),
        (sends(answer(b"x" * 10_001)), "http_request_failed"),
        (sends(answer(b"x" * 500)[:200]), "eof_error"),
        (sends(b"rubbish\r\n\r\n"), "http_request_failed"),
        (endless, "http_request_failed"),
        (headers_for_ever, "http_request_failed"),
        (drips, "generic_timeout_error"),
        (stops, "generic_timeout_error"),
        (resets(), "connection_reset"),
    ],
)
async def test_what_does_not_give_the_file_is_one_line_and_ends(behaviour: Any, reason: str) -> None:
    began = anyio.current_time()
    told = await got(behaviour)
    assert isinstance(told, str)
    assert told.startswith("lists.example:80 did not give the file: ")
    assert reason in told
    assert anyio.current_time() - began < 400


async def test_where_it_is_blocked_another_way_is_taken_and_where_it_says_no_none_is() -> None:
    async with MemoryNetwork(names={"lists.example": [PLACE]}) as network:
        network.serve("far", 80, sends(answer(b"lists")))
        network.serve(RELAY, 1080, socks_relay(network, {"lists.example": "far"}))
        ways = (build("tcp", network), build(Spec.parse(f"socks5://{RELAY}:1080|tcp"), network))
        assert await fetch(TARGET, ways, Trust(), longest=100) == b"lists"
        network.serve(PLACE, 80, sends(answer(b"", "403 Forbidden")))
        with pytest.raises(NotFetched, match="403"):
            await fetch(TARGET, ways, Trust(), longest=100)
        with pytest.raises(NotFetched, match="no way"):
            await fetch(TARGET, (), Trust(), longest=100)


async def test_a_name_that_leads_into_the_local_network_is_not_dialled() -> None:
    async with MemoryNetwork(names={"lists.example": ["192.168.1.1", "127.0.0.1"]}) as network:
        network.serve("192.168.1.1", 80, sends(answer(b"secret")))
        network.serve("127.0.0.1", 80, sends(answer(b"secret")))
        with pytest.raises(NotFetched):
            await fetch(TARGET, (build("tcp", network),), Trust(), longest=100)
        assert network.connections == []

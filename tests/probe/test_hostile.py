"""Servers, boxes and resolvers that mean harm: every attempt ends, within bounds, and none of it is called a block."""

from typing import Any

import anyio
import pytest
import trio.testing
from anyio.abc import ByteStream

from rozaneh.diagnosis import Evidence, Outcome, Role, Tried, judge
from rozaneh.net.memory import MemoryNetwork, sends
from rozaneh.net.trust import Trust
from rozaneh.probe.dials import MOST_BODY, Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.services import Endpoint

pytestmark = pytest.mark.anyio
SITE = "93.184.216.34"
PLAIN = Endpoint(id="site", url="http://site.example/")
SECURE = Endpoint(id="site", url="https://site.example/")


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


def again_and_again(begin: bytes, piece: bytes, every: float = 0.0) -> Any:
    """Answers with a beginning, and then with the same piece for ever."""

    async def behaviour(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(begin)
        while True:
            await anyio.sleep(every)
            await stream.send(piece)

    return behaviour


HOSTILE = {
    "a head that drips": again_and_again(b"HTTP/1.1 200 OK\r\nX: ", b"y", 1.0),
    "a body that drips": again_and_again(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b"y", 1.0),
    "headers without end": again_and_again(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 900 + b"\r\n"),
    "one header without end": again_and_again(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000),
    "early answers without end": again_and_again(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
    "a body without end": again_and_again(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 10_000),
    "chunks without end": again_and_again(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\ny\r\n"),
    "a chunk of all memory": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n"),
    "a length of all memory": sends(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 4000 + b"\r\n\r\ny"),
    "two lengths": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nyy"),
    "a status that is none": sends(b"HTTP/1.1 9999999999 \xff\r\n\r\n"),
    "zeros": again_and_again(b"", b"\0" * 1000),
    "a title without end": again_and_again(b"HTTP/1.1 200 OK\r\n\r\n<title>", b"<title>" * 100),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("endpoint", [PLAIN, SECURE], ids=["http", "https"])
async def test_an_attempt_ends_within_its_bounds_and_accuses_nobody(name: str, endpoint: Endpoint) -> None:
    async with MemoryNetwork(names={"site.example": [SITE]}) as network:
        for port in (80, 443):
            network.serve(SITE, port, HOSTILE[name])
        dials = Dials(network, Trust(), Pace())
        began = anyio.current_time()
        attempts = [await dials.plain(endpoint), await dials.plain(endpoint)]
        assert anyio.current_time() - began < 2 * 30
    for attempt in attempts:
        assert all(step.received <= 4 * MOST_BODY for step in attempt.observations)
        assert all(len(str(value)) < 20_000 for step in attempt.observations for value in step.tags.values())
        assert attempt.ok or attempt.failure is not None
    seen = Evidence(tried=tuple(Tried(Role.SYSTEM, attempt) for attempt in attempts), kind=endpoint.kind)
    assert judge(seen).verdict in (Outcome.OK, Outcome.CANNOT_TELL)


@pytest.mark.parametrize("second", ["192.168.1.1", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1"])
async def test_a_name_that_is_public_first_and_private_then_leads_nowhere(second: str) -> None:
    async with MemoryNetwork(names={"site.example": [SITE]}) as network:
        network.serve(
            SITE, 80, sends(b"HTTP/1.1 302 Found\r\nLocation: http://site.example/\r\nContent-Length: 0\r\n\r\n")
        )
        network.serve(second, 80, sends(b"HTTP/1.1 200 OK\r\n\r\nthe router"))
        dials = Dials(network, Trust(), Pace())
        assert (await dials.plain(PLAIN)).ok
        network.names["site.example"] = [second]
        attempt = await dials.plain(PLAIN)
        assert attempt.failure == "dns_bogon_error"
        network.names["site.example"] = [second, SITE]
        assert (await dials.plain(PLAIN)).ok, "the true one among them is dialled"
        assert set(network.connections) == {(SITE, 80)}

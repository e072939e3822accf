"""The one door: a failure is a value, every attempt is told once, and black holes cost no real time here."""

import anyio
import pytest
from anyio.abc import ByteStream
from trio.testing import MockClock

from rozaneh.core import Attempt, DialFailed, Failure, Op, Target
from rozaneh.dialers import build
from rozaneh.net import Deadlines, Trace, measure
from rozaneh.net.memory import MemoryNetwork, echo, resets

pytestmark = pytest.mark.anyio

TARGET = Target.parse("https://site.example")
SITE = "93.184.216.34"
NAMES = {"site.example": [SITE]}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def hello(stream: ByteStream, trace: Trace) -> None:
    async with trace.step(Op.REQUEST):
        await stream.send(b"hello")
    async with trace.step(Op.FIRST_BYTE):
        await stream.receive()


async def test_what_works_is_an_attempt_and_an_open_stream() -> None:
    told: list[Attempt] = []
    async with MemoryNetwork(names=NAMES, delay=0.05) as network:
        network.serve(SITE, 443, echo)
        async with await measure(build("tcp", network), TARGET, exchange=hello, report=told.append) as measured:
            assert measured.ok
            assert measured.stream is not None
            await measured.stream.send(b"more")
            assert await measured.stream.receive() == b"more"
            assert not told
    (attempt,) = told
    assert attempt.ok
    assert [step.op for step in attempt.observations] == [Op.RESOLVE, Op.CONNECT, Op.REQUEST, Op.FIRST_BYTE]
    assert [step.took for step in attempt.observations] == pytest.approx([0.1, 0.1, 0, 0.1])


async def test_a_failure_is_a_value_and_the_stream_is_closed() -> None:
    told: list[Attempt] = []
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, resets())
        measured = await measure(build("tcp", network), TARGET, exchange=hello, report=told.append)
    assert (measured.ok, measured.stream, measured.failure) == (False, None, Failure.CONNECTION_RESET)
    assert [attempt.failure for attempt in told] == ["connection_reset"]
    with pytest.raises(DialFailed, match="connection_reset"):
        measured.detach()


async def test_a_hundred_black_holes_take_no_real_time() -> None:
    told: list[Attempt] = []
    began = anyio.current_time()
    async with MemoryNetwork(names=NAMES) as network:
        network.black_hole(SITE, 443)
        way = build("tcp", network)
        for _ in range(100):
            await measure(way, TARGET, deadlines=Deadlines(connect=15), report=told.append)
    assert anyio.current_time() - began == pytest.approx(1500)
    assert {attempt.failure for attempt in told} == {"generic_timeout_error"}
    assert all(attempt.observations[-1].took == 15 for attempt in told)


async def test_an_interrupted_dial_is_told_as_interrupted() -> None:
    told: list[Attempt] = []
    async with MemoryNetwork(names=NAMES) as network:
        network.black_hole(SITE, 443)
        with anyio.move_on_after(1):
            await measure(build("tcp", network), TARGET, report=told.append)
    (attempt,) = told
    assert attempt.failure is Failure.INTERRUPTED
    assert attempt.last_failed() is None


async def test_a_detached_stream_stays_open_and_the_attempt_is_told_once() -> None:
    told: list[Attempt] = []
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, echo)
        measured = await measure(build("tcp", network), TARGET, report=told.append)
        stream = measured.detach()
        await measured.aclose()
        await stream.send(b"still here")
        assert await stream.receive() == b"still here"
    assert len(told) == 1


async def test_no_secret_is_in_an_attempt() -> None:
    async with MemoryNetwork() as network:
        measured = await measure(build("socks5://user:secret@1.2.3.4:1080|tcp", network), TARGET)
    assert measured.attempt.spec == "socks5://***@1.2.3.4:1080|tcp"

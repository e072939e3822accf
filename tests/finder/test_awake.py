"""A process that stood still: whatever ended meanwhile teaches nothing, and is tried once more."""

import errno
from typing import Any

import anyio
import pytest
import trio.testing
from anyio.abc import ByteStream

from rozaneh.core import Failure
from rozaneh.finder import Connection, Finder, Memory, Refusal
from rozaneh.finder.awake import Awake
from rozaneh.net.memory import MemoryNetwork, resets
from rozaneh.net.splice import Flow
from tests.finder.world import (  # fmt: skip
    HELLO_BACK,
    NAMES,
    RELAY,
    RESOLVER,
    SITE,
    UPSTREAM,
    Recorder,
    answers,
    finder,
    flight,
    hello,
    resolver,
    table,
    target,
    unless_whole,
)

pytestmark = pytest.mark.anyio
CLOCK = trio.testing.MockClock(autojump_threshold=0)


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": CLOCK})


async def beats(one: Finder) -> None:
    while True:
        one.beat()
        await anyio.sleep(0.5)


def test_a_late_beat_and_a_suspension_are_noticed_at_once() -> None:
    total = 100.0
    awake = Awake(lambda: total)
    assert not awake.slept(0.0, 50.0)
    assert not awake.beat(50.0)
    total += 1
    assert not awake.slept(50.0, 51.0)
    assert awake.slept(50.0, 54.0), "no beat has come yet"
    assert not awake.beat(51.0)
    total += 3600
    assert awake.slept(51.0, 51.4)
    assert awake.beat(51.5)
    assert awake.slept(51.0, 51.6)
    assert not awake.slept(51.6, 52.0), "what began afterwards counts"
    awake.rest()
    assert not awake.slept(60.0, 999.0)


async def test_what_timed_out_while_we_stood_still_is_tried_again_and_blames_nobody() -> None:
    calls = 0

    async def slow_once(stream: ByteStream) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await anyio.sleep(0.05)
            CLOCK.jump(600)  # the lid is closed
        await answers(HELLO_BACK)(stream)

    seen = Recorder()
    async with MemoryNetwork(names=NAMES, delay=0.05) as network:
        network.serve(SITE, 443, slow_once)
        one = finder(network, seen, ways=[UPSTREAM])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beats, one)
            found = await one.connect(target(), flight(hello()))
            tasks.cancel_scope.cancel()
        assert isinstance(found, Connection), found
        await found.stream.aclose()
        assert (found.way.shown, found.obstacle) == ("tcp", "")
        (why,) = one.why("blocked.example")
        assert why.obstacle == ""


async def test_transfers_that_stood_still_with_us_are_in_no_doubt() -> None:
    async with MemoryNetwork(names=NAMES, delay=0.05) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        one = finder(network, Recorder(), ways=[UPSTREAM])
        found = await one.connect(target(), flight(hello()))
        assert isinstance(found, Connection)
        flow = Flow(began=anyio.current_time(), up=500, last_up=anyio.current_time(), down=2000)
        one.beat()
        CLOCK.jump(60)
        one.doubt(target(), found, "stall", anyio.current_time())
        one.ended(target(), found, flow, anyio.current_time())
        await found.stream.aclose()
        one.beat()
        assert one.outage() == ""
        (why,) = one.why("blocked.example")
        assert why.obstacle == ""


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_our_own_want_of_descriptors_or_memory_is_no_block(number: int) -> None:
    memory = Memory()
    async with MemoryNetwork(names=NAMES) as network:
        network.fail(SITE, 443, number)
        network.fail(RELAY, 1080, number)
        one = finder(network, Recorder(), ways=[UPSTREAM], memory=memory)
        found = await one.connect(target(), flight(hello()))
        assert isinstance(found, Refusal)
        assert found.obstacle == "unknown"
        assert all(tried.failure == Failure.INTERRUPTED for why in one.why("blocked.example") for tried in why.tried)
        assert one.outage() == ""
    assert memory._read("SELECT * FROM outcome", ()) == []


async def test_while_there_is_no_network_a_block_stays_known_and_afterwards_the_line_is_looked_at_anew() -> None:
    here, seen = "home", Recorder()
    async with MemoryNetwork(names=NAMES, delay=0.05) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        ways = table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"])
        one = finder(network, seen, table=ways, where=lambda: here)
        shown = []
        for here in ("home", "", "home", "elsewhere"):  # noqa: B007 - the finder asks for it
            found = await one.connect(target(), flight(hello()))
            assert isinstance(found, Connection), found
            await found.stream.aclose()
            shown.append(("tcp", "connection_reset") in seen.outcomes)
            seen.attempts.clear()
        assert shown == [True, False, False, True], "it is shown again on another network alone"

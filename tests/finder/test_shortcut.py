"""The short way: taken where the direct way has just led, and nowhere else."""

from typing import Any

import anyio
import pytest

from rozaneh.core import Failure, Op
from rozaneh.finder import Connection, Finder
from rozaneh.finder.routes import Route, Routes
from rozaneh.net.memory import MemoryNetwork, resets
from tests.finder.world import HELLO_BACK, SITE, UPSTREAM, Recorder, answers, finder, flight, hello, table, target

pytestmark = pytest.mark.anyio


async def reached(found: Finder) -> None:
    made = await found.connect(target(), flight(hello()))
    assert isinstance(made, Connection)
    await made.stream.aclose()


async def test_a_name_is_remembered_with_its_address_for_a_minute_and_until_something_is_in_the_way() -> None:
    async with MemoryNetwork(names={"blocked.example": [SITE]}) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        found = finder(network, Recorder(), table=table())
        assert found.shortcut(target()) is None, "nothing is known yet"
        await reached(found)
        short = found.shortcut(target())
        assert short is not None
        assert short.address == SITE
        assert short.from_memory
        (step,) = short.trace.observations
        assert step.op is Op.RESOLVE
        assert step.names("answers") == (SITE,)
        assert step.tag("engine") == "remembered"
        assert not short.runner.lendable, "nothing is connected yet"
        short.connected(anyio.current_time())
        assert short.runner.lendable == (SITE,)

        await anyio.sleep(61)
        assert found.shortcut(target()) is None, "it is looked at anew"
        await reached(found)
        short = found.shortcut(target())
        assert short is not None
        short.abandon(anyio.current_time())
        (why,) = found.why("blocked.example")
        assert why.tried[-1].failure == Failure.INTERRUPTED.value
        assert not why.tried[-1].suggests
        assert not why.obstacle
        assert found.shortcut(target()) is None

        await reached(found)
        network.serve(SITE, 443, resets())
        await found.connect(target(), flight(hello()))
        assert found.shortcut(target()) is None


@pytest.mark.parametrize(("kind", "short"), [("direct", True), ("abroad", False), ("refuse", False), (None, True)])
async def test_a_rule_counts_for_the_short_way_as_for_any(kind: Any, short: bool) -> None:
    async with MemoryNetwork(names={"blocked.example": [SITE]}) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        routes = Routes([Route(host="blocked.example", kind=kind)] if kind else [])
        found = finder(network, Recorder(), table=table(), ways=[UPSTREAM], routes=routes)
        found._knowledge.hosts.known(target()).opened(SITE, anyio.current_time())
        assert (found.shortcut(target()) is not None) is short
        if short:
            found._knowledge.hosts.known(target()).learn("tls_name_reset", None, anyio.current_time() + 60)
            assert found.shortcut(target()) is None

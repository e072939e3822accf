"""Exploration has a budget, and what failed is not followed by what would share its fate."""

from typing import Any

import anyio
import pytest
import trio.testing

from rozaneh.core import Spec
from rozaneh.finder import Connection, Refusal
from rozaneh.finder.budget import Budget
from rozaneh.net.memory import MemoryNetwork, resets
from tests.finder.world import (
    HELLO_BACK,
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


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


def test_a_budget_fills_again_by_the_hour_and_a_clock_that_stands_adds_nothing() -> None:
    budget = Budget(most=10)
    for _ in range(12):
        budget.spend(100.0)
    assert budget.left(100.0) == 0
    assert budget.left(50.0) == 0, "back in time"
    assert budget.left(50.0 + 720.0) == 1
    assert budget.left(90_000.0) == 5, "half of them at once, so that no hour has more than all of them"


@pytest.mark.anyio
async def test_beyond_the_budget_only_what_is_known_to_work_is_dialled() -> None:
    names = {f"site{number}.example": [SITE] for number in range(40)}
    seen = Recorder()
    async with MemoryNetwork(names=names) as network:
        network.serve(RESOLVER, 53, resolver(dict.fromkeys(names, SITE)))
        network.serve(SITE, 443, unless_whole(".exam", resets(), answers(HELLO_BACK)))
        found = finder(network, seen, table=table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"]))
        found._knowledge.budget = Budget(most=4)
        for name in names:
            made = await found.connect(target(name), flight(hello(name)))
            assert isinstance(made, Connection), "it is proven here after the first"
            await made.stream.aclose()
        network.serve(SITE, 443, resets())
        found._knowledge.hosts.forget()
        network.connections.clear()
        for name in names:
            assert isinstance(await found.connect(target(name), flight(hello(name))), Refusal)
        assert len(network.connections) - len(names) < 35, "what fails again and again is proven no more"
        await anyio.sleep(3600)
        network.serve(SITE, 443, unless_whole(".exam", resets(), answers(HELLO_BACK)))
        last = await found.connect(target("site39.example"), flight(hello("site39.example")))
        assert isinstance(last, Connection)
        await last.stream.aclose()


@pytest.mark.anyio
async def test_after_a_server_that_is_lost_another_one_is_tried_before_its_neighbour() -> None:
    neighbour = Spec.parse("https://45.76.10.11:443|tcp")
    other = Spec.parse("socks5://45.76.10.99:1080|tcp")
    seen = Recorder()
    async with MemoryNetwork(names={"blocked.example": [SITE]}) as network:
        network.serve(SITE, 443, resets())
        found = finder(network, seen, table=table(tls_name_reset=["{upstream}"]), ways=[UPSTREAM, neighbour, other])
        assert isinstance(await found.connect(target(), flight(hello())), Refusal)
    assert [spec for spec, _ in seen.outcomes][1:] == [str(UPSTREAM), str(other), str(neighbour)]

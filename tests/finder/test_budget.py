"""Exploration has a budget, and what failed is not followed by what would share its fate."""

import anyio
import msgspec
import pytest

from rozaneh.core import Attempt, Failure, Observation, Op, Spec
from rozaneh.finder import Connection, Refusal
from rozaneh.finder.budget import FIRST_LOOKUP, TRIAL, Budget, cost
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


def test_a_budget_fills_again_by_the_hour_and_a_clock_that_stands_adds_nothing() -> None:
    budget = Budget(most=10_000)
    for _ in range(6):
        budget.spend(100.0, 1000)
    assert budget.left(100.0) == -1000, "what was spent beyond it is not forgotten"
    assert budget.left(50.0) == -1000, "back in time"
    assert budget.left(50.0 + 720.0) == 0
    assert budget.left(90_000.0) == 5000, "half of it at once, so that no hour has more than all of it"


def test_what_counts_is_what_was_on_the_wire() -> None:
    def step(op: Op, took: float, failure: Failure | None = None, sent: int = 0) -> Observation:
        return Observation(op=op, t0=0.0, took=took, failure=failure, sent=sent)

    silent, called_back = Failure.GENERIC_TIMEOUT_ERROR, Failure.INTERRUPTED
    assert cost([step(Op.CONNECT, 5.0, silent)]) == 3 * 80, "a SYN is repeated after one second and after three"
    hello = step(Op.TLS, 8.0, silent, sent=517)
    assert cost([hello]) > 5 * 517, "and what is not acknowledged again and again"
    assert cost([step(Op.TLS, 0.1, called_back, sent=517)]) < 700
    assert cost([step(Op.TLS, 0.2)]) > 5000, "our own handshake, certificates included"
    lookup = step(Op.RESOLVE, 0.5), step(Op.CONNECT, 0.1), step(Op.CONNECT, 0.1)
    parents = [msgspec.structs.replace(each, parent=0 if number == 1 else None) for number, each in enumerate(lookup)]
    attempt = Attempt(target=target(), spec="tcp", started=0.0, took=1.0, observations=tuple(parents))
    assert list(attempt.within(Op.RESOLVE)) == parents[:2]


@pytest.mark.anyio
async def test_beyond_the_budget_only_what_is_known_to_work_is_dialled() -> None:
    names = {f"site{number}.example": [SITE] for number in range(40)}
    seen = Recorder()
    async with MemoryNetwork(names=names) as network:
        network.serve(RESOLVER, 53, resolver(dict.fromkeys(names, SITE)))
        network.serve(SITE, 443, unless_whole(".exam", resets(), answers(HELLO_BACK)))
        found = finder(network, seen, table=table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"]))
        found._knowledge.budget = Budget(most=30_000)
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
        assert -4000 < found._knowledge.budget.left(anyio.current_time()) < FIRST_LOOKUP + TRIAL
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

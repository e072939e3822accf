"""Rules of the user's: they count before all evidence."""

import pytest

from rozaneh.core import SpecError
from rozaneh.finder import Connection, Refusal
from rozaneh.finder.routes import Routes, parse_route
from rozaneh.net.memory import MemoryNetwork, resets
from tests.finder.world import (
    HELLO_BACK,
    NAMES,
    RELAY,
    SITE,
    UPSTREAM,
    Recorder,
    answers,
    finder,
    flight,
    hello,
    socks_relay,
    table,
    target,
)

WAYS = {"rule_abroad": ["{upstream}"], "tls_name_reset": ["{upstream}"]}


def routes(*texts: str) -> Routes:
    return Routes(map(parse_route, texts))


def test_the_most_special_rule_counts() -> None:
    found = routes(".example=abroad", "www.a.example=direct", "*.a.example=refuse")
    assert found.of("www.a.example") == "direct"
    assert found.of("a.example") == "refuse"
    assert found.of("b.a.example") == "refuse"
    assert found.of("c.example") == "abroad"
    assert found.of("notexample") is None


@pytest.mark.parametrize("text", ["", "a.example", "a.example=", "a.example=somewhere", "a b=direct", "=abroad"])
def test_what_is_no_rule_is_said(text: str) -> None:
    with pytest.raises(SpecError):
        parse_route(text)


@pytest.mark.anyio
async def test_abroad_goes_through_a_server_at_once_and_never_directly() -> None:
    seen = Recorder()
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        network._behaviours["far", 443] = answers(HELLO_BACK)
        network.serve(RELAY, 1080, socks_relay(network, {"blocked.example": SITE}))
        found = finder(network, seen, table=table(**WAYS), ways=[UPSTREAM], routes=routes("blocked.example=abroad"))
        for _ in range(2):
            made = await found.connect(target(), flight(hello()))
            assert isinstance(made, Connection)
            await made.stream.aclose()
            assert made.way.private
        assert (SITE, 443) not in network.connections
        alone = finder(network, seen, table=table(**WAYS), routes=routes("blocked.example=abroad"))
        refused = await alone.connect(target(), flight(hello()))
        assert isinstance(refused, Refusal)
        assert (refused.obstacle, refused.needs_upstream) == ("rule_abroad", True)
        assert (SITE, 443) not in network.connections


@pytest.mark.anyio
async def test_direct_is_never_led_through_a_server() -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, resets())
        found = finder(
            network, Recorder(), table=table(**WAYS), ways=[UPSTREAM], routes=routes("blocked.example=direct")
        )
        assert isinstance(await found.connect(target(), flight(hello())), Refusal)
        assert set(network.connections) == {(SITE, 443)}


@pytest.mark.anyio
async def test_refuse_dials_nothing() -> None:
    async with MemoryNetwork(names=NAMES) as network:
        found = finder(network, Recorder(), routes=routes(".example=refuse"))
        refused = await found.connect(target(), flight(hello()))
        assert isinstance(refused, Refusal)
        assert refused.obstacle == "rule"
        assert network.connections == []

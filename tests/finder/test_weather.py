"""Cuts: they are told from one destination that is silent, soon, and never where anything abroad answers."""

from typing import Any

import anyio
import pytest

from rozaneh.core import Failure
from rozaneh.finder import Connection, Finder, Refusal
from rozaneh.finder.weather import Weather
from rozaneh.net.memory import MemoryNetwork, silence
from tests.finder.world import (
    HELLO_BACK,
    OTHER_RESOLVER,
    RELAY,
    RESOLVER,
    SITE,
    UPSTREAM,
    Recorder,
    answers,
    finder,
    flight,
    hello,
    table,
    target,
)

pytestmark = pytest.mark.anyio
NAMES = {"blocked.example": [SITE], "other.example": ["93.184.216.99"], "domestic.example": ["5.160.0.10"]}
WAYS = {"address_black_hole": ["{resolver}|tcp", "{upstream}"]}


def cut(*, names: Any = NAMES) -> MemoryNetwork:
    """A network from which nothing abroad answers."""
    network = MemoryNetwork(names=names, delay=0.02)
    for place in ((SITE, 443), ("93.184.216.99", 443), (RESOLVER, 53), (OTHER_RESOLVER, 53), (RELAY, 1080)):
        network.black_hole(*place)
    network.serve("5.160.0.10", 443, answers(HELLO_BACK))
    return network


async def asked(found: Finder, name: str = "blocked.example") -> tuple[str, float]:
    """What blocks a site, as far as is said, and after how many seconds that is said."""
    began = anyio.current_time()
    made = await found.connect(target(name), flight(hello(name)))
    if isinstance(made, Connection):
        await made.stream.aclose()
    return made.obstacle, anyio.current_time() - began


@pytest.mark.parametrize("ways", [[], [UPSTREAM]])
async def test_the_first_who_asks_during_a_cut_is_told_soon_and_the_others_at_once(ways: list[Any]) -> None:
    async with cut() as network:
        found = finder(network, Recorder(), table=table(**WAYS), ways=ways)
        obstacle, first = await asked(found)
        assert obstacle == "domestic_only", "the network's resolver has answered"
        _, second = await asked(found, "other.example")
        assert first < 3
        assert second <= 1.1
        obstacle, third = await asked(found, "domestic.example")
        assert (obstacle, third < 0.2) == ("", True)


async def test_what_the_cut_had_taken_and_is_reached_again_shows_that_it_is_over() -> None:
    """Without a way, as most places are after a curfew; nobody asks the canaries then."""
    async with cut() as network:
        found = finder(network, Recorder(), table=table(**WAYS))
        assert (await asked(found))[0] == "domestic_only"
        assert (await asked(found, "domestic.example"))[0] == ""
        assert found.outage() == "domestic_only", "what is near says nothing about abroad"
        network._errors.pop((SITE, 443))
        network.serve(SITE, 443, answers(HELLO_BACK))
        await anyio.sleep(3.0)
        assert (await asked(found))[0] == ""
        assert found.outage() == ""


async def test_a_network_whose_resolver_is_silent_too_is_a_whole_outage() -> None:
    async with cut(names={"blocked.example": None}) as network:
        obstacle, _ = await asked(finder(network, Recorder(), table=table(**WAYS)))
        assert obstacle == "whole_outage"


@pytest.mark.parametrize("answer", ["accepts", "refuses"])
async def test_one_canary_that_answers_is_enough_to_know_that_it_is_no_cut(answer: str) -> None:
    async with cut() as network:
        if answer == "accepts":
            network._errors.pop((OTHER_RESOLVER, 53))
            network.serve(OTHER_RESOLVER, 53, silence)
        else:
            network.fail(OTHER_RESOLVER, 53, 111)
        obstacle, took = await asked(finder(network, Recorder(), table=table(address_black_hole=["{upstream}"])))
        assert obstacle == "address_black_hole"
        assert took >= 5, "a site that is only slow is waited for"


async def test_a_slow_line_is_no_cut() -> None:
    async with MemoryNetwork(names=NAMES, delay=0.8) as network:
        network.black_hole(SITE, 443)
        network.serve(RESOLVER, 53, silence)
        network.black_hole(OTHER_RESOLVER, 53)
        obstacle, _ = await asked(finder(network, Recorder(), table=table(address_black_hole=["{upstream}"])))
        assert obstacle == "address_black_hole"


async def test_without_trouble_no_canary_flies() -> None:
    async with MemoryNetwork(names=NAMES, delay=0.2) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        assert (await asked(finder(network, Recorder(), table=table(**WAYS))))[0] == ""
        assert network.connections == [(SITE, 443)]


async def test_a_site_that_is_slow_to_answer_but_connects_sends_no_canary() -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, silence)
        found = await finder(network, Recorder(), table=table(tls_name_silence=["tlsfrag:sni|tcp"])).connect(
            target(), flight(hello())
        )
        assert isinstance(found, Refusal)
        assert not {(RESOLVER, 53), (OTHER_RESOLVER, 53)} & set(network.connections)


async def test_when_the_cut_is_over_everything_is_reached_again() -> None:
    async with cut() as network:
        found = finder(network, Recorder(), table=table(**WAYS))
        await asked(found)
        await anyio.sleep(6)
        for place in ((SITE, 443), (RESOLVER, 53), (OTHER_RESOLVER, 53)):
            network._errors.pop(place)
        network.serve(SITE, 443, answers(HELLO_BACK))
        assert (await asked(found))[0] == ""


async def test_canaries_that_were_called_back_say_nothing_and_the_next_fly_again() -> None:
    seen = Recorder()
    async with cut() as network:
        found = finder(network, seen, table=table(**WAYS))
        with anyio.move_on_after(1.0):
            await asked(found)
        assert {failure for _, failure in seen.outcomes} == {"interrupted"}
        obstacle, took = await asked(found)
        assert (obstacle, took < 3) == ("domestic_only", True)
    assert Failure.INTERRUPTED.value in {failure for _, failure in seen.outcomes}


def test_silence_that_is_a_minute_old_is_no_outage() -> None:
    weather = Weather()
    weather.foreign_silent("a", 0.0, asked=0.0)
    assert weather.outage(1.0) == "", "one server is no outage"
    weather.foreign_silent("b", 1.0, asked=0.0)
    assert weather.outage(2.0) == "whole_outage"
    assert weather.outage(60.5) == ""
    weather.foreign_silent("a", 100.0, asked=98.0)
    weather.foreign_silent("b", 100.0, asked=98.0)
    weather.near_answered(100.0)
    assert weather.outage(101.0) == "domestic_only"
    weather.foreign_answered(101.0)
    assert weather.outage(101.0) == ""


def test_who_was_asked_before_something_answered_says_nothing_by_its_silence() -> None:
    """What was tried during a cut fails when that has ended: people would be refused once more."""
    weather = Weather()
    weather.foreign_answered(10.0)
    for peer in ("a", "b"):
        weather.foreign_silent(peer, 12.0, asked=8.0)
    assert weather.outage(12.0) == ""
    for peer in ("a", "b"):
        weather.foreign_silent(peer, 14.0, asked=11.0)
    assert weather.outage(14.0) == "whole_outage"


def test_when_the_one_server_that_a_cut_left_falls_silent_it_takes_no_canary_to_know() -> None:
    weather = Weather()
    assert weather.may_look(0.0)
    for peer in ("canary", "another canary"):
        weather.foreign_silent(peer, 1.5, asked=0.0)
    weather.near_answered(2.0)
    weather.upstream_answered("server", 2.0)
    assert weather.outage(3.0) == "", "there is a way out"
    assert not weather.may_look(3.0)
    assert weather.abroad_was_silent(3.0)
    weather.foreign_silent("server", 5.0, asked=3.5)
    assert weather.outage(5.0) == "domestic_only"
    weather.upstream_answered("server", 6.0)
    assert weather.outage(6.0) == ""
    weather.may_be_over()
    assert not weather.abroad_was_silent(6.0)

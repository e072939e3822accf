"""Races of the finder, in a world in memory on a clock that jumps: who runs beside whom, and what a loser teaches."""

import random
from typing import Any

import anyio
import pytest

from rozaneh.core import Spec
from rozaneh.finder import Refusal
from rozaneh.finder.routes import Route, Routes
from rozaneh.net.memory import MemoryNetwork, resets, silence
from tests.finder.world import (
    HELLO_BACK,
    NAMES,
    OTHER_RESOLVER,
    RELAY,
    RESOLVER,
    SITE,
    UPSTREAM,
    Recorder,
    answers,
    connected,
    finder,
    flight,
    hello,
    resolver,
    socks_relay,
    table,
    target,
    unless_whole,
)

pytestmark = pytest.mark.anyio


async def test_one_connection_searches_and_the_others_use_what_it_finds(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        found = finder(network, seen, table=table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"]))

        async def one() -> None:
            await connected(await found.connect(target(), flight(hello())))

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(one)
        assert [spec for spec, _ in seen.outcomes].count("tlsfrag:sni|tcp") == 6
        assert [spec for spec, _ in seen.outcomes].count("tcp") <= 6


async def test_what_a_dial_failed_at_is_old_once_a_later_one_has_led_there(seen: Recorder) -> None:
    """A server is silent for two seconds. Who had begun then gives up long after others get through it again."""
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network._behaviours["far", 443] = answers(HELLO_BACK)
        routes = Routes([Route(host="blocked.example", kind="abroad")])
        found = finder(network, seen, ways=[UPSTREAM], table=table(rule_abroad=["{upstream}"]), routes=routes)
        works = socks_relay(network, {"blocked.example": SITE})
        network.serve(RELAY, 1080, works)
        await connected(await found.connect(target(), flight(hello())))
        network.serve(RELAY, 1080, silence)
        async with anyio.create_task_group() as tasks:

            async def began_early() -> None:
                await connected(await found.connect(target(), flight(hello())))

            tasks.start_soon(began_early)
            await anyio.sleep(2)
            network.serve(RELAY, 1080, works)
            for _ in range(100):
                await connected(await found.connect(target(), flight(hello())))
                await anyio.sleep(0.2)
        assert [outcome for _, outcome in seen.outcomes if outcome != "ok"] == ["generic_timeout_error"]


async def test_upstreams_are_never_raced_together(seen: Recorder) -> None:
    second = Spec.parse("socks5://45.76.10.12:1080|tcp")
    running = [0, 0]

    async def slow(stream: Any) -> None:
        running[0] += 1
        running[1] = max(running)
        try:
            with anyio.move_on_after(3):
                while True:
                    await stream.receive()
        finally:
            running[0] -= 1

    async with MemoryNetwork(names=NAMES) as network:
        network.black_hole(SITE, 443)
        network.serve(RELAY, 1080, slow)
        network.serve("45.76.10.12", 1080, slow)
        found = await finder(network, seen, ways=[UPSTREAM, second]).connect(target(), flight(hello()))
        assert isinstance(found, Refusal)
    assert running[1] == 1
    assert {spec for spec, _ in seen.outcomes} >= {str(UPSTREAM), str(second)}


async def test_a_silent_server_keeps_the_other_waiting_for_two_seconds(seen: Recorder) -> None:
    other = "45.76.10.12"
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.black_hole(SITE, 443)
        network.serve(RELAY, 1080, silence)
        network._behaviours["far", 443] = answers(HELLO_BACK)
        network.serve(other, 1080, socks_relay(network, {"blocked.example": SITE}))
        ways = [UPSTREAM, Spec.parse(f"socks5://{other}:1080|tcp")]
        found = finder(network, seen, ways=ways, table=table(address_black_hole=["{upstream}"]))
        began = anyio.current_time()
        made = await connected(await found.connect(target(), flight(hello())))
        assert made.way.shown == str(ways[1])
        assert anyio.current_time() - began < 4


async def test_of_the_servers_the_one_that_looks_right_is_tried_first(seen: Recorder) -> None:
    names = {"protocol_filter": ["{upstream.clear}", "{upstream}"]}
    ways = [Spec.parse("ss://aes-256-gcm:x@45.76.10.12:8388|tcp"), UPSTREAM]
    async with MemoryNetwork(names=NAMES) as network:
        network._behaviours["far", 443] = answers(HELLO_BACK)
        network.serve(SITE, 443, silence)
        network.serve(RELAY, 1080, socks_relay(network, {"blocked.example": SITE}))
        found = finder(network, seen, ways=ways, table=table(**names), suspect=lambda _: (("protocol_filter", 1.0),))
        made = await connected(await found.connect(target(), flight(hello())))
        assert made.way.shown == str(UPSTREAM)
        assert {spec for spec, _ in seen.outcomes} == {"tcp", str(UPSTREAM)}
        (why,) = found.why("blocked.example")
        assert why.evidence is not None


async def test_when_nothing_abroad_answers_it_is_said_soon(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        for place in ((SITE, 443), (RESOLVER, 53), (OTHER_RESOLVER, 53), ("93.184.216.99", 443)):
            network.black_hole(*place)
        network.names["other.example"] = ["93.184.216.99"]
        network.names["domestic.example"] = ["5.160.0.10"]
        network.serve("5.160.0.10", 443, answers(HELLO_BACK))
        found = finder(network, seen, table=table(address_black_hole=["{resolver}|tcp"]))
        await connected(await found.connect(target("domestic.example"), flight(hello())))
        first = await found.connect(target(), flight(hello()))
        assert isinstance(first, Refusal)
        await found.connect(target(), flight(hello()))
        began = anyio.current_time()
        second = await found.connect(target("other.example"), flight(hello("other.example")))
        assert isinstance(second, Refusal)
        assert second.obstacle == "domestic_only"
        assert not second.needs_upstream
        assert anyio.current_time() - began < 4


async def test_a_thousand_races_call_no_loser_blocked(seen: Recorder) -> None:
    chance = random.Random(7)
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        ways = table(tls_name_silence=["{resolver}|tlsfrag:sni|tcp", "{resolver}|split:sni|tcp"])
        for _ in range(1000):

            async def at_some_time(stream: Any) -> None:
                await stream.receive()
                await anyio.sleep(chance.uniform(0.0, 1.5))
                await stream.send(HELLO_BACK)
                await anyio.sleep_forever()

            network.serve(SITE, 443, at_some_time)
            await connected(await finder(network, seen, table=ways).connect(target(), flight(hello())))
    assert len(seen.attempts) > 1000
    assert {outcome for _, outcome in seen.outcomes} == {"ok", "interrupted"}


async def test_a_client_that_leaves_takes_its_race_along(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, silence)
        with anyio.move_on_after(0.1):
            await finder(network, seen).connect(target(), flight(hello()))
    assert seen.outcomes == [("tcp", "interrupted")]

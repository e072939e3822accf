"""Connections to resolvers are kept between lookups, whatever becomes of those who asked."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.core import DialFailed, Observation
from rozaneh.finder.resolvers import Resolvers
from rozaneh.net import Trace
from rozaneh.net.memory import Behaviour, MemoryNetwork, silence
from rozaneh.net.trust import Trust
from tests.dialers.world import ca_file, dns_over_http, dns_over_stream, in_tls

pytestmark = pytest.mark.anyio

ZONE = {f"n{number}.example": (f"93.184.216.{number}",) for number in range(1, 13)}
DOH, DOT = "doh:dns.example@8.8.8.8", "dot:dns.example@8.8.8.8"
PORTS = {DOH: 443, DOT: 853}


class Asking:
    """Resolvers that are kept, and what was recorded."""

    def __init__(self, network: MemoryNetwork, resolvers: Resolvers, name: str) -> None:
        self.network, self.resolvers, self.name = network, resolvers, name
        self.steps: list[Observation] = []

    async def __call__(self, host: str) -> list[str]:
        trace = Trace()
        try:
            return await self.resolvers.addresses(self.resolvers.resolver(self.name), self.name, host, trace)
        finally:
            self.steps += trace.observations

    @property
    def opened(self) -> int:
        return len(self.network.connections)


@pytest.fixture
def asking(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def made(name: str, *behaviours: Behaviour, delay: float = 0.05) -> AsyncIterator[Asking]:
        left = list(behaviours)

        async def behaviour(stream: ByteStream) -> None:
            await (left.pop(0) if len(left) > 1 else left[0])(stream)

        async with MemoryNetwork(delay=delay) as network:
            network.serve("8.8.8.8", PORTS[name], behaviour)
            resolvers = Resolvers(network, Trust.with_ca(ca_file(tmp_path)))
            async with resolvers.keeping():
                yield Asking(network, resolvers, name)

    return made


def resolver(name: str, zone: Mapping[str, tuple[str, ...]] = ZONE, **settings: Any) -> Behaviour:
    return in_tls("dns.example", dns_over_http(zone, **settings) if name == DOH else dns_over_stream(zone))


@pytest.mark.parametrize("name", [DOH, DOT])
async def test_all_who_ask_at_once_share_one_connection_and_so_do_those_after_them(asking: Any, name: str) -> None:
    async with asking(name, resolver(name)) as ask:
        found: dict[str, list[str]] = {}

        async def one(host: str) -> None:
            found[host] = await ask(host)

        async with anyio.create_task_group() as tasks:
            for host in ZONE:
                tasks.start_soon(one, host)
        assert found == {host: list(addresses) for host, addresses in ZONE.items()}
        with pytest.raises(DialFailed, match="no address"):
            await ask("nobody.example")
        await anyio.sleep(60)
        ask.steps.clear()
        assert await ask("n3.example") == ["93.184.216.3"]
        assert ask.opened == 1
        assert ask.steps[0].tags["kept"] is True
        assert ask.steps[0].took == pytest.approx(0.1), "one round trip"
        await anyio.sleep(200)
        await ask("n3.example")
        assert ask.opened == 2, "what nobody uses for two minutes is closed"
        ask.resolvers.forget()
        await ask("n3.example")
        assert ask.opened == 3


@pytest.mark.parametrize("name", [DOH, DOT])
async def test_who_is_called_back_leaves_nothing_behind_that_another_one_takes_for_his(asking: Any, name: str) -> None:
    async with asking(name, resolver(name)) as ask:
        await ask("n1.example")
        for seconds in (0.02, 0.06, 0.09):
            with anyio.move_on_after(seconds):
                await ask("n2.example")
            assert await ask("n4.example") == ["93.184.216.4"]
        assert ask.opened == 1 if name == DOH else ask.opened <= 4


async def test_none_of_many_that_were_spoilt_stays_open(asking: Any) -> None:
    open_now = 0

    async def counted(stream: ByteStream) -> None:
        nonlocal open_now
        open_now += 1
        try:
            await resolver(DOT)(stream)
        finally:
            open_now -= 1

    async with asking(DOT, counted) as ask:
        for _ in range(5):
            await ask("n1.example")
            with anyio.move_on_after(0.02):
                await ask("n2.example")
        await anyio.sleep(1)
        assert ask.opened >= 5
        assert open_now <= 1


async def test_what_was_begun_on_another_network_is_not_kept(asking: Any) -> None:
    async with asking(DOH, resolver(DOH)) as ask:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "n1.example")
            await anyio.sleep(0.06)
            ask.resolvers.forget()
        await ask("n2.example")
        assert ask.opened == 2


async def test_who_opens_it_and_is_called_back_leaves_that_to_the_next(asking: Any) -> None:
    async with asking(DOH, resolver(DOH)) as ask, anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.12):
            tasks.start_soon(ask, "n5.example")
            await ask("n1.example")
    assert ask.opened == 2


async def test_what_has_died_meanwhile_is_opened_anew(asking: Any) -> None:
    once = in_tls("dns.example", dns_over_http(ZONE, answers=2))
    then_nothing = in_tls("dns.example", _for_a_second(dns_over_http(ZONE)))
    async with asking(DOH, once, then_nothing, resolver(DOH)) as ask:
        for opened in (1, 2):
            await ask("n1.example")
            assert ask.opened == opened
        await anyio.sleep(2)
        began = anyio.current_time()
        assert await ask("n2.example") == ["93.184.216.2"]
        assert ask.opened == 3
        assert anyio.current_time() - began < 1.2, "it is not waited for as long as for a stranger"


async def test_all_who_wait_for_a_resolver_that_cannot_be_reached_are_told_when_one_is(asking: Any) -> None:
    async with asking(DOH, silence) as ask:
        failures: list[str] = []

        async def one(host: str) -> None:
            with pytest.raises(DialFailed) as failed:
                await ask(host)
            failures.append(failed.value.failure.value)

        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for host in ZONE:
                tasks.start_soon(one, host)
        assert failures == ["generic_timeout_error"] * len(ZONE)
        assert anyio.current_time() - began < 6
        assert ask.opened == 1


def _for_a_second(does: Behaviour) -> Behaviour:
    async def behaviour(stream: ByteStream) -> None:
        with anyio.move_on_after(1.0):
            await does(stream)
        await silence(stream)

    return behaviour

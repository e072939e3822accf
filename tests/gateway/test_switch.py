"""What "paused" and "wiped" mean for what the gateway would do of its own accord: nothing."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from rozaneh.finder import Connection, Finder
from rozaneh.gateway.curfew import CurfewMode
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.keeping import Keeper
from rozaneh.gateway.lives import Lives
from rozaneh.gateway.state import State
from rozaneh.gateway.switch import Switch
from rozaneh.net.memory import MemoryNetwork, silence
from rozaneh.net.splice import Flow
from rozaneh.net.trust import Trust
from tests.finder.world import HELLO_BACK, SITE, Recorder, answers, finder, flight, hello, table, target
from tests.gateway.page.front import TEHRAN, Hand
from tests.gateway.test_curfew import PAGE, watched

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


async def until(there: Callable[[], bool]) -> None:
    for _ in range(3000):
        if there():
            return
        await anyio.sleep(0.01)
    pytest.fail("it never came")


async def silent_flow(found: Finder, lives: Lives) -> Flow:
    """A connection on which something was asked and nothing came for a while."""
    made = await found.connect(target(), flight(hello()))
    assert isinstance(made, Connection)
    flow = lives.begin(target(), made)
    flow.up, flow.down, flow.began = 2000, 1200, anyio.current_time() - 9
    flow.last_up = anyio.current_time() - 5
    return flow


async def test_a_connection_that_the_user_ends_teaches_nothing_and_nothing_is_asked_while_it_is_paused() -> None:
    async with MemoryNetwork(names={"blocked.example": [SITE]}) as network, anyio.create_task_group() as tasks:
        network.serve(SITE, 443, answers(HELLO_BACK))
        found, switch = finder(network, Recorder(), table=table()), Switch()
        lives = Lives(found, switch)
        tasks.start_soon(lives.watch)
        await anyio.wait_all_tasks_blocked()
        lives.end(await silent_flow(found, lives), broken_off=True)
        assert [each.obstacle for each in found.why("blocked.example")] == [""]

        flow = await silent_flow(found, lives)
        switch.pause()
        before = list(network.connections)
        lives.end(flow)
        await anyio.wait_all_tasks_blocked()
        assert network.connections == before, "no question of our own"

        switch.resume()
        found.forget()
        lives.end(await silent_flow(found, lives))
        await until(lambda: len(network.connections) >= len(before) + 2)
        switch.pause()
        before = list(network.connections)
        await anyio.wait_all_tasks_blocked()
        assert network.connections == before, "a question that was on its way is broken off"
        tasks.cancel_scope.cancel()


async def test_before_a_cut_nothing_is_fetched_while_paused_nor_after_a_wipe(tmp_path: Path) -> None:
    hand, events, switch = Hand(), list[Any](), Switch()
    hand.at = dt.datetime(2022, 9, 21, 15, 40, tzinfo=TEHRAN)
    async with MemoryNetwork(names={"one.example": [SITE]}) as network:
        network.serve(SITE, 80, silence)
        found = Finder(network, table=table(), clock=hand)
        keeper = Keeper(found, Trust.system(), ("http://one.example/",), tmp_path / "kept", 1000)
        file = watched(tmp_path / "evening.jsonl", hand.at)
        mode = CurfewMode(found, hand, events.append, keeper=keeper, watched=file, switch=switch)
        desk = Desk(found, State(hand), switch, network, None, curfew=mode)
        switch.pause()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mode.watch)
            await anyio.wait_all_tasks_blocked()
            assert (network.connections, events) == ([], [])
            tasks.cancel_scope.cancel()
        switch.resume()
        async with anyio.create_task_group() as again:
            again.start_soon(mode.watch)
            await until(lambda: bool(network.connections))
            switch.pause()
            await anyio.wait_all_tasks_blocked()
            assert events == [], "it was broken off"
            again.cancel_scope.cancel()
        network.serve(SITE, 80, answers(PAGE))
        found.forget()
        await mode.step()
        assert [each.kept for each in events] == [1], "and done once more"
        hand.at += dt.timedelta(days=1)
        desk.wipe(servers=False)
        await mode.step()
        assert len(events) == 1
        assert desk.look().curfew is None

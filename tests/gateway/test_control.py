"""Asking a running gateway: the state, and why a host is reached as it is."""

import datetime as dt
import os
import resource
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
import pytest

from rozaneh.core import LocalFault
from rozaneh.finder import Finder
from rozaneh.gateway import Closed, Opened, Refused, control
from rozaneh.gateway.control import Answer, Question
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.handing import NAME
from rozaneh.gateway.state import State
from rozaneh.gateway.switch import Switch
from rozaneh.net.memory import MemoryNetwork, resets
from tests.finder.world import (
    HELLO_BACK,
    RESOLVER,
    SITE,
    Recorder,
    answers,
    finder,
    flight,
    hello,
    table,
    target,
    unless_whole,
)
from tests.finder.world import resolver as resolving

pytestmark = pytest.mark.anyio
NAMES = {"blocked.example": [SITE]}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.at = dt.datetime(2022, 9, 21, 12, 0, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.at


def desk(found: Finder, network: MemoryNetwork) -> Desk:
    return Desk(found, State(Hand()), Switch(), network, None)


async def asked(folder: Path, question: Question) -> Answer | None:
    return await anyio.to_thread.run_sync(control.ask, folder, question)


async def test_why_is_answered_by_the_gateway_that_runs(tmp_path: Path) -> None:
    stack = ExitStack()
    async with MemoryNetwork(names=NAMES) as network, anyio.create_task_group() as tasks:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolving({"blocked.example": SITE}))
        found: Finder = finder(network, Recorder(), table=table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"]))
        made = await found.connect(target(), flight(hello()))
        await made.stream.aclose()  # type: ignore[union-attr]  # a refusal has none and fails the test
        listening = control.listen(tmp_path)
        stack.enter_context(listening)
        tasks.start_soon(control.serve, listening, desk(found, network), lambda: "a link")
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        answer = await asked(tmp_path, Question(ask="why", host="blocked.example"))
        assert answer is not None
        assert [(why.port, why.obstacle) for why in answer.why] == [(443, "tls_name_reset")]
        assert [each.failure for each in answer.why[0].tried] == ["connection_reset", ""]
        nothing = await asked(tmp_path, Question(ask="why", host="other.example"))
        assert nothing == Answer()
        state = await asked(tmp_path, Question(ask="state"))
        assert state is not None
        assert state.state is not None
        assert await asked(tmp_path, Question(ask="link")) == Answer(link="a link")
        paused = await asked(tmp_path, Question(ask="pause"))
        assert paused is not None
        assert paused.look is not None
        assert paused.look.paused
        with pytest.raises(LocalFault, match="another gateway"):
            control.listen(tmp_path)
        tasks.cancel_scope.cancel()
    stack.close()


async def test_without_a_gateway_there_is_no_answer_and_a_socket_left_behind_is_taken_over(tmp_path: Path) -> None:
    tmp_path /= "longer" * 20  # than the address of a socket may be
    assert await asked(tmp_path, Question(ask="state")) is None, "not even a folder"
    tmp_path.mkdir()
    assert await asked(tmp_path, Question(ask="state")) is None
    with control.listen(tmp_path):
        pass
    assert (tmp_path / NAME).exists()
    assert await asked(tmp_path, Question(ask="state")) is None
    with control.listen(tmp_path):
        pass


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"ask":"burn"}\n', b'{"ask":"why","host":5}\n', b'{"ask":"why","x":1}\n', bytes(9000)]
)
async def test_what_is_no_question_gets_one_line(data: bytes) -> None:
    async with MemoryNetwork() as network:
        answer = control.answer(data, desk(Finder(network), network))
    assert answer.error.startswith("no question: ")


def test_the_state_counts_ways_and_bytes_and_forgets_the_last_minute() -> None:
    hand = Hand()
    state = State(hand)
    state.note(Opened(way="tcp", seconds=0.2))
    state.note(Opened(way="tlsfrag:sni|tcp", obstacle="tls_name_reset", seconds=0.4))
    hand.at += dt.timedelta(seconds=5)
    state.note(Refused(failure="x", obstacle="site_down", seconds=5.0))
    state.note(Closed(way="tcp", up=10, down=2000, seconds=1.0))
    now = state.snapshot("domestic_only")
    assert (now.open, now.outage, now.down_last_minute, now.up_last_minute) == (1, "domestic_only", 2000, 10)
    assert [(each.way, each.obstacle, each.connections) for each in now.ways] == [
        ("", "site_down", 1),
        ("tcp", "", 1),
        ("tlsfrag:sni|tcp", "tls_name_reset", 1),
    ]
    hand.at += dt.timedelta(seconds=61)
    assert state.snapshot().down_last_minute == 0
    assert msgspec.json.decode(msgspec.json.encode(now), type=type(now)) == now


def test_the_state_is_bounded() -> None:
    state = State(Hand())
    for number in range(1000):
        state.note(Opened(way=f"way {number}", seconds=0.1))
    assert len(state.snapshot().ways) <= 256


async def test_without_descriptors_it_waits_and_answers_later(tmp_path: Path) -> None:
    async with MemoryNetwork() as network, anyio.create_task_group() as tasks:
        with control.listen(tmp_path) as listening, socket.socket(socket.AF_UNIX) as asker, ExitStack() as held:
            tasks.start_soon(control.serve, listening, desk(finder(network, Recorder()), network))
            await anyio.lowlevel.checkpoint()
            most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (asker.fileno() + 20, hard))
            held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (most, hard))
            with suppress(OSError):
                while True:
                    held.callback(os.close, os.dup(0))
            asker.connect(str(tmp_path / "control"))
            asker.sendall(b'{"ask":"state"}\n')
            await anyio.sleep(0.05)
            held.close()
            with anyio.fail_after(20):
                await anyio.wait_readable(asker)
            assert b'"state"' in asker.recv(4096)
        tasks.cancel_scope.cancel()

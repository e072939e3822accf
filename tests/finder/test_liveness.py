"""Transfers that stop or crawl: what the bytes suggest, and what the next connection does about it."""

from collections.abc import Iterator
from random import Random
from typing import Any

import anyio
import pytest

from rozaneh.core import Failure
from rozaneh.finder import Connection, Finder
from rozaneh.finder.liveness import PROVEN, TOGETHER, Line, Pulse, asks_anew, gave_up, refuses_certificate
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.splice import Flow
from tests.finder.world import (
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
    socks_relay,
    table,
    target,
)


def a_line(rate: int = 400_000) -> Line:
    """One that has just been so fast."""
    line = Line()
    line.moved(rate, 1.0, 0.0)
    line.moved(0, 1.0, 0.5)
    return line


def judged(looks: list[tuple[float, int, int]], line: Line | None = None) -> list[str]:
    """What is said at each look, given the time and the bytes up and down until then."""
    flow = Flow(began=0.0)
    pulse = Pulse(flow, line or a_line())
    said: list[str] = []
    for now, up, down in looks:
        if up > flow.up:
            flow.count(up - flow.up, now, upward=True)
        if down > flow.down:
            flow.count(down - flow.down, now, upward=False)
        said.append(pulse.judge(now))
    return said


def test_a_request_without_an_answer_is_a_stall_and_a_proven_way_is_given_longer() -> None:
    asks = [(1.0, 100, 300), (2.0, 600, 300)]
    assert judged([*asks, (4.0, 600, 300)])[-1] == ""
    assert judged([*asks, (5.0, 600, 300)])[-1] == "stall"
    proven = [(1.0, 100, PROVEN), (2.0, 600, PROVEN)]
    assert judged([*proven, (8.0, 600, PROVEN)])[-1] == ""
    assert judged([*proven, (14.0, 600, PROVEN)])[-1] == "stall"


def test_a_connection_that_is_kept_for_later_is_not_stalled() -> None:
    assert judged([(1.0, 100, 0), (1.2, 100, 9000), (60.0, 100, 9000), (120.0, 100, 9000)]) == [""] * 4


def test_an_answer_that_is_not_awaited_any_more_is_no_stall() -> None:
    assert judged([(1.0, 100, 300), (2.0, 600, 300), (80.0, 600, 300)])[-1] == ""


@pytest.mark.parametrize(("rate", "said"), [(16_000, "throttling"), (60_000, ""), (900, "")])
def test_a_transfer_that_crawls_is_throttled(rate: int, said: str) -> None:
    assert judged([(float(second), 100, 500 + rate * second) for second in range(1, 9)])[-1] == said


def test_where_everything_is_slow_nothing_is_slowed_down() -> None:
    crawls = [(float(second), 100, 500 + 16_000 * second) for second in range(1, 9)]
    assert set(judged(crawls, Line())) == {""}, "nothing has been faster yet"
    assert set(judged(crawls, a_line(8000))) == {""}
    assert judged(crawls, a_line())[-1] == "throttling"
    busy = a_line()
    busy.moved(300_000, 1.0, 1.0)
    assert set(judged(crawls, busy)) == {""}, "another transfer takes the room"
    assert set(judged([(700.0 + at, up, down) for at, up, down in crawls])) == {""}, "that is long ago"


def test_silence_is_judged_by_the_rhythm_of_a_connection_and_of_its_line() -> None:
    stopped = flow_of(up=900, down=9000, last_up=2.0, last_down=2.5)
    near, far = (Pulse(stopped, Line(), pace) for pace in (0.1, 0.6))
    assert asks_anew(stopped, 4.0, near.patience(4.0)) == "stall"
    assert asks_anew(stopped, 6.0, far.patience(6.0)) == "", "eight times what its first answer took"
    assert asks_anew(stopped, 8.0, far.patience(8.0)) == "stall"
    lossy = Line()
    assert set(judged([(1.0, 500, 3000), (1.5, 500, 3000), (3.0, 500, 9000), (3.5, 500, 12_000)], lossy)) == {""}
    pauses = Pulse(stopped, lossy, 0.1)
    assert asks_anew(stopped, 5.0, pauses.patience(5.0)) == "", "here transfers pause for two seconds and go on"
    assert asks_anew(stopped, 7.0, pauses.patience(7.0)) == "stall"
    assert Pulse(stopped, lossy, 0.1).patience(700.0) == near.patience(700.0), "that is long ago"


def arrivals(draw: Random, packets: int) -> Iterator[tuple[float, int]]:
    """When the packets of an answer come, and how large, over 64 kbit/s with 300 ms and one in twenty lost."""
    now, size, busy = 0.0, 1400, 0.0
    for _ in range(packets):
        busy = max(busy, now) + size / 8000
        arrives, waits = busy + 0.15, 1.0
        while draw.random() < 0.05:
            # Half of the losses are mended within a round trip, the others after a time-out, which doubles.
            arrives += 0.3 if draw.random() < 0.5 else waits
            waits *= 2
        now = max(now, arrives)  # what was lost holds back what follows
        yield now, size


def test_on_a_slow_and_lossy_line_nothing_is_ever_in_doubt() -> None:
    draw = Random(1)
    for _ in range(300):
        line, answer = Line(), list(arrivals(draw, 20))
        flow = Flow(began=0.0)
        flow.count(500, 0.0, upward=True)
        pulse = Pulse(flow, line, pace=0.6 + answer[0][0])
        looks = [step / 2 for step in range(1, int(answer[-1][0] * 2) + 2)]
        before = 0.0
        for now in looks:
            for at, size in answer:
                if before < at <= now:
                    flow.count(size, at, upward=False)
            line.moved(sum(size for at, size in answer if before < at <= now), now - before, now)
            assert not pulse.judge(now)
            assert not asks_anew(flow, now, pulse.patience(now)), "an impatient client asks at every look"
            before = now


def test_two_that_crawl_together_need_not_be_watched_for_long() -> None:
    flow = Flow(began=0.0)
    pulse = Pulse(flow)
    for look in range(1, 5):
        flow.count(8000, look / 2, upward=False)
        pulse.judge(look / 2)
    assert pulse.crawls(2.0, TOGETHER)
    assert not pulse.crawls(2.0), "one alone may only have paused"


def test_small_answers_now_and_then_are_no_throttling() -> None:
    assert set(judged([(float(second), 100 * second, 500 * (second // 3)) for second in range(1, 30)])) == {""}


def flow_of(*, up: int, down: int, last_up: float, last_down: float) -> Flow:
    return Flow(up=up, down=down, last_up=last_up, last_down=last_down)


def test_what_a_client_says_by_leaving_or_asking_anew() -> None:
    waited = flow_of(up=900, down=400, last_up=2.0, last_down=1.5)
    assert gave_up(waited, 5.0) == "stall"
    assert gave_up(waited, 3.0) == "", "it did not wait"
    answered = flow_of(up=900, down=9000, last_up=2.0, last_down=2.5)
    assert gave_up(answered, 9.0) == "", "it had its answer"
    assert asks_anew(answered, 6.0) == "stall"
    assert asks_anew(answered, 3.0) == "", "browsers open several at once"
    assert asks_anew(answered, 90.0) == "", "it was kept for later"
    answered.failure, answered.broken_by = Failure.CONNECTION_RESET, "far"
    assert asks_anew(answered, 6.0) == ""


@pytest.mark.parametrize(("up", "took", "said"), [(30, 0.2, True), (7, 0.2, True), (600, 0.2, False), (30, 9.0, False)])
def test_a_client_that_leaves_with_an_alert_does_not_believe_the_certificate(up: int, took: float, said: bool) -> None:
    assert refuses_certificate(flow_of(up=up, down=4000, last_up=0.1, last_down=0.1), took) is said


async def reached(found: Finder) -> Connection:
    made = await found.connect(target(), flight(hello()))
    assert isinstance(made, Connection)
    await made.stream.aclose()
    return made


@pytest.mark.anyio
@pytest.mark.parametrize("doubt", ["stall", "throttling"])
async def test_the_next_connection_takes_another_way_and_comes_back_later(doubt: Any) -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        network._behaviours["far", 443] = answers(HELLO_BACK)
        network.serve(RELAY, 1080, socks_relay(network, {"blocked.example": SITE}))
        ways = table(stall=["{upstream}"], throttling=["{upstream}"])
        found = finder(network, Recorder(), table=ways, ways=[UPSTREAM])
        made = await reached(found)
        assert made.way.key == "tcp"
        found.doubt(target(), made, doubt, anyio.current_time())
        other = await reached(found)
        assert (other.way.private, other.obstacle) == (True, doubt)
        found.doubt(target(), other, doubt, anyio.current_time())
        assert (await reached(found)).way is not None, "when all are in doubt, one that crawls is better than none"
        await anyio.sleep(200)
        assert (await reached(found)).way.key == "tcp"


@pytest.mark.anyio
async def test_a_way_past_a_name_block_that_stalls_is_left_and_the_name_is_not_shown_again() -> None:
    seen = Recorder()
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))

        async def cut_only(stream: Any) -> None:
            first = await stream.receive()
            if b"blocked.example" in first:
                raise ConnectionResetError
            await stream.send(HELLO_BACK)
            await anyio.sleep_forever()

        network.serve(SITE, 443, cut_only)
        ways = table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp", "{resolver}|split:sni|tcp"])
        found = finder(network, seen, table=ways)
        made = await reached(found)
        found.doubt(target(), made, "stall", anyio.current_time())
        seen.attempts.clear()
        other = await reached(found)
        assert other.way.key != made.way.key
        assert "tcp" not in dict(seen.outcomes)

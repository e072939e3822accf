"""The user's servers of which some cannot be reached: the others come first, and nobody is refused while one lives."""

import errno
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.core import Attempt, Failure, Observation, Op, Spec
from rozaneh.finder import Connection, Finder, Refusal
from rozaneh.finder.awake import Awake
from rozaneh.finder.fallen import Fallen, unreached
from rozaneh.finder.routes import Route, Routes
from rozaneh.net.memory import Behaviour, MemoryNetwork, resets, silence
from tests.finder.world import HELLO_BACK, Recorder, answers, finder, flight, hello, socks_relay, target

pytestmark = pytest.mark.anyio

MANY = [f"45.76.10.{number}" for number in range(11, 24)]
"""One more than are tried for one connection."""
PORT = 1080
HOSTS = [f"site{number}.example" for number in range(60)]
ABROAD = Routes([Route(host=".example", kind="abroad")])


def world(servers: Sequence[str]) -> MemoryNetwork:
    network = MemoryNetwork(names={host: ["93.184.216.34"] for host in HOSTS}, delay=0.02)
    network._behaviours["far", 443] = answers(HELLO_BACK)
    for server in servers:
        works(network, server)
    return network


def works(network: MemoryNetwork, server: str) -> None:
    network.serve(server, PORT, socks_relay(network, dict.fromkeys(HOSTS, "93.184.216.34")))


def found_with(network: MemoryNetwork, seen: Recorder, servers: Sequence[str], **settings: Any) -> Finder:
    ways = [Spec.parse(f"socks5://{server}:{PORT}|tcp") for server in servers]
    return finder(network, seen, ways=ways, routes=ABROAD, **settings)


async def server_for(found: Finder, host: str) -> str:
    """The address of the server by which a host is reached; the reason where it is not."""
    made = await found.connect(target(host), flight(hello(host)))
    if isinstance(made, Refusal):
        return f"refused after {made.tried}"
    assert isinstance(made, Connection)
    await made.stream.aclose()
    return made.way.shown.split("//")[1].split(":")[0]


@asynccontextmanager
async def best_and_other(seen: Recorder, **settings: Any) -> AsyncIterator[tuple[MemoryNetwork, Finder, str, str]]:
    """Two servers, of which the best has led to thirty destinations and would be tried first for the next one."""
    best, other = MANY[:2]
    async with world([best, other]) as network:
        found = found_with(network, seen, [best, other], **settings)
        for host in HOSTS[:30]:
            assert await server_for(found, host) == best
        yield network, found, best, other


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


async def test_a_server_that_failed_once_is_found_when_all_others_have_died(seen: Recorder) -> None:
    """They have worked better until now, and there are as many of them as are tried for one connection."""
    weak, *others = MANY
    async with world(MANY) as network:
        found = found_with(network, seen, MANY)
        network.serve(weak, PORT, resets())
        assert await server_for(found, HOSTS[0]) in others
        works(network, weak)
        left = set(others)
        while left:
            carried = await server_for(found, HOSTS[0])
            assert carried in left
            left.remove(carried)
            network.fail(carried, PORT, errno.ECONNREFUSED)
        assert await server_for(found, HOSTS[0]) == weak


async def test_a_silent_server_is_waited_for_once_and_not_for_every_destination(seen: Recorder) -> None:
    best, other = MANY[:2]
    async with world([best, other]) as network:
        found = found_with(network, seen, [best, other])
        for host in HOSTS[:5]:
            assert await server_for(found, host) == best
        network.black_hole(best, PORT)
        assert await server_for(found, HOSTS[5]) == other
        began = anyio.current_time()
        for host in HOSTS[6:16]:
            assert await server_for(found, host) == other
        assert anyio.current_time() - began < 10 * 0.5
        assert network.connections.count((best, PORT)) == 5 + 1


async def test_a_server_that_is_back_has_its_turn_again(seen: Recorder) -> None:
    async with best_and_other(seen) as (network, found, best, other):
        network.fail(best, PORT, errno.ECONNREFUSED)
        assert await server_for(found, HOSTS[30]) == other
        works(network, best)
        assert await server_for(found, HOSTS[31]) == other
        await anyio.sleep(61)
        assert await server_for(found, HOSTS[32]) == best
        assert await server_for(found, HOSTS[33]) == best
        network.fail(best, PORT, errno.ECONNREFUSED)
        assert await server_for(found, HOSTS[34]) == other
        works(network, best)
        await anyio.sleep(61)
        assert await server_for(found, HOSTS[35]) == best, "it had answered, so it waits no longer than before"


@pytest.mark.parametrize("reply", [b"\x05\x04\x00\x01" + bytes(6), b"\x05\x05\x00\x01" + bytes(6)])
async def test_a_destination_that_is_down_says_nothing_of_the_server(seen: Recorder, reply: bytes) -> None:
    """The server was reached, and says that it cannot reach the one asked for."""

    async def far_end_is_down(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"\x05\x00")
        await stream.receive()
        await stream.send(reply)

    async with best_and_other(seen) as (network, found, best, other):
        network.serve(best, PORT, far_end_is_down)
        assert await server_for(found, HOSTS[30]) == other
        works(network, best)
        assert await server_for(found, HOSTS[31]) == best


async def test_when_a_line_is_back_every_server_has_its_turn(seen: Recorder) -> None:
    async with best_and_other(seen) as (network, found, best, other):
        network.black_hole(best, PORT)
        assert await server_for(found, HOSTS[30]) == other
        works(network, best)
        found.line_is_back()
        assert await server_for(found, HOSTS[31]) == best


def test_who_falls_again_waits_twice_as_long_up_to_ten_minutes() -> None:
    fallen, now = Fallen(), 0.0
    for waits in (60, 120, 240, 480, 600, 600):
        fallen.fell("a", now)
        assert fallen.since("a", now + waits - 1) == now
        assert fallen.since("a", now + waits) == -math.inf
        now += waits
    fallen.stands("a")
    fallen.fell("a", now)
    assert fallen.since("a", now + 60) == -math.inf


def test_falls_within_its_time_make_no_server_wait_longer() -> None:
    """A page asks for ten destinations at once."""
    fallen = Fallen()
    for now in range(10):
        fallen.fell("a", now)
    assert fallen.since("a", 9 + 59.0) == 9
    assert fallen.since("a", 9 + 60.0) == -math.inf


async def test_on_another_network_every_server_has_its_turn(seen: Recorder) -> None:
    """What one network keeps from being reached another may not, and what worked there is remembered."""
    place = ["home"]
    async with best_and_other(seen, where=lambda: place[0]) as (network, found, best, other):
        place[0] = "cafe"
        network.black_hole(best, PORT)
        assert await server_for(found, HOSTS[30]) == other
        works(network, best)
        place[0] = "home"
        assert await server_for(found, HOSTS[31]) == best


@pytest.mark.parametrize("kind", ["socks5", "https", "trojan"])
async def test_where_the_packets_to_a_server_or_its_handshake_are_dropped(seen: Recorder, kind: str) -> None:
    """A handshake that is never answered says as much as a connection that is not."""
    silent, other = MANY[:2]
    async with world([other]) as network:
        if kind == "socks5":
            network.black_hole(silent, PORT)
        else:
            network.serve(silent, PORT, silence)
        ways = [Spec.parse(f"{kind}://u:p@{silent}:{PORT}|tcp"), Spec.parse(f"socks5://{other}:{PORT}|tcp")]
        found = finder(network, seen, ways=ways, routes=ABROAD)
        found._knowledge.arrive()
        for _ in range(30):
            found._knowledge.remember("rule_abroad", found._knowledge.ways.upstreams[0], worked=True)
        for host in HOSTS[:6]:
            assert await server_for(found, host) == other
        assert network.connections.count((silent, PORT)) == 1


@pytest.mark.parametrize("far", [resets(), answers(b"this is no handshake")])
async def test_a_destination_whose_handshake_fails_says_nothing_of_the_server(seen: Recorder, far: Behaviour) -> None:
    """Many sites turn away whoever comes from where servers are rented."""

    async def turned_away(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"\x05\x00")
        await stream.receive()
        await stream.send(b"\x05\x00\x00\x01" + bytes(6))
        await far(stream)

    async with best_and_other(seen) as (network, found, best, other):
        network.serve(best, PORT, turned_away)
        assert await server_for(found, HOSTS[30]) == other
        works(network, best)
        assert await server_for(found, HOSTS[31]) == best


async def test_one_fall_does_not_put_the_server_that_lives_behind_a_list_of_dead_ones(seen: Recorder) -> None:
    """Public lists are like that: hundreds, of which a few live. None of the others fell, for nobody has tried them."""
    dead = [f"45.76.20.{number}" for number in range(1, 41)]
    best = MANY[0]
    async with world([best]) as network:
        found = found_with(network, seen, [best, *dead])
        for server in dead:
            network.fail(server, PORT, errno.ECONNREFUSED)
        for host in HOSTS[:30]:
            assert await server_for(found, host) == best
        network.fail(best, PORT, errno.ECONNREFUSED)
        assert "refused" in await server_for(found, HOSTS[30])
        works(network, best)
        assert await server_for(found, HOSTS[31]) == best
        assert await server_for(found, HOSTS[32]) == best


async def test_dead_servers_whose_turn_has_come_do_not_come_all_at_once(seen: Recorder) -> None:
    """They have worked for weeks, and fell together: a minute later each would be tried before the one that lives."""
    weak, *others = MANY
    async with world(MANY) as network:
        found = found_with(network, seen, MANY)
        found._knowledge.arrive()
        for way in found._knowledge.ways.upstreams[1:]:
            for _ in range(30):
                found._knowledge.remember("rule_abroad", way, worked=True)
        for server in others:
            network.fail(server, PORT, errno.ECONNREFUSED)
        assert "refused" in await server_for(found, HOSTS[0]), "twelve are tried, and nobody knew that they are dead"
        for host in HOSTS[1:40]:
            assert await server_for(found, host) == weak
            await anyio.sleep(10)


async def test_a_server_waited_for_while_the_machine_slept_has_not_fallen(seen: Recorder) -> None:
    total = [0.0]
    async with best_and_other(seen) as (network, found, best, other):
        found._knowledge.awake = Awake(total=lambda: total[0])
        found._knowledge.awake.beat(anyio.current_time())
        network.black_hole(best, PORT)
        total[0] += 100.0
        assert await server_for(found, HOSTS[30]) == other
        works(network, best)
        assert await server_for(found, HOSTS[31]) == best


async def test_servers_that_are_gone_are_forgotten(seen: Recorder) -> None:
    """Lists are fetched anew every few hours for weeks."""
    async with world([]) as network:
        found = found_with(network, seen, MANY)
        for server in MANY:
            network.fail(server, PORT, errno.ECONNREFUSED)
        assert "refused" in await server_for(found, HOSTS[0])
        kept = found._knowledge.ways.upstreams[0]
        found.use([kept.path])
        assert list(found._knowledge.fallen._fell) == [kept.key]


@pytest.mark.parametrize(
    ("steps", "fell"),
    [
        ([(Op.PROXY, None, True), (Op.CONNECT, 0, True)], True),
        ([(Op.PROXY, None, True), (Op.CONNECT, 0, False), (Op.TLS, 0, True)], True),
        ([(Op.PROXY, None, True), (Op.CONNECT, 0, False)], False),
        ([(Op.PROXY, None, False), (Op.CONNECT, 0, False), (Op.TLS, None, True)], False),
        ([(Op.PROXY, None, False), (Op.RESOLVE, None, False), (Op.CONNECT, None, True)], False),
        ([(Op.PROXY, None, False), (Op.RESOLVE, None, True)], True),
    ],
)
def test_what_of_an_attempt_is_a_fall(steps: list[tuple[Op, int | None, bool]], fell: bool) -> None:
    """The last two are of a tunnel, in which the target is looked up and connected to."""
    silent = Failure.GENERIC_TIMEOUT_ERROR
    observations = tuple(
        Observation(op=op, parent=parent, t0=0.0, took=1.0, failure=silent if failed else None)
        for op, parent, failed in steps
    )
    attempt = Attempt(target=target(), spec="x|tcp", started=0.0, took=1.0, failure=silent, observations=observations)
    assert unreached(attempt) is fell

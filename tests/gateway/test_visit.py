"""Clients served without a task: what was just reached directly is reached so again; all else is for a race."""

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import Attempt, Failure, Op
from rozaneh.finder import Finder, Table
from rozaneh.gateway import Closed, Event, Gateway, Opened, Refused
from rozaneh.gateway.steps import SoFar
from rozaneh.gateway.switch import Switch
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import SocketListener, SocketStream, SystemSockets
from rozaneh.net.streams import receive_or_nothing
from tests.finder.world import HELLO_BACK, PAGE, hello
from tests.gateway.test_gateway import exactly, rest

pytestmark = pytest.mark.anyio
HOME = "127.0.0.1"
GET = b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"
Script = Callable[[ByteStream, bytearray], Awaitable[None]]


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Counting(Gateway):
    """A gateway that knows whom it served in a task, and what had been done for them."""

    in_tasks: list[SoFar | None]

    async def serve_client(self, client: ByteStream, so_far: SoFar | None = None) -> None:
        self.in_tasks.append(so_far)
        await super().serve_client(client, so_far)


def listening() -> SocketListener:
    return SocketListener(SystemSockets().listener(HOME, 0))


class World:
    """A gateway, and a site on this machine that treats each connection as the next script says."""

    def __init__(self, gateway: Counting, door: SocketListener, site: SocketListener, *scripts: Script) -> None:
        self.gateway = gateway
        self.door = door.address[1]
        self.site = site.address[1]
        self.scripts = list(scripts)
        self.heard: list[bytearray] = []
        self.events: list[Event] = []
        self.attempts: list[Attempt] = []
        self.clients: list[ByteStream] = []

    async def connect(self) -> ByteStream:
        client = await RealNetwork().connect_tcp(HOME, self.door)
        self.clients.append(client)
        return client

    async def leave(self) -> None:
        for each in self.clients:
            await each.aclose()

    async def serve(self, stream: ByteStream) -> None:
        heard = bytearray()
        self.heard.append(heard)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        async with stream:
            await script(stream, heard)

    async def socks(self, early: bytes = b"") -> tuple[int, ByteStream]:
        """A client's stream to the site, and what the gateway said."""
        client = await self.connect()
        await client.send(b"\x05\x01\x00")
        assert await exactly(client, 2) == b"\x05\x00"
        await client.send(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack("!H", self.site) + early)
        return (await exactly(client, 10))[1], client

    async def once(self, said: bytes = GET, answer: bytes = PAGE) -> None:
        """One connection that works; the first of them makes the site known."""
        code, client = await self.socks()
        async with client:
            assert code == 0
            await client.send(said)
            assert await exactly(client, len(answer)) == answer

    async def closed(self, count: int) -> list[Closed]:
        with anyio.fail_after(10):
            while len(found := [each for each in self.events if isinstance(each, Closed)]) < count:
                await anyio.wait_all_tasks_blocked()
        return found


async def page(stream: ByteStream, heard: bytearray) -> None:
    heard += await receive_or_nothing(stream)
    if heard:
        await stream.send(PAGE)
        await rest(stream)


@asynccontextmanager
async def world(*scripts: Script, switch: Switch | None = None) -> AsyncIterator[World]:
    with anyio.fail_after(30):
        network = RealNetwork()
        async with listening() as door, listening() as site:
            events: list[Event] = []
            attempts: list[Attempt] = []
            finder = Finder(network, table=Table([], []), report=attempts.append)
            gateway = Counting(finder, tell=events.append, allow_local=True, switch=switch)
            gateway.in_tasks = []
            made = World(gateway, door, site, *scripts)
            made.events, made.attempts = events, attempts
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(site.serve, made.serve)
                tasks.start_soon(gateway.serve, door)
                try:
                    yield made
                finally:
                    await made.leave()
                tasks.cancel_scope.cancel()


async def test_what_was_just_reached_needs_no_task_and_is_recorded_told_and_explained_alike() -> None:
    async with world(page) as made:
        await made.once()
        await made.once()
        await made.once()
        closed = await made.closed(3)
        assert len(made.gateway.in_tasks) == 1
        assert made.heard == [GET] * 3
        assert [(each.up, each.down, each.failure) for each in closed[1:]] == [(0, len(PAGE), "")] * 2
        opened = [each for each in made.events if isinstance(each, Opened)]
        assert [(each.way, each.obstacle, each.tried) for each in opened] == [("tcp", "", 1)] * 3
        first, *others = ([step.op for step in each.observations] for each in made.attempts)
        assert first == [Op.CONNECT, Op.REQUEST, Op.FIRST_BYTE]
        assert others == [first, first]
        steps = made.attempts[1].observations
        assert steps[2].tag("status") == 200
        assert steps[2].received == len(PAGE)
        assert steps[1].sent == len(GET)
        assert steps[0].peer == made.attempts[0].observations[0].peer == f"{HOME}:{made.site}"
        (why,) = made.gateway._finder.why(HOME)
        assert len(why.tried) == 3
        assert why.way == "tcp"
        assert not why.obstacle


async def test_tls_and_what_is_neither_and_what_a_client_says_too_early() -> None:
    async def shakes(stream: ByteStream, heard: bytearray) -> None:
        heard += await stream.receive()
        await stream.send(HELLO_BACK[:7])
        await anyio.sleep(0.01)
        await stream.send(HELLO_BACK[7:])
        heard += await rest(stream)

    async def swallows(stream: ByteStream, heard: bytearray) -> None:
        await anyio.sleep(0.05)
        heard += await rest(stream)
        await stream.send(b"all of it")

    async with world(shakes, shakes, swallows) as made:
        await made.once(hello(), HELLO_BACK)
        code, client = await made.socks(early=hello()[:40])
        more = bytes(64)  # less would look like an alert about a certificate
        await client.send(hello()[40:] + more)
        assert code == 0
        assert await exactly(client, len(HELLO_BACK)) == HELLO_BACK
        await client.send_eof()
        assert await rest(client) == b""
        much = bytes(range(256)) * 40_000  # more than the sockets in between hold
        code, client = await made.socks(early=b"\x00\x01")
        assert code == 0
        await client.send(much)
        await client.send_eof()
        assert await rest(client) == b"all of it"
        await made.closed(3)
        assert made.heard == [hello(), hello() + more, b"\x00\x01" + much]
        assert len(made.gateway.in_tasks) == 1


async def test_a_server_that_speaks_first_and_a_slow_one_go_on_in_a_task_with_the_same_connection() -> None:
    async def greets(stream: ByteStream, heard: bytearray) -> None:
        await stream.send(b"SSH-2.0-site\r\n")
        heard += await rest(stream)

    async def thinks(stream: ByteStream, heard: bytearray) -> None:
        heard += await stream.receive()
        await anyio.sleep(0.6)
        await stream.send(HELLO_BACK)
        heard += await rest(stream)

    async with world(page, greets, thinks) as made:
        await made.once()
        code, client = await made.socks()
        assert code == 0
        assert await exactly(client, 14) == b"SSH-2.0-site\r\n"
        await client.send(b"hello, server")
        await client.aclose()
        await made.once(hello(), HELLO_BACK)
        await made.closed(3)
        assert made.heard == [GET, b"hello, server", hello()], "nothing is dialled or said twice"
        greeted, thought = (each.shortcut for each in made.gateway.in_tasks[1:] if each is not None)
        assert greeted is not None
        assert thought is not None
        tls = next(made.attempts[-1].steps(Op.TLS))
        assert 0.6 <= tls.took < 5
        assert tls.sent == len(hello())
        assert tls.failure is None


async def test_what_fails_is_a_races_to_judge_and_no_short_way_any_more() -> None:
    async def resets(stream: ByteStream, heard: bytearray) -> None:
        heard += await stream.receive()
        assert isinstance(stream, SocketStream)
        stream.extra(SocketAttribute.raw_socket).setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset

    async with world(page, resets, page) as made:
        await made.once()
        code, client = await made.socks()
        await client.send(hello())
        assert code == 0
        assert await rest(client) == b""
        assert made.heard == [GET, hello()]
        failed = made.attempts[-1]
        assert failed.failure is Failure.CONNECTION_RESET
        assert [step.op for step in failed.observations] == [Op.CONNECT, Op.TLS]
        refused = made.events[-1]
        assert isinstance(refused, Refused)
        assert refused.failure == "connection_reset"
        assert refused.tried == 1
        assert len(made.gateway.in_tasks) == 2
        code, client = await made.socks()
        assert code != 0, "it is not searched for again at once"
        assert made.gateway.in_tasks[-1] is not None
        assert made.gateway.in_tasks[-1].shortcut is None


async def test_a_site_that_has_gone_is_refused_in_the_clients_words() -> None:
    async with world(page) as made:
        await made.once()
        async with listening() as gone:
            port, made.site = made.site, gone.address[1]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(gone.serve, made.serve)
                await made.once()
                tasks.cancel_scope.cancel()
        code, _ = await made.socks()
        assert code == 5
        assert made.attempts[-1].failure is Failure.CONNECTION_REFUSED
        made.site = port
        await made.once()


async def test_paused_everybody_is_broken_off_and_after_the_last_door_is_closed_those_who_are_here_finish() -> None:
    switch = Switch()
    async with world(page, switch=switch) as made:
        await made.once()
        code, client = await made.socks()
        await client.send(GET)
        assert code == 0
        assert await exactly(client, len(PAGE)) == PAGE
        silent = await made.connect()
        _, halfway = await made.socks()
        switch.pause()
        for each in (client, silent, halfway):
            assert await rest(each) == b""
        code, _ = await made.socks()
        assert code == 2
        assert len(made.heard) <= 3
        switch.resume()
        await made.once()
        assert made.attempts[-1].ok

    async with listening() as door, listening() as site:
        with anyio.fail_after(20):
            gateway = Counting(Finder(RealNetwork(), table=Table([], [])), allow_local=True)
            gateway.in_tasks = []
            made = World(gateway, door, site, page)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(site.serve, made.serve)
                async with anyio.create_task_group() as served:
                    served.start_soon(gateway.serve, door)
                    await made.once()
                    code, client = await made.socks()
                    await client.send(GET)
                    await exactly(client, len(PAGE))
                    await door.aclose()
                    await anyio.sleep(0.05)
                    await client.send_eof()
                    assert await rest(client) == b""
                assert len(gateway.in_tasks) == 1
                await made.leave()
                tasks.cancel_scope.cancel()

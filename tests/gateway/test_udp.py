"""Datagrams through the gateway: where they go, and where they never do."""

import base64
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import dns.message
import pytest

from rozaneh.codecs.socks5_udp import Datagram, pack, unpack
from rozaneh.core import Spec, Target
from rozaneh.finder import Connection, Finder
from rozaneh.finder.datagrams import Carried
from rozaneh.finder.routes import Routes, parse_route
from rozaneh.finder.table import Obstacle, Table
from rozaneh.gateway import Event, Gateway, Opened, Refused
from rozaneh.gateway.switch import Switch
from rozaneh.net import Network
from rozaneh.net.memory import MemoryNetwork, resets
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from tests.codecs.test_shadowsocks2022_udp import KEY, Answer, block, opened
from tests.dialers.peers import free_port, running
from tests.dialers.servers import OF_2022, key_of, sing_box
from tests.dialers.world import ca_file, in_tls
from tests.finder.world import HELLO_BACK, RESOLVER, SITE, answers, flight, hello, resolver, row, target, unless_whole
from tests.gateway.test_gateway import exactly

pytestmark = pytest.mark.anyio
OTHER = "93.184.216.99"
IN_CLEAR = "9.9.9.10"
SECRET = "resolver.example"
NAMES = {"blocked.example": SITE, "open.example": OTHER}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


class Client:
    """A program that sends datagrams through SOCKS5."""

    def __init__(self, control: anyio.abc.ByteStream, relay: tuple[str, int]) -> None:
        self.control = control
        self.relay = relay
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0)
        self.socket.bind(("127.0.0.1", 0))

    async def aclose(self) -> None:
        self.socket.close()
        await self.control.aclose()

    async def ask(self, host: str, port: int, data: bytes, *, patience: float = 5.0) -> Datagram | None:
        self.socket.sendto(pack(host, port, data), self.relay)
        with anyio.move_on_after(patience):
            await anyio.wait_readable(self.socket)
            return unpack(self.socket.recv(65535))
        return None

    async def look_up(self, name: str, kind: str = "A") -> dns.message.Message:
        heard = await self.ask(RESOLVER, 53, dns.message.make_query(name, kind).to_wire())
        assert heard is not None
        assert (heard.host, heard.port) == (RESOLVER, 53)
        return dns.message.from_wire(heard.data)


class Front:
    def __init__(self, port: int, finder: Finder, switch: Switch) -> None:
        self.port = port
        self.finder = finder
        self.switch = switch
        self.events: list[Event] = []
        self.clients: list[Client] = []

    async def associate(self) -> tuple[int, Client]:
        control = await RealNetwork().connect_tcp("127.0.0.1", self.port)
        await control.send(b"\x05\x01\x00")
        assert await exactly(control, 2) == b"\x05\x00"
        await control.send(b"\x05\x03\x00\x01" + bytes(6))
        answer = await exactly(control, 10)
        place = socket.inet_ntoa(answer[4:8]), struct.unpack("!H", answer[8:])[0]
        self.clients.append(Client(control, place))
        return answer[1], self.clients[-1]

    @property
    def refused(self) -> list[str]:
        return [event.obstacle for event in self.events if isinstance(event, Refused)]


@asynccontextmanager
async def fronted(
    network: Network, *ways: str, routes: tuple[str, ...] = (), local: bool = False, trust: Trust | None = None
) -> AsyncIterator[Front]:
    rules = Table(
        [row(f"dnstcp:{IN_CLEAR}"), row(f"dot:{SECRET}@{RESOLVER}")],
        [Obstacle(name="tls_name_reset", way=(row("{resolver}|tlsfrag:sni|tcp"),))],
    )
    finder = Finder(
        network,
        ways=[Spec.parse(way) for way in ways],
        table=rules,
        routes=Routes(map(parse_route, routes)),
        trust=trust,
    )
    listener = await RealNetwork().listen_tcp("127.0.0.1", 0)
    front = Front(listener.extra(anyio.abc.SocketAttribute.local_port), finder, Switch())
    gateway = Gateway(finder, tell=front.events.append, allow_local=local, switch=front.switch)
    with anyio.fail_after(60):
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.serve, listener)
            try:
                yield front
            finally:
                for client in front.clients:
                    await client.aclose()
                tasks.cancel_scope.cancel()


async def gone(relay: tuple[str, int]) -> None:
    for _ in range(400):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(relay)
            probe.send(b"x")
            await anyio.sleep(0.005)
            try:
                probe.send(b"x")
            except ConnectionRefusedError:
                return
    pytest.fail("the relay is still there after its connection has ended")


async def test_straight_where_nothing_is_in_the_way_and_nowhere_where_a_way_is_needed(tmp_path: Path) -> None:
    seen: list[tuple[str, bytes]] = []

    def echo(place: str) -> Callable[[bytes], list[tuple[float, bytes]]]:
        def behaviour(data: bytes) -> list[tuple[float, bytes]]:
            seen.append((place, data))
            return [(0.0, data.upper())]

        return behaviour

    async with MemoryNetwork(names={name: [at] for name, at in NAMES.items()}) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(IN_CLEAR, 53, resolver(NAMES))
        network.serve(RESOLVER, 853, in_tls(SECRET, resolver(NAMES)))
        trust = Trust.with_ca(ca_file(tmp_path))
        for address, port in ((SITE, 443), (OTHER, 443), (RESOLVER, 53), ("127.0.0.1", 443)):
            network.answer(address, port, echo(address))
        async with fronted(network, routes=("refused.example=refuse", "abroad.example=abroad"), trust=trust) as front:
            code, client = await front.associate()
            assert code == 0
            assert await client.ask(OTHER, 443, b"abc") == Datagram(host=OTHER, port=443, data=b"ABC")
            assert await client.ask("open.example", 443, b"x") == Datagram(host="open.example", port=443, data=b"X")
            opened = front.events[0]
            assert isinstance(opened, Opened)
            assert (opened.way, opened.host) == ("udp", "")

            made = await front.finder.connect(target(), flight(hello()))
            await made.stream.aclose()  # type: ignore[union-attr]  # a refusal has none and fails the test
            seen.clear()
            for host in ("blocked.example", SITE, "refused.example", "abroad.example", "127.0.0.1", "printer.local"):
                assert await client.ask(host, 443, b"secret", patience=0.05) is None
            assert seen == [], "not one datagram of these left"
            assert front.refused == ["datagrams"] * 4 + ["local"] * 2

            for name, addresses, code_of in (("blocked.example", [SITE], 0), ("none.example", [], 3)):
                read = await client.look_up(name)
                assert [record.address for found in read.answer for record in found] == addresses
                assert read.rcode() == code_of
            assert (await client.look_up("blocked.example", "HTTPS")).rcode() == 0
            assert (await client.look_up("blocked.example", "MX")).rcode() == 4
            assert (await client.look_up("printer.local")).rcode() == 3
            assert seen == [], "questions are not sent in the clear"

            stranger = Client(client.control, client.relay)
            assert await stranger.ask(OTHER, 443, b"other port", patience=0.05) is None
            stranger.socket.close()
            client.socket.sendto(b"\x00\x00\x01rubbish", client.relay)
            assert await client.ask(OTHER, 443, b"still", patience=5) is not None

            front.switch.pause()
            assert (await front.associate())[0] == 2
            front.switch.resume()
            await client.control.aclose()
            await gone(client.relay)
            clients = [await front.associate() for _ in range(129)]
            assert [answer for answer, _ in clients].count(0) == 128


async def test_a_name_that_was_asked_for_in_datagrams_is_reached_and_was_never_asked_for_in_the_clear(
    tmp_path: Path,
) -> None:
    async with MemoryNetwork(names={"blocked.example": [SITE]}) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(IN_CLEAR, 53, resolver({"blocked.example": "93.184.216.66"}))
        network.serve(RESOLVER, 853, in_tls(SECRET, resolver(NAMES)))
        async with fronted(network, trust=Trust.with_ca(ca_file(tmp_path))) as front:
            _, client = await front.associate()
            read = await client.look_up("blocked.example")
            assert [record.address for found in read.answer for record in found] == [SITE]
            made = await front.finder.connect(target(), flight(hello()))
            assert isinstance(made, Connection)
            await made.stream.aclose()
            assert Spec.parse(made.way.shown) == Spec.parse(f"dot:{SECRET}@{RESOLVER}|tlsfrag:sni|tcp")
            assert (IN_CLEAR, 53) not in network.connections
            network.serve(RESOLVER, 853, resets())
            front.finder.forget()
            assert (await client.look_up("blocked.example")).rcode() == 2
            assert (IN_CLEAR, 53) not in network.connections, "rather no answer than one asked for in the clear"


async def test_a_server_that_seals_datagrams_is_taken_before_one_that_shows_them() -> None:
    ways = ("socks5://45.76.10.11:1080|tcp", "ss://chacha20-ietf-poly1305:lab@45.76.10.12:8388|tcp")
    async with MemoryNetwork() as network, fronted(network, *ways, routes=("abroad.example=abroad",)) as front:
        goes = front.finder.carried(Target(host="abroad.example", port=443))
        assert isinstance(goes, Carried)
        assert goes.shown.startswith("ss:")


@contextmanager
def echoing() -> Any:
    """A place that answers datagrams, on loopback."""
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind(("127.0.0.1", 0))
    here.settimeout(20)
    try:
        yield here
    finally:
        here.close()


def echo_once(here: socket.socket) -> None:
    data, sender = here.recvfrom(65535)
    here.sendto(data.upper(), sender)


def answer_as_2022(server: socket.socket) -> None:
    """A server of 2022 that answers one datagram in the place of whoever it was for."""
    message, sender = server.recvfrom(65535)
    session = block(KEY, message[:16], back=True)[:8]
    now = int(time.time())
    _, _, inside = opened([KEY], message, session, now)
    address, data = inside[:7], inside[7:]
    # One for somebody else, one that is played back, and between them the true one.
    stranger = Answer(data=b"forged", ours=bytes(8), when=now, address=address)
    true = Answer(data=data.upper(), ours=session, when=now, address=address)
    for each in (stranger, true, true):
        server.sendto(bytes(each), sender)


async def test_through_shadowsocks_of_2022() -> None:
    way = f"ss://2022-blake3-aes-256-gcm:{base64.b64encode(KEY).decode()}@127.0.0.1:"
    with echoing() as server:
        async with fronted(
            RealNetwork(), f"{way}{server.getsockname()[1]}|tcp", routes=("127.0.0.1=abroad",), local=True
        ) as front:
            _, client = await front.associate()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, answer_as_2022, server)
                assert await client.ask("127.0.0.1", 443, b"abc") == Datagram(host="127.0.0.1", port=443, data=b"ABC")
            with anyio.move_on_after(0.1):
                await anyio.wait_readable(client.socket)
                pytest.fail("played back")


@pytest.mark.parametrize("kind", ["danted", "ss-server", "microsocks"])
async def test_through_a_server_that_others_wrote(
    kind: str, peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    program, port, folder = peer(kind), free_port(), tmp_path_factory.mktemp("udp")
    if kind == "danted":
        (folder / "danted.conf").write_text(
            f"internal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nsocksmethod: none\nclientmethod: none\n"
            "client pass { from: 0/0 to: 0/0 }\nsocks pass { from: 0/0 to: 0/0 }\n"
        )
        arguments: tuple[str, ...] = ("-f", str(folder / "danted.conf"), "-p", str(folder / "danted.pid"))
        way = f"socks5://127.0.0.1:{port}|tcp"
    elif kind == "ss-server":
        arguments = ("-s", "127.0.0.1", "-p", str(port), "-k", "lab", "-m", "chacha20-ietf-poly1305", "-u")
        way = f"ss://chacha20-ietf-poly1305:lab@127.0.0.1:{port}|tcp"
    else:
        arguments, way = ("-i", "127.0.0.1", "-p", str(port)), f"socks5://127.0.0.1:{port}|tcp"
    with running(port, program, *arguments), echoing() as place:
        async with fronted(RealNetwork(), way, routes=("127.0.0.1=abroad",), local=True) as front:
            code, client = await front.associate()
            assert code == 0
            host, at = place.getsockname()
            if kind == "microsocks":
                # It knows no datagrams: then there is no way, and nothing goes straight instead.
                assert await client.ask(host, at, b"abc", patience=0.3) is None
                place.settimeout(0)
                with pytest.raises(BlockingIOError):
                    place.recv(10)
                return
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, echo_once, place)
                assert await client.ask(host, at, b"abc") == Datagram(host=host, port=at, data=b"ABC")
            opened = front.events[0]
            assert isinstance(opened, Opened)
            assert opened.way.endswith("|udp")
            assert "lab" not in opened.way


async def test_through_sing_box_by_every_cipher_of_2022(tmp_path: Path) -> None:
    """A server that others wrote, with one key and with the two of a server that has users."""
    ports, command = sing_box(tmp_path)
    with running(ports["users"], *command), echoing() as place:
        host, at = place.getsockname()
        for name, port in ports.items():
            method = OF_2022[0] if name == "users" else name
            keys = [key_of(method), *([key_of(method, 9)] if name == "users" else [])]
            way = f"ss://{method}:{quote(':'.join(keys), safe=':')}@127.0.0.1:{port}|tcp"
            async with fronted(RealNetwork(), way, routes=("127.0.0.1=abroad",), local=True) as front:
                _, client = await front.associate()
                for word in (b"abc", b"x" * 1200, b"\0"):
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(anyio.to_thread.run_sync, echo_once, place)
                        assert await client.ask(host, at, word) == Datagram(host=host, port=at, data=word.upper())
                opened = front.events[0]
                assert isinstance(opened, Opened)
                assert opened.way == f"ss://***@127.0.0.1:{port}|udp"

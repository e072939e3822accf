"""What a stranger cannot make a helper dial, however it is asked."""

from typing import Any

import anyio
import pytest
import trio.testing

from rozaneh.core import DialFailed
from rozaneh.helper import GuardedNetwork
from rozaneh.net import Step
from rozaneh.net.memory import MemoryNetwork, echo, sends
from tests.helper.world import FRONT, OTHER, SITE, helping, page

pytestmark = pytest.mark.anyio

PRIVATE = [
    "127.0.0.1",
    "192.168.1.1",
    "10.0.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2a00:1450:4001:81b:0:5efe:10.0.0.1",
    "224.0.0.1",
]


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@pytest.mark.parametrize("address", PRIVATE)
async def test_no_private_place_is_dialled_over_tcp_or_udp(address: str) -> None:
    async with MemoryNetwork() as inner:
        guarded = GuardedNetwork(inner)
        for dial in (guarded.connect_tcp, guarded.connect_udp):
            with pytest.raises(PermissionError):
                await dial(address, 443)
        assert inner.connections == []


@pytest.mark.parametrize("port", [22, 25, 465, 3306, 6379, 8080, 0, 65_536])
async def test_only_a_few_ports_are_dialled(port: int) -> None:
    async with MemoryNetwork() as inner:
        with pytest.raises(PermissionError):
            await GuardedNetwork(inner).connect_tcp(SITE, port)
        inner.serve(SITE, 8443, echo)
        await (await GuardedNetwork(inner, ports=(8443,)).connect_tcp(SITE, 8443)).aclose()


async def test_this_machines_own_public_address_is_refused() -> None:
    guarded = GuardedNetwork(MemoryNetwork(), own=("45.76.10.40", "2001:19f0:5:10::40"))
    assert not guarded.allows("45.76.10.40", 443)
    assert not guarded.allows("2001:19f0:5:10:0:0:0:40", 443)
    assert guarded.allows("45.76.10.41", 443)
    assert not guarded.allows("no address", 443)
    with pytest.raises(PermissionError):
        await guarded.listen_tcp("127.0.0.1", 0)


async def test_one_private_answer_among_many_refuses_them_all() -> None:
    async with MemoryNetwork(names={"mixed.example": [SITE, OTHER, "192.168.1.1"]}) as inner:
        with pytest.raises(DialFailed):
            await GuardedNetwork(inner).resolve("mixed.example")


@pytest.mark.parametrize("name", ["localhost", "localhost.", "router", "printer."])
async def test_names_that_only_a_local_resolver_knows_are_not_looked_up(name: str) -> None:
    async with MemoryNetwork(names={name: [SITE]}) as inner:
        with pytest.raises(DialFailed):
            await GuardedNetwork(inner).resolve(name)


class Rebinding(MemoryNetwork):
    """A resolver that says a public address first and a private one from then on."""

    asked = 0

    async def resolve(self, host: str, step: Step | None = None, *, listen_late: float = 0.0) -> list[str]:
        await super().resolve(host, step, listen_late=listen_late)
        self.asked += 1
        return [SITE] if self.asked == 1 else ["192.168.1.1"]


async def test_a_resolver_that_changes_its_answer_leads_nowhere() -> None:
    network = Rebinding(names={"rebinding.example": [SITE]})
    async with helping(network=network) as asking:
        network.serve(SITE, 80, page(b"", "302 Found", Location="http://rebinding.example/again"))
        network.serve("192.168.1.1", 80, page(b"the router's secrets"))
        answer = await asking.ask(http_request="http://rebinding.example/")
        assert answer["http_request"]["failure"] == "dns_bogon_error"
        assert {place for place in network.connections if place != FRONT} <= {(SITE, 80), (SITE, 443)}


@pytest.mark.parametrize(
    "location",
    [
        "http://192.168.1.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://93.184.216.35:22/",
        "http://localhost/",
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://inside.example/",
        "//169.254.169.254/latest/meta-data/",
    ],
)
async def test_a_redirect_is_judged_like_the_first_address(location: str) -> None:
    async with helping({"site.example": [SITE], "inside.example": ["10.0.0.1"]}) as asking:
        asking.network.serve(SITE, 80, page(b"", "302 Found", Location=location))
        answer = await asking.ask(http_request="http://site.example/")
        assert answer["http_request"]["failure"] is not None
        assert answer["http_request"]["status_code"] == -1
        assert {address for address, _ in asking.network.connections} == {SITE, FRONT[0]}


@pytest.mark.parametrize(
    "location", ["ftp://site.example/", "file:///etc/passwd", "gopher://x/", "http://", "http://[/"]
)
async def test_a_redirect_to_another_scheme_is_not_followed(location: str) -> None:
    async with helping({"site.example": [SITE]}) as asking:
        asking.network.serve(SITE, 80, page(b"", "302 Found", Location=location))
        answer = await asking.ask(http_request="http://site.example/")
        assert answer["http_request"]["failure"] is not None


async def test_a_loop_of_redirects_ends() -> None:
    async with helping({"site.example": [SITE]}) as asking:
        asking.network.serve(SITE, 80, page(b"", "302 Found", Location="http://site.example/again"))
        answer = await asking.ask(http_request="http://site.example/")
        assert answer["http_request"]["failure"] == "http_unexpected_redirect_url"
        assert len(asking.network.connections) < 20


async def test_private_endpoints_of_a_question_are_not_dialled() -> None:
    async with helping() as asking:
        asking.network.serve("192.168.1.1", 443, sends(b"x"))
        answer = await asking.ask(tcp_connect=["192.168.1.1:443", f"{SITE}:25", "[::1]:443"])
        assert {seen["status"] for seen in answer["tcp_connect"].values()} == {False}
        assert asking.network.connections == [FRONT]


async def test_a_site_that_drips_is_left_after_the_deadline() -> None:
    async def drips(stream: Any) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await anyio.sleep(1)
            await stream.send(b"x")

    async with helping({"site.example": [SITE]}, seconds=2.0) as asking:
        asking.network.serve(SITE, 80, drips)
        began = anyio.current_time()
        answer = await asking.ask(http_request="http://site.example/")
        assert anyio.current_time() - began < 5
        assert answer["http_request"]["failure"] == "generic_timeout_error"
        assert answer["tcp_connect"][f"{SITE}:80"]["status"] is True


async def test_no_more_of_a_page_is_read_than_the_bound() -> None:
    sent = 0

    async def endless(stream: Any) -> None:
        nonlocal sent
        await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n<title>big</title>")
        while True:
            await stream.send(b"x" * 65_536)
            sent += 65_536

    async with helping({"site.example": [SITE]}) as asking:
        asking.network.serve(SITE, 80, endless)
        answer = await asking.ask(http_request="http://site.example/")
    assert answer["http_request"]["body_length"] == 1 << 19
    assert answer["http_request"]["title"] == "big"
    assert sent < 3 << 20

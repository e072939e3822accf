"""Asking vantages: several at once, past a block, from memory, and when they lie or send rubbish."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio.testing
import trustme
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from rozaneh.core import Spec, Target
from rozaneh.diagnosis import Control
from rozaneh.dialers import build
from rozaneh.net.memory import MemoryNetwork, silence
from rozaneh.net.trust import Trust
from rozaneh.probe.control import Controls
from rozaneh.probe.dials import Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.remembered import LONGEST, Remembered
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import ControlSite
from tests.finder.world import RELAY, socks_relay

pytestmark = pytest.mark.anyio
A, B = "45.76.10.40", "45.76.10.41"
SITES = (ControlSite(name="a.example", address=A), ControlSite(name="b.example", address=B, port=8443))
ENDPOINT = Endpoint(id="site", url="https://site.example/")
GOOD = {
    "tcp_connect": {"93.184.216.34:443": {"status": True, "failure": None}},
    "tls_handshake": {"93.184.216.34:443": {"server_name": "site.example", "status": True, "failure": None}},
    "http_request": {"failure": None, "status_code": 200, "headers": {}},
    "dns": {"failure": None, "addrs": ["93.184.216.34", "not an address"]},
}


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


class Far:
    """Vantages with certificates of an authority of their own."""

    def __init__(self, folder: Path, network: MemoryNetwork) -> None:
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(folder / "ca.pem")
        self.network = network
        self.dials = Dials(network, Trust.with_ca(folder / "ca.pem"), Pace())
        self.asked: list[Any] = []

    def behaving(self, name: str, talk: Callable[[ByteStream], Any]) -> Callable[[ByteStream], Any]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(name).configure_cert(context)

        async def behaviour(stream: ByteStream) -> None:
            await talk(await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False))

        return behaviour

    def vantage(self, name: str, answer: bytes | dict[str, Any], status: str = "200 OK") -> Callable[[ByteStream], Any]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(name).configure_cert(context)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

        async def behaviour(stream: ByteStream) -> None:
            secured = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
            request = await secured.receive()
            self.asked.append(json.loads(request.partition(b"\r\n\r\n")[2]))
            await secured.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await silence(secured)

        return behaviour


async def test_every_vantage_is_asked_the_same(tmp_path: Path) -> None:
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.vantage("a.example", GOOD))
        network.serve(B, 8443, far.vantage("b.example", GOOD))
        said = await Controls(far.dials, SITES).ask(ENDPOINT, ["93.184.216.34"])
    assert sorted(control.vantage for control in said) == ["a.example", "b.example"]
    assert all((control.dns, control.tcp, control.tls, control.http) == (True,) * 4 for control in said)
    assert said[0].addresses == ("93.184.216.34",)
    assert far.asked[0] == {
        "http_request": "https://site.example/",
        "http_request_headers": {},
        "tcp_connect": ["93.184.216.34:443"],
        "x_quic_enabled": False,
    }


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"dns": 7}',
        b'{"tcp_connect": {"a": {"status": "yes"}}}',
        b'{"http_request": {"status_code": 1e99}}',
        b"[" * 100_000,
        b"x" * (1 << 19),
        b'{"x_client": {"asn": -1, "cc": "IR"}}',
        b'{"x_client": {"asn": 1, "cc": "<b>"}}',
        b"\x1f\x8b" + b"\0" * 1000,
        b'{"dns": {"addrs": [' + b",".join([b'"1.1.1.1"'] * 1000) + b"]}}",
    ],
)
async def test_rubbish_is_no_answer(tmp_path: Path, rubbish: bytes) -> None:
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.vantage("a.example", rubbish))
        network.serve(B, 8443, far.vantage("b.example", GOOD))
        said = await Controls(far.dials, SITES).ask(ENDPOINT, [])
    assert [control.vantage for control in said] == ["b.example"]


async def test_one_that_is_too_busy_or_drips_is_left_out(tmp_path: Path) -> None:
    async def drips(stream: ByteStream) -> None:
        while True:
            await stream.send(b"\x16")
            await anyio.sleep(1)

    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.vantage("a.example", b"{}", "429 Too Many Requests"))
        network.serve(B, 8443, drips)
        began = anyio.current_time()
        assert await Controls(far.dials, SITES).ask(ENDPOINT, []) == ()
        assert anyio.current_time() - began < 15


async def test_a_vantage_that_is_blocked_is_reached_by_another_way(tmp_path: Path) -> None:
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.black_hole(A, 443)
        network.serve("far", 443, far.vantage("a.example", GOOD))
        network.serve(RELAY, 1080, socks_relay(network, {"a.example": A}))
        way = build(Spec.parse(f"socks5://{RELAY}:1080|tcp"), network)
        (said,) = await Controls(far.dials, SITES[:1], way).ask(ENDPOINT, [])
    assert said.http is True
    assert said.way == f"socks5://{RELAY}:1080|tcp"


CLIENT = {"x_client": {"asn": 44244, "cc": "IR"}}


async def test_where_vantages_see_the_probe_is_known_if_they_agree_and_were_asked_directly(tmp_path: Path) -> None:
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.vantage("a.example", GOOD | CLIENT))
        network.serve(B, 8443, far.vantage("b.example", GOOD))
        controls = Controls(far.dials, SITES)
        said = await controls.ask(ENDPOINT, [])
        assert (controls.whereabouts.asn, controls.whereabouts.country) == (44244, "IR")
        assert all("x_client" not in control.answer for control in said), "it is no part of what is shared"
        network.serve(B, 8443, far.vantage("b.example", GOOD | {"x_client": {"asn": 1, "cc": "IR"}}))
        await controls.ask(ENDPOINT, [])
        assert (controls.whereabouts.asn, controls.whereabouts.country) == (0, "IR")
        network.black_hole(A, 443)
        network.serve("far", 443, far.vantage("a.example", GOOD | CLIENT))
        network.serve(RELAY, 1080, socks_relay(network, {"a.example": "far"}))
        way = build(Spec.parse(f"socks5://{RELAY}:1080|tcp"), network)
        controls = Controls(far.dials, SITES[:1], way)
        assert len(await controls.ask(ENDPOINT, [])) == 1
        assert (controls.whereabouts.asn, controls.whereabouts.country) == (0, "ZZ")


async def endless_head(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X-More: " + b"y" * 1000 + b"\r\n")


async def endless_body(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"400\r\n" + b" " * 1024 + b"\r\n")


async def drips(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await anyio.sleep(1)
        await stream.send(b" ")


@pytest.mark.parametrize("talk", [endless_head, endless_body, drips])
async def test_one_that_never_ends_is_left_and_the_others_are_heard(tmp_path: Path, talk: Any) -> None:
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.behaving("a.example", talk))
        network.serve(B, 8443, far.vantage("b.example", GOOD))
        began = anyio.current_time()
        said = await Controls(far.dials, SITES).ask(ENDPOINT, [])
        assert [control.vantage for control in said] == ["b.example"]
        assert anyio.current_time() - began < 15


@pytest.mark.parametrize(
    "sent_on",
    [b"HTTP/1.1 302 Found\r\nLocation: http://192.168.1.1/\r\nContent-Length: 0\r\n\r\n",
     b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"],
)  # fmt: skip
async def test_one_that_sends_on_is_not_followed(tmp_path: Path, sent_on: bytes) -> None:
    async def talk(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(sent_on)

    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.behaving("a.example", talk))
        assert await Controls(far.dials, SITES[:1]).ask(ENDPOINT, []) == ()
        assert network.connections == [(A, 443)]


async def test_what_a_vantage_said_stands_in_for_it_with_its_age(tmp_path: Path) -> None:
    now = 1_000_000.0
    remembered = Remembered(lambda: now)
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        network.serve(A, 443, far.vantage("a.example", GOOD))
        controls = Controls(far.dials, SITES[:1], remembered=remembered)
        assert [control.age for control in await controls.ask(ENDPOINT, [])] == [0]
        network.fail(A, 443, 111)
        now += 3600
        (said,) = await controls.ask(ENDPOINT, [])
        assert (said.age, said.http) == (3600, True)
        now += LONGEST
        assert await controls.ask(ENDPOINT, []) == ()
        now -= 2 * LONGEST
        assert await controls.ask(ENDPOINT, []) == ()


async def test_nothing_is_asked_about_what_a_vantage_cannot_try(tmp_path: Path) -> None:
    async with MemoryNetwork() as network:
        far = Far(tmp_path, network)
        udp = Endpoint(id="udp", url="quic://site.example/")
        assert await Controls(far.dials, SITES).ask(udp, []) == ()
        assert network.connections == []


def test_a_file_is_written_only_when_asked_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "state" / "controls.json"
    kept = Remembered(lambda: 100.0)
    kept.keep(ENDPOINT, Control(vantage="a.example", dns=True))
    assert not path.parent.exists()
    kept.write(path)
    assert path.stat().st_mode & 0o077 == 0
    assert Remembered.read(path, lambda: 160.0).said(ENDPOINT, "a.example") == Control(
        vantage="a.example", dns=True, age=60
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff" * 100, b"[" * 200_000])
def test_a_broken_file_is_no_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "controls.json"
    path.write_bytes(content)
    assert Remembered.read(path).said(ENDPOINT, "a.example") is None
    assert Remembered.read(tmp_path / "absent").said(ENDPOINT, "a.example") is None


def test_what_is_too_old_is_neither_written_nor_believed(tmp_path: Path) -> None:
    path = tmp_path / "controls.json"
    now = 0.0
    kept = Remembered(lambda: now)
    kept.keep(ENDPOINT, Control(vantage="old", dns=True))
    now = LONGEST + 1.0
    kept.keep(ENDPOINT, Control(vantage="new", dns=True))
    kept.write(path)
    assert b"old" not in path.read_bytes()
    assert Remembered.read(path, lambda: now).said(ENDPOINT, "new") is not None
    assert Remembered.read(path, lambda: now + LONGEST + 1).said(ENDPOINT, "new") is None
    assert Remembered.read(path, lambda: now - 60).said(ENDPOINT, "new") is None, "a clock that went back"


def test_what_is_remembered_is_bounded() -> None:
    kept = Remembered(lambda: 0.0)
    for number in range(2000):
        kept.keep(Endpoint(id="x", url=f"https://{number}.example/"), Control(vantage="a"))
    assert len(kept._kept) == 500
    assert Target.parse(next(iter(kept._kept))[0]).host == "1500.example"

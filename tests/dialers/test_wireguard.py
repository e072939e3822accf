"""WireGuard as a way: a real wireguard-go at both ends, and no route of this machine's touched."""

import base64
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.core import Attempt, DialFailed, SpecError, Target
from rozaneh.dialers import build
from rozaneh.dialers.wireguard import WireGuardWay, settings
from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from rozaneh.links.wireguard import parse
from rozaneh.net import Deadlines, Trace, measure
from rozaneh.net.apart import Order
from rozaneh.net.memory import MemoryNetwork, echo
from tests.dialers.vpn import Server, spec

KEY = base64.b64encode(bytes(range(32))).decode()
CONF = f"""
[Interface]
PrivateKey = {KEY}
Address = 10.9.0.2/24, fd00::2/64
DNS = search.example, 10.9.0.1
[Peer]
PublicKey = {KEY}
PresharedKey = {KEY}
AllowedIPs = 10.9.0.1/24, ::/0
Endpoint = 45.76.10.11:51821
PersistentKeepalive = 25
"""
SERVICE = Target(host="10.9.0.1", port=8080)


def test_the_configuration_is_as_wireguard_go_reads_it() -> None:
    secret = bytes(range(32)).hex()
    assert settings(parse(CONF)).splitlines() == [
        "set=1",
        f"private_key={secret}",
        "replace_peers=true",
        f"public_key={secret}",
        "endpoint={peer0}",
        f"preshared_key={secret}",
        "persistent_keepalive_interval=25",
        "allowed_ip=10.9.0.0/24",
        "allowed_ip=::/0",
        "",
    ]


def test_no_key_is_shown() -> None:
    way = spec(CONF)
    assert way.redacted() == "wireguard:***"
    order = Order(program="", settings=settings(parse(CONF)), addresses=(), routes=(), mtu=0)
    assert bytes(range(32)).hex() not in repr(order)
    assert KEY not in repr(parse(CONF))


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("", "expected one \\[Interface\\]"),
        ("!", "URL-safe base64"),
        (base64.urlsafe_b64encode(b"\xff").decode(), "URL-safe base64"),
        (base64.urlsafe_b64encode(b"[Interface]\nPostUp=id\n").decode(), "PostUp runs a command"),
        (base64.urlsafe_b64encode(CONF.replace("[Peer]", "Jc = 4\n[Peer]").encode()).decode(), "AmneziaWG"),
    ],
)
@pytest.mark.anyio
async def test_what_is_no_file_is_refused(argument: str, named: str) -> None:
    async with MemoryNetwork() as network:
        with pytest.raises(SpecError, match=named):
            build(f"wireguard:{argument}", network)


@pytest.mark.anyio
async def test_a_network_without_sockets_is_said_to_have_none() -> None:
    async with MemoryNetwork() as network:
        with pytest.raises(DialFailed, match="needs UDP sockets"):
            await build(spec(CONF), network).dial(SERVICE, Trace())


def _routes() -> tuple[str, list[str]]:
    return Path("/proc/net/route").read_text(), [name for _, name in socket.if_nameindex()]


@pytest.mark.namespaces
def test_a_service_behind_wireguard_in_the_lab(tmp_path: Path, peer: Callable[[str], str]) -> None:
    for each in ("wireguard-go", "wg", "ip"):
        peer(each)
    allowed = os.access("/dev/net/tun", os.R_OK | os.W_OK)
    before = _routes()
    with Lab() as lab:
        server = Server(lab.host("relay"), tmp_path)
        assert server.start() is allowed
        seen: dict[str, tuple[Attempt, str]] = {}
        said: dict[str, bytes] = {}

        async def ask(name: str, times: int) -> None:
            deadlines = Deadlines(connect=1.5)
            with lab.client("mobile", load_scenario(name), programs=False) as home:
                way = build(server.way, home.network)
                for _ in range(times):
                    async with await measure(way, SERVICE, deadlines=deadlines) as measured:
                        seen[name] = measured.attempt, measured.detail
                        said[name] = await _say(measured.stream)
                assert isinstance(way, WireGuardWay)
                way.close()

        async def go() -> None:
            async with AsyncExitStack() as open_here, anyio.create_task_group() as tasks:
                if allowed:
                    listener = await lab.host("relay").network.listen_tcp(SERVICE.host, SERVICE.port)
                    await open_here.enter_async_context(listener)
                    tasks.start_soon(listener.serve, _once)
                await ask("sni-reset", 2)
                await ask("wireguard-handshake", 1)
                tasks.cancel_scope.cancel()

        anyio.run(go)
        server.stop()
    assert _routes() == before
    if not allowed:
        assert "no tunnel is allowed here" in seen["sni-reset"][1]
        assert "open(/dev/net/tun)" in seen["sni-reset"][1]
        return
    assert said == {"sni-reset": b"hello", "wireguard-handshake": b""}
    assert seen["wireguard-handshake"][0].failure == "generic_timeout_error"
    assert len(seen["sni-reset"][0].observations) == 1, "the tunnel was there already"


async def _once(stream: ByteStream) -> None:
    async with stream:
        await echo(stream)


async def _say(stream: ByteStream | None) -> bytes:
    if stream is None:
        return b""
    await stream.send(b"hello")
    return await stream.receive()

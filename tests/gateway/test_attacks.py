"""What a page, a program or a neighbour may try with the proxy port: none of it leads into this machine or its home."""

import socket
import struct
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from selenium.webdriver.support.wait import WebDriverWait

from rozaneh.codecs.socks5_udp import pack
from rozaneh.core import Target
from rozaneh.core.target import clean_host
from rozaneh.gateway import Refused
from rozaneh.gateway.policy import is_local
from rozaneh.net.memory import MemoryNetwork, echo
from tests.browser import chromium
from tests.gateway.page.test_browser import hostile
from tests.gateway.test_gateway import Front, exactly, rest, running

INSIDE = (
    "127.0.0.1", "127.1", "0", "0.0.0.0", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.",
    "a.localhost", "printer", "router.lan", "nas.local", "169.254.169.254", "10.0.0.1", "192.168.1.1", "::1", "fd00::1",
    "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1", "metadata.google.internal",
)  # fmt: skip


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.mark.parametrize("host", ["example.org", "a.1.example", "a.xn--mgba3a4f16a", "1.1.1.1", "2606:4700::1111"])
def test_what_is_public_is_not_taken_for_local(host: str) -> None:
    assert not is_local(Target(host=host, port=443))


def world(network: MemoryNetwork) -> None:
    """Names that lead inside, and services that would answer there."""
    for host in INSIDE:
        network.names[host.lower().rstrip(".")] = ["127.0.0.1"]
    network.names["rebound.example"] = ["127.0.0.1", "192.168.1.1", "::1"]
    for address in ("127.0.0.1", "192.168.1.1", "::1", "169.254.169.254"):
        network.serve(address, 80, echo)


async def by_socks(front: Front, host: str) -> None:
    code, client = await front.socks(host, 80)
    if code == 0:  # told to go ahead before the name was resolved
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await rest(client)).startswith(b"HTTP/1.1 502")
    client = await front.connect()
    await client.send(b"\x04\x01\x00\x50\x00\x00\x00\x01x\x00" + host.encode() + b"\x00")
    assert (await rest(client))[:2] in (b"\x00\x5b", b"")


async def by_http(front: Front, host: str) -> None:
    place = f"[{host}]" if ":" in host else host
    for asks in (f"CONNECT {place}:80", f"GET http://{place}/"):
        head, client = await front.http(f"{asks} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        if b" 200 " in head[:15]:
            await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await rest(client)
        assert head[:12] in (b"HTTP/1.1 403", b"HTTP/1.1 502", b"HTTP/1.1 400"), (host, head)


async def by_datagrams(front: Front) -> None:
    before = len(front.events)
    control = await front.connect()
    await control.send(b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6))
    port = struct.unpack("!H", (await exactly(control, 12))[10:])[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        for host in (*INSIDE, "rebound.example"):
            here.sendto(pack(host, 80, b"x"), ("127.0.0.1", port))
    for _ in range(1000):
        if len(front.events) >= before + len({clean_host(host) for host in INSIDE}):  # each is told once
            return
        await anyio.sleep(0.01)
    pytest.fail("not every datagram was refused")


@pytest.mark.anyio
async def test_no_form_of_a_local_address_gets_in_by_any_language_of_the_port() -> None:
    async with running(world) as front:
        for host in (*INSIDE, "rebound.example"):
            await by_socks(front, host)
            await by_http(front, host)
        await by_datagrams(front)
        assert [place for place in front.network.connections if place[1] == 80] == []
        assert {event.obstacle for event in front.events if isinstance(event, Refused)} >= {"local"}


@pytest.mark.anyio
async def test_a_page_of_a_browser_gets_nothing_from_the_proxy_port(peer: Callable[[str], str]) -> None:
    programs = peer("chromium"), peer("chromedriver")

    def look(address: str) -> str:
        with chromium(*programs) as browser:
            browser.get(address)
            WebDriverWait(browser, 20).until(lambda one: one.title.startswith("ended"))
            return str(browser.title)

    async with running(lambda network: network.serve("127.0.0.1", 80, echo)) as front:
        page = f"""<script>(async () => {{
            const to = "http://127.0.0.1:{front.port}";
            const body = "CONNECT 127.0.0.1:80 HTTP/1.1\\r\\n\\r\\n";
            const tried = [["/", {{}}], ["/proxy.pac", {{}}], ["/", {{method: "POST", mode: "no-cors", body}}],
                ["//inside:80/", {{mode: "no-cors"}}], ["/http://127.0.0.1/", {{mode: "no-cors"}}]];
            let read = 0;
            for (const [path, how] of tried)
                await fetch(to + path, how).then(a => a.text()).then(t => {{ read += t.length; }}, () => 0);
            const socket = new WebSocket("ws://127.0.0.1:{front.port}/");
            socket.onopen = () => {{ document.title = "ended open"; }};
            socket.onerror = () => {{ document.title = "ended " + read; }};
        }})()</script>"""
        with hostile(page) as address:
            title = await anyio.to_thread.run_sync(look, address)
        assert title == "ended 0", "it read nothing and opened nothing"
        assert front.network.connections == []
        assert all(note == "a client took the proxy for a web server" for note in front.notes)

"""Clients that break their connection at any byte, in any language of the port: that costs nobody else anything."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rozaneh.gateway import Limits
from rozaneh.net.memory import MemoryNetwork
from tests.finder.world import HELLO_BACK, SITE, answers, hello
from tests.gateway.test_gateway import exactly, rest, running

pytestmark = pytest.mark.anyio
OTHER = "93.184.216.35"
_RESET = struct.pack("ii", 1, 0)
_NAME = b"\x0fblocked.example\x01\xbb"
SPOKEN = (
    b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6),
    b"\x05\x01\x00\x05\x01\x00\x03" + _NAME + hello()[:3],
    b"\x04\x01\x01\xbb\x00\x00\x00\x01x\x00blocked.example\x00",
    b"CONNECT blocked.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" + hello()[:3],
    b"GET http://blocked.example:443/ HTTP/1.1\r\nHost: x\r\n\r\n",
)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


def breaks() -> Iterator[tuple[bytes, int]]:
    """What is said, and after how many turns of the event loop the connection breaks."""
    for spoken in SPOKEN:
        yield from ((spoken[:end], end % 3) for end in range(1, len(spoken), 3))
        yield from ((spoken, turns) for turns in range(20))


def two_sites(network: MemoryNetwork) -> None:
    """One is broken off again and again, and what comes of that may be told of it; the other works."""
    for address in (SITE, OTHER):
        network.serve(address, 443, answers(HELLO_BACK))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_client_that_breaks_at_any_byte_ends_itself_alone() -> None:
    async with running(two_sites, limits=Limits(handshake=1.0)) as front:
        before = descriptors()
        for said, turns in breaks():
            with socket.create_connection(("127.0.0.1", front.port)) as client:
                client.sendall(said)
                for _ in range(turns):
                    await checkpoint()
                client.setblocking(False)  # noqa: FBT003 - the system's own signature
                with suppress(BlockingIOError, ConnectionResetError):
                    # What has read everything ends in peace, and what is said to it then is answered by a reset.
                    client.recv(100)
                if turns % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        code, last = await front.socks(OTHER, 443)
        assert code == 0
        await last.send(hello())
        assert await exactly(last, len(HELLO_BACK)) == HELLO_BACK
        await last.aclose()
        for _ in range(1000):
            if descriptors() <= before:
                return
            await anyio.sleep(0.01)
    pytest.fail("descriptors are left open")


async def test_a_note_about_rubbish_names_no_host_unless_hosts_are_shown() -> None:
    name = b"secret.example"
    rubbish = (
        b"CONNECT " + name + b"_\xff:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT " + name + b":99999 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://" + name + b":x/secret HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET https://" + name + b"/secret HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n" + name + b"\r\n\r\n",
        b"\x05\x01\x00\x05\x01\x00\x03\x0f" + name + b"\n\x01\xbb",
        b"\x04\x01\x00\x50\x00\x00\x00\x01u\x00" + name + b"\n\x00",
        name,
    )
    for shown in (False, True):
        async with running(two_sites, show_hosts=shown, limits=Limits(handshake=1.0)) as front:
            for said in rubbish:
                client = await front.connect()
                await client.send(said)
                await rest(client)
            assert len(front.notes) >= len(rubbish) - 1
            assert all(front.notes)
            assert any("secret" in note for note in front.notes) is shown

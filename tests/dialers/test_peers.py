"""The ways through proxies, against real programs of other people on loopback."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import Failure, Target
from rozaneh.dialers import build
from rozaneh.net import Trace, measure
from rozaneh.net.memory import echo
from rozaneh.net.real import RealNetwork
from rozaneh.net.streams import receive_exactly

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

DATA = bytes(range(256)) * 1000
Peer = Callable[[str], str]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


@contextmanager
def running(port: int, *command: str) -> Iterator[None]:
    """A program, from when it listens on a loopback port until the test is over."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, f"{command[0]} has ended"
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def there_and_back(stream: ByteStream, _trace: Trace) -> None:
    with anyio.fail_after(30):  # a proxy that fell silent
        async with anyio.create_task_group() as group:
            group.start_soon(stream.send, DATA)
            assert await receive_exactly(stream, len(DATA)) == DATA


async def outcome(way: str) -> Failure | None:
    """Dial an echo through a way, and say how it went."""
    network = RealNetwork()
    listener = await network.listen_tcp("127.0.0.1", 0)

    async def handle(stream: ByteStream) -> None:
        async with stream:
            await echo(stream)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        target = Target(host="127.0.0.1", port=listener.extra(SocketAttribute.local_port))
        async with await measure(build(way, network), target) as measured:
            if measured.stream is not None:
                await there_and_back(measured.stream, measured.trace)
        group.cancel_scope.cancel()
    return measured.failure


async def test_socks5_through_microsocks(peer: Peer) -> None:
    port = free_port()
    with running(port, peer("microsocks"), "-i", "127.0.0.1", "-p", str(port)):
        assert await outcome(f"socks5://127.0.0.1:{port}|tcp") is None


async def test_socks5_logs_in_at_microsocks(peer: Peer) -> None:
    port = free_port()
    with running(port, peer("microsocks"), "-i", "127.0.0.1", "-p", str(port), "-u", "lab", "-P", "pass"):
        assert await outcome(f"socks5://lab:pass@127.0.0.1:{port}|tcp") is None
        assert await outcome(f"socks5://lab:wrong@127.0.0.1:{port}|tcp") == "unknown_failure"
        assert await outcome(f"socks5://127.0.0.1:{port}|tcp") == "unknown_failure"


@pytest.mark.parametrize("cipher", ["aes-128-gcm", "aes-192-gcm", "aes-256-gcm", "chacha20-ietf-poly1305"])
async def test_shadowsocks_through_ss_server(cipher: str, peer: Peer) -> None:
    port = free_port()
    with running(port, peer("ss-server"), "-s", "127.0.0.1", "-p", str(port), "-k", "lab", "-m", cipher):
        assert await outcome(f"ss://{cipher}:lab@127.0.0.1:{port}|tcp") is None
        for cut in (3, 40):
            assert await outcome(f"ss://{cipher}:lab@127.0.0.1:{port}/?prefix=%16%03%01|split:{cut}|tcp") is None

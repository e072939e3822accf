"""The ways through proxies, against real programs of other people on loopback."""

from collections.abc import Callable

import pytest

from tests.dialers.peers import free_port, outcome, running

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

Peer = Callable[[str], str]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


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

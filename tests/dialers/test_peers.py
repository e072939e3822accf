"""The ways through proxies, against real programs of other people on loopback."""

from pathlib import Path
from urllib.parse import quote

import anyio
import pytest

from tests.dialers.peers import free_port, outcome, running
from tests.dialers.servers import OF_2022, Peer, key_of, sing_box

pytestmark = [pytest.mark.peers, pytest.mark.anyio]


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


async def test_shadowsocks_of_2022_through_sing_box(tmp_path: Path) -> None:
    ports, command = sing_box(tmp_path)

    def way(name: str, method: str, *keys: str, rest: str = "|tcp") -> str:
        return f"ss://{method}:{quote(':'.join(keys), safe=':')}@127.0.0.1:{ports[name]}{rest}"

    with running(ports["users"], *command):
        for method in OF_2022:
            assert await outcome(way(method, method, key_of(method))) is None
            assert await outcome(way(method, method, key_of(method), rest="/?prefix=%16%03%01|tcp")) is None
            # A wrong key; and a head in pieces, which SIP022 has servers take for a probe.
            assert await _refused(way(method, method, key_of(method, 8)))
            assert await _refused(way(method, method, key_of(method), rest="|split:3|tcp"))
        for_one, for_all = key_of(OF_2022[0], 9), key_of(OF_2022[0])
        assert await outcome(way("users", OF_2022[0], for_all, for_one)) is None
        assert await _refused(way("users", OF_2022[0], for_all, for_all))


async def _refused(way: str) -> bool:
    """A server without a handshake says no before, among or after the bytes that it was to give back."""
    try:
        return await outcome(way) is not None
    except BaseExceptionGroup as group:
        return group.split((anyio.BrokenResourceError, anyio.IncompleteRead, anyio.EndOfStream))[1] is None

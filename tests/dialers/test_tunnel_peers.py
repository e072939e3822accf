"""The ways inside TLS, and through proxies, against trojan, v2ray, nginx, haproxy, stunnel, tinyproxy and dante."""

from pathlib import Path

import pytest

from rozaneh.net.trust import Trust
from tests.dialers.peers import NAME, free_port, outcome, running
from tests.dialers.servers import (
    USER,
    Peer,
    dante_for_users,
    danted,
    haproxy,
    nginx,
    stunnel,
    tinyproxy,
    trojan,
    v2ray,
)  # fmt: skip

pytestmark = [pytest.mark.peers, pytest.mark.anyio]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


async def test_trojan_through_trojan(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    port, command = trojan(peer, tmp_path)
    with running(port, *command):
        assert await outcome(f"trojan://pass%2Fword@127.0.0.1:{port}?sni={NAME}|tcp", trust) is None
        assert await outcome(f"trojan://pass%2Fword@127.0.0.1:{port}?sni=other.example|tcp", trust) == (
            "ssl_invalid_hostname"
        )


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("vless ws", f"vless://{USER}@127.0.0.1:PORT?path=/ray&security=tls&sni={NAME}&type=ws|tcp"),
        ("vless tcp", f"vless://{USER}@127.0.0.1:PORT?security=tls&sni={NAME}&type=tcp|tcp"),
        ("vless ws", f"vless://{USER}@127.0.0.1:PORT?fp=chrome&path=/ray&security=tls&sni={NAME}&type=ws|tcp"),
        ("trojan tcp", f"trojan://geheim@127.0.0.1:PORT?fp=firefox&sni={NAME}|tcp"),
        ("trojan ws", f"trojan://geheim@127.0.0.1:PORT?path=/ray&sni={NAME}&type=ws|tcp"),
    ],
)
async def test_through_v2ray(kind: str, way: str, peer: Peer, tmp_path: Path, trust: Trust) -> None:
    protocol, network = kind.split()
    port, command = v2ray(peer, tmp_path, protocol, network)
    with running(port, *command):
        assert await outcome(way.replace("PORT", str(port)), trust) is None
        if network == "ws":
            wrong = way.replace("PORT", str(port)).replace("/ray", "/other")
            assert await outcome(wrong, trust) == "http_unexpected_status_code"


async def test_vless_through_nginx_in_front_of_v2ray(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    inner, command = v2ray(peer, tmp_path, "vless", "ws", tls=False)
    port, front = nginx(peer, tmp_path, inner)
    way = f"vless://{USER}@127.0.0.1:{port}?host={NAME}&path=/ray&security=tls&sni={NAME}&type=ws|tcp"
    with running(inner, *command), running(port, *front):
        assert await outcome(way, trust) is None
        assert await outcome(way.replace("/ray", "/"), trust) == "http_unexpected_status_code"


async def test_http_logs_in_at_tinyproxy(peer: Peer, tmp_path: Path) -> None:
    port, command = tinyproxy(peer, tmp_path)
    with running(port, *command):
        assert await outcome(f"http://u:p@127.0.0.1:{port}|tcp") is None
        assert await outcome(f"http://u:wrong@127.0.0.1:{port}|tcp") == "http_unexpected_status_code"
        assert await outcome(f"http://127.0.0.1:{port}|tcp") == "http_unexpected_status_code"


async def test_https_through_haproxy_in_front_of_tinyproxy(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    inner, proxy = tinyproxy(peer, tmp_path)
    port, front = haproxy(peer, tmp_path, inner)
    with running(inner, *proxy), running(port, *front):
        assert await outcome(f"https://u:p@127.0.0.1:{port}|tcp", trust) is None


async def test_socks5_inside_tls_through_stunnel_and_microsocks(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    inner = free_port()
    port, front = stunnel(peer, tmp_path, inner)
    way = f"socks5://127.0.0.1:{port}|tls:sni=decoy.example&certname={NAME}|tcp"
    with running(inner, peer("microsocks"), "-i", "127.0.0.1", "-p", str(inner)), running(port, *front):
        assert await outcome(way, trust) is None


async def test_socks5_through_dante(peer: Peer, tmp_path: Path) -> None:
    port, command = danted(peer, tmp_path)
    with running(port, *command):
        assert await outcome(f"socks5://127.0.0.1:{port}|tcp") is None


@pytest.mark.namespaces
async def test_socks5_logs_in_at_dante(peer: Peer, tmp_path: Path) -> None:
    port, command = dante_for_users(peer, tmp_path)
    with running(port, *command):
        assert await outcome(f"socks5://lab:geheim@127.0.0.1:{port}|tcp") is None
        assert await outcome(f"socks5://lab:wrong@127.0.0.1:{port}|tcp") == "unknown_failure"
        assert await outcome(f"socks5://127.0.0.1:{port}|tcp") == "unknown_failure"

"""The ways inside TLS, and through proxies, against trojan, v2ray, nginx, haproxy, stunnel, tinyproxy and dante."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.net.trust import Trust
from tests.dialers.peers import NAME, both_as_one, certificate, free_port, outcome, running

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

USER = "b831381d-6324-4d53-ad4f-8cda48b30811"
Peer = Callable[[str], str]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


async def test_trojan_through_trojan(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    port, web = free_port(), free_port()
    chain, key = certificate(tmp_path)
    (tmp_path / "server.json").write_text(
        json.dumps(
            {
                "run_type": "server",
                "local_addr": "127.0.0.1",
                "local_port": port,
                "remote_addr": "127.0.0.1",
                "remote_port": web,
                "password": ["pass/word"],
                "log_level": 5,
                "ssl": {"cert": str(chain), "key": str(key), "alpn": ["http/1.1"]},
            }
        )
    )
    with running(port, peer("trojan"), str(tmp_path / "server.json")):
        assert await outcome(f"trojan://pass%2Fword@127.0.0.1:{port}?sni={NAME}|tcp", trust) is None
        assert await outcome(f"trojan://pass%2Fword@127.0.0.1:{port}?sni=other.example|tcp", trust) == (
            "ssl_invalid_hostname"
        )


def v2ray(folder: Path, port: int, protocol: str, stream: dict[str, object]) -> Path:
    clients = [{"id": USER, "password": "geheim"}]
    inbound = {
        "listen": "127.0.0.1",
        "port": port,
        "protocol": protocol,
        "settings": {"clients": clients, "decryption": "none"},
        "streamSettings": stream,
    }
    path = folder / "v2ray.json"
    path.write_text(
        json.dumps({"log": {"loglevel": "none"}, "inbounds": [inbound], "outbounds": [{"protocol": "freedom"}]})
    )
    return path


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
    port = free_port()
    protocol, network = kind.split()
    chain, key = certificate(tmp_path)
    certificates = [{"certificateFile": str(chain), "keyFile": str(key)}]
    stream = {"network": network, "security": "tls", "tlsSettings": {"certificates": certificates}}
    config = v2ray(tmp_path, port, protocol, {**stream, "wsSettings": {"path": "/ray"}})
    with running(port, peer("v2ray"), "-config", str(config)):
        assert await outcome(way.replace("PORT", str(port)), trust) is None
        if network == "ws":
            wrong = way.replace("PORT", str(port)).replace("/ray", "/other")
            assert await outcome(wrong, trust) == "http_unexpected_status_code"


async def test_vless_through_nginx_in_front_of_v2ray(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    port, inner = free_port(), free_port()
    chain, key = certificate(tmp_path)
    config = v2ray(tmp_path, inner, "vless", {"network": "ws", "wsSettings": {"path": "/ray"}})
    (tmp_path / "nginx.conf").write_text(
        f"""daemon off; error_log stderr crit; pid {tmp_path}/pid; worker_processes 1; events {{}}
        http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
          fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
          server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key};
            location /ray {{ proxy_pass http://127.0.0.1:{inner}; proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }} }}"""
    )
    way = f"vless://{USER}@127.0.0.1:{port}?host={NAME}&path=/ray&security=tls&sni={NAME}&type=ws|tcp"
    with (
        running(inner, peer("v2ray"), "-config", str(config)),
        running(port, peer("nginx"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")),
    ):
        assert await outcome(way, trust) is None
        assert await outcome(way.replace("/ray", "/"), trust) == "http_unexpected_status_code"


def tinyproxy(folder: Path, port: int) -> str:
    path = folder / "tinyproxy.conf"
    path.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth u p\nMaxClients 20\nLogLevel Critical\n"
        f'LogFile "{folder}/log"\nPidFile "{folder}/tinyproxy.pid"\n'
    )
    return str(path)


async def test_http_logs_in_at_tinyproxy(peer: Peer, tmp_path: Path) -> None:
    port = free_port()
    with running(port, peer("tinyproxy"), "-d", "-c", tinyproxy(tmp_path, port)):
        assert await outcome(f"http://u:p@127.0.0.1:{port}|tcp") is None
        assert await outcome(f"http://u:wrong@127.0.0.1:{port}|tcp") == "http_unexpected_status_code"
        assert await outcome(f"http://127.0.0.1:{port}|tcp") == "http_unexpected_status_code"


async def test_https_through_haproxy_in_front_of_tinyproxy(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    port, inner = free_port(), free_port()
    (tmp_path / "haproxy.cfg").write_text(
        "global\n  maxconn 50\n"
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
        f"frontend f\n  bind 127.0.0.1:{port} ssl crt {both_as_one(tmp_path)}\n  default_backend b\n"
        f"backend b\n  server s 127.0.0.1:{inner}\n"
    )
    with (
        running(inner, peer("tinyproxy"), "-d", "-c", tinyproxy(tmp_path, inner)),
        running(port, peer("haproxy"), "-db", "-f", str(tmp_path / "haproxy.cfg")),
    ):
        assert await outcome(f"https://u:p@127.0.0.1:{port}|tcp", trust) is None


async def test_socks5_inside_tls_through_stunnel_and_microsocks(peer: Peer, tmp_path: Path, trust: Trust) -> None:
    port, inner = free_port(), free_port()
    (tmp_path / "stunnel.conf").write_text(
        f"foreground = yes\npid =\ndebug = 0\n[s]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{inner}\n"
        f"cert = {both_as_one(tmp_path)}\n"
    )
    way = f"socks5://127.0.0.1:{port}|tls:sni=decoy.example&certname={NAME}|tcp"
    with (
        running(inner, peer("microsocks"), "-i", "127.0.0.1", "-p", str(inner)),
        running(port, peer("stunnel4"), str(tmp_path / "stunnel.conf")),
    ):
        assert await outcome(way, trust) is None


async def test_socks5_through_dante(peer: Peer, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "danted.conf").write_text(
        f"logoutput: stderr\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nsocksmethod: none\n"
        "clientmethod: none\nclient pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
        "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
    )
    with running(port, peer("danted"), "-f", str(tmp_path / "danted.conf"), "-p", str(tmp_path / "danted.pid")):
        assert await outcome(f"socks5://127.0.0.1:{port}|tcp") is None

"""How servers of other people are started, for tests of ways and of the gateway in front of them."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.dialers.peers import both_as_one, certificate, free_port

__all__ = ["USER", "Command", "Peer", "danted", "haproxy", "stunnel", "tinyproxy", "trojan", "v2ray"]

USER = "b831381d-6324-4d53-ad4f-8cda48b30811"

Peer = Callable[[str], str]
Command = tuple[int, tuple[str, ...]]
"""The port that it listens on, and the words that start it."""


def trojan(peer: Peer, folder: Path) -> Command:
    """With the password ``pass/word``; whoever has none sees a web site that is down."""
    port = free_port()
    chain, key = certificate(folder)
    settings = {
        "run_type": "server",
        "local_addr": "127.0.0.1",
        "local_port": port,
        "remote_addr": "127.0.0.1",
        "remote_port": free_port(),
        "password": ["pass/word"],
        "log_level": 5,
        "ssl": {"cert": str(chain), "key": str(key), "alpn": ["http/1.1"]},
    }
    (folder / "trojan.json").write_text(json.dumps(settings))
    return port, (peer("trojan"), str(folder / "trojan.json"))


def v2ray(peer: Peer, folder: Path, protocol: str, network: str, *, tls: bool = True) -> Command:
    """For :data:`USER`, or the password ``geheim``; a WebSocket is at ``/ray``."""
    port = free_port()
    chain, key = certificate(folder)
    stream: dict[str, object] = {"network": network, "wsSettings": {"path": "/ray"}}
    if tls:
        certificates = [{"certificateFile": str(chain), "keyFile": str(key)}]
        stream |= {"security": "tls", "tlsSettings": {"certificates": certificates}}
    inbound = {
        "listen": "127.0.0.1",
        "port": port,
        "protocol": protocol,
        "settings": {"clients": [{"id": USER, "password": "geheim"}], "decryption": "none"},
        "streamSettings": stream,
    }
    settings = {"log": {"loglevel": "none"}, "inbounds": [inbound], "outbounds": [{"protocol": "freedom"}]}
    (folder / "v2ray.json").write_text(json.dumps(settings))
    return port, (peer("v2ray"), "-config", str(folder / "v2ray.json"))


def tinyproxy(peer: Peer, folder: Path) -> Command:
    """For the user ``u`` with the password ``p``."""
    port, path = free_port(), folder / "tinyproxy.conf"
    path.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth u p\nMaxClients 20\nLogLevel Critical\n"
        f'LogFile "{folder}/log"\nPidFile "{folder}/tinyproxy.pid"\n'
    )
    return port, (peer("tinyproxy"), "-d", "-c", str(path))


def haproxy(peer: Peer, folder: Path, inner: int) -> Command:
    """TLS in front of another port of this machine."""
    port = free_port()
    (folder / "haproxy.cfg").write_text(
        "global\n  maxconn 50\n"
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
        f"frontend f\n  bind 127.0.0.1:{port} ssl crt {both_as_one(folder)}\n  default_backend b\n"
        f"backend b\n  server s 127.0.0.1:{inner}\n"
    )
    return port, (peer("haproxy"), "-db", "-f", str(folder / "haproxy.cfg"))


def stunnel(peer: Peer, folder: Path, inner: int) -> Command:
    """TLS in front of another port of this machine."""
    port = free_port()
    (folder / "stunnel.conf").write_text(
        f"foreground = yes\npid =\ndebug = 0\n[s]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{inner}\n"
        f"cert = {both_as_one(folder)}\n"
    )
    return port, (peer("stunnel4"), str(folder / "stunnel.conf"))


def danted(peer: Peer, folder: Path) -> Command:
    """For everybody."""
    port = free_port()
    (folder / "danted.conf").write_text(
        f"logoutput: stderr\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nsocksmethod: none\n"
        "clientmethod: none\nclient pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
        "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
    )
    return port, (peer("danted"), "-f", str(folder / "danted.conf"), "-p", str(folder / "danted.pid"))

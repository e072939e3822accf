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
from typing import NamedTuple
from urllib.parse import quote

import pytest

from rozaneh.gateway.control import Question, ask
from tests.dialers.peers import NAME, free_port, running
from tests.dialers.servers import (
    OF_2022,
    USER,
    Command,
    Peer,
    dante_for_users,
    danted,
    dressed,
    haproxy,
    key_of,
    nginx,
    obfs,
    sing_box,
    ssh_link,
    sshd,
    stunnel,
    tinyproxy,
    trojan,
    v2ray,
)  # fmt: skip
from tests.dialers.world import ca_file

pytestmark = [pytest.mark.peers, pytest.mark.namespaces]

HOST = "127.0.0.1"
PAGE = b"from afar " * 10_000


class Site(NamedTuple):
    """A page of this machine that stands for one abroad, and the requests for it."""

    url: str
    asked: list[str]


@pytest.fixture
def site() -> Iterator[Site]:
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Site(f"http://{HOST}:{server.server_port}/", asked)
        server.shutdown()


def all_servers(peer: Peer, folder: Path, undo: ExitStack) -> dict[str, tuple[str, ExitStack]]:
    """Of each kind of server, by its port, a link to it and what ends it."""
    shadowsocks, undressed, socks, inner = free_port(), free_port(), free_port(), free_port()
    behind, proxy = tinyproxy(peer, folder)
    ray, behind_nginx = v2ray(peer, folder, "vless", "ws", tls=False)
    of_2022, singing = sing_box(folder)
    ss = (peer("ss-server"), "-s", HOST, "-k", "lab", "-m", "aes-256-gcm", "-p")
    for port, command in (
        (behind, proxy),
        (inner, (peer("microsocks"), "-i", HOST, "-p", str(inner))),
        (ray, behind_nginx),
        (undressed, (*ss, str(undressed))),
    ):
        undo.enter_context(running(port, *command))
    (folder / "tls").mkdir()
    login = (peer("microsocks"), "-i", HOST, "-p", str(socks), "-u", "u", "-P", "p")
    vless = f"vless://{USER}@{HOST}:PORT?security=tls&sni={NAME}&type=ws&path=/ray"
    openssh = sshd(peer, folder)
    chosen = OF_2022[-1]
    as_http, as_tls = obfs(peer, "http", undressed), obfs(peer, "tls", undressed)
    started: tuple[tuple[Command, str], ...] = (
        (as_http, dressed(f"ss://aes-256-gcm:lab@{HOST}:{as_http[0]}", "http")),
        (as_tls, dressed(f"ss://aes-256-gcm:lab@{HOST}:{as_tls[0]}", "tls")),
        ((shadowsocks, (*ss, str(shadowsocks))), f"ss://aes-256-gcm:lab@{HOST}:PORT"),
        ((of_2022[chosen], singing), f"ss://{chosen}:{quote(key_of(chosen), safe='')}@{HOST}:PORT"),
        (trojan(peer, folder), f"trojan://pass%2Fword@{HOST}:PORT?sni={NAME}"),
        (v2ray(peer, folder / "tls", "vless", "ws"), vless),
        (nginx(peer, folder, ray), vless),
        (haproxy(peer, folder, behind), f"https://u:p@{HOST}:PORT"),
        (stunnel(peer, folder, inner), f"socks5://{HOST}:PORT|tls:sni=decoy.example&certname={NAME}|tcp"),
        (danted(peer, folder), f"socks5://{HOST}:PORT"),
        (dante_for_users(peer, folder), f"socks5://lab:geheim@{HOST}:PORT"),
        ((socks, login), f"socks5://u:p@{HOST}:PORT"),
        (openssh, ssh_link(folder, openssh[0])),
    )
    found = {}
    for (port, command), link in started:
        ends = undo.enter_context(ExitStack())
        ends.enter_context(running(port, *command))
        found[str(port)] = (link.replace("PORT", str(port)), ends)
    return found


def test_each_server_carries_until_it_dies_and_then_nothing_goes(peer: Peer, site: Site, tmp_path: Path) -> None:
    """And ``rozaneh why`` names the one that carries; what stands in its way when there is none."""
    curl = (peer("curl"), "-s", "-m", "20", "-o", str(tmp_path / "got"), "-w", "%{http_code}")
    rozaneh, state = (sys.executable, "-m", "rozaneh.cli"), ("--state", str(tmp_path / "state"), "--json")
    with ExitStack() as undo:
        servers = all_servers(peer, tmp_path, undo)
        links = [link for link, _ in servers.values()]
        subprocess.run([*rozaneh, "ways", "add", "--allow-plugin", *state, *links[:-1]], check=True, timeout=40)
        # No link can name a file of this device, so whoever adds one does.
        key = ("--key", str(tmp_path / "user"))
        subprocess.run([*rozaneh, "ways", "add", *key, *state, links[-1]], check=True, timeout=40)
        words = ("up", "--port", "0", "--allow-local", *state, "--route", f"{HOST}=abroad")
        gateway = undo.enter_context(
            subprocess.Popen(
                [*rozaneh, *words],
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
            subprocess.run([*curl, "-x", f"socks5h://{HOST}:{port}", site.url], timeout=40, check=False)
            events: Iterator[dict[str, str]] = map(json.loads, said)
            return next(event for event in events if event["event"] in ("opened", "refused"))

        used = []
        while servers:
            event = fetch()
            answer = ask(tmp_path / "state", Question(ask="why", host=HOST))
            assert answer is not None
            (why,) = answer.why
            tried = [(each.way, each.failure, each.step) for each in why.tried]
            assert event["event"] == "opened", (event, list(servers), tried)
            assert (tmp_path / "got").read_bytes() == PAGE
            carried = next((place for place in servers if f":{place}" in event["way"]), "")
            assert carried, event
            used.append(carried)
            assert (why.way, why.tried[-1].way, why.tried[-1].failure) == (event["way"], event["way"], "")
            servers.pop(carried)[1].close()
        assert len(used) == len(set(used)) == 13
        before = len(site.asked)
        assert fetch()["event"] == "refused"
        assert len(site.asked) == before, "nothing goes direct to a host that needs a way"
        done = subprocess.run([*rozaneh, "why", HOST, *state], capture_output=True, timeout=40, check=True)
        (last,) = json.loads(done.stdout)
        assert last["refused"]
        assert last["refusal"] == "rule_abroad", "nobody is said to have refused"
        assert not last["way"]
        assert len({each["way"] for each in last["tried"]}) >= 13

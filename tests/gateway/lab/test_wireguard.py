"""A real WireGuard server behind the whole gateway, and nothing but its packets on the line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.gateway.control import Question, ask
from rozaneh.lab.lab import Lab
from tests.dialers.vpn import ENDPOINT, Server
from tests.gateway.lab.home import ASSOCIATED, BLOCKED, NAME_IN_DNS, PROXY, Censored, leaves

pytestmark = pytest.mark.namespaces

LARGE = "http://example.org/bytes/3000000"
ECHO = "45.76.10.21"
HANDED_OUT = "45.76.10.14"

# A program in the home that sends datagrams, one of them to a name, and prints what came back.
_PROGRAM = f"""{ASSOCIATED}
back = []
for place, size in ((b"\\x01" + socket.inet_aton("{ECHO}"), 20), (b"\\x03\\x0braw.example", 1200)):
    here.sendto(b"\\0\\0\\0" + place + b"\\0\\x07" + b"SECRET-DATAGRAM".ljust(size), relay)
    back.append(len(here.recv(4096)))
print(json.dumps(back))
"""


def test_only_wireguard_s_packets_leave(
    censored: Censored, lab: Lab, pcap: Path, peer: Callable[[str], str], tmp_path: Path
) -> None:
    for each in ("wireguard-go", "wg", "ip"):
        peer(each)
    server = Server(lab.host("relay"), tmp_path, HANDED_OUT)
    there = ("blocked.example", "example.org", ECHO, "raw.example")
    routes = [word for host in there for word in ("--route", f"{host}=abroad")]

    def since(at: int) -> bytes:
        lab.counters()  # by the time that it answers, the capture is written out
        return pcap.read_bytes()[at:]

    before = pcap.stat().st_size + len(since(pcap.stat().st_size))
    try:
        if not server.start():
            assert not os.access("/dev/net/tun", os.R_OK | os.W_OK)
            return
        (tmp_path / "wg.conf").write_text(server.conf)
        words = ("ways", "add", "--file", str(tmp_path / "wg.conf"), "--state", str(tmp_path / "state"))
        subprocess.run([sys.executable, "-m", "rozaneh.cli", *words], check=True, timeout=30)
        with censored("sni-reset", *routes) as home:
            assert home.curl(*PROXY, BLOCKED) == (0, "200")
            assert home.event()["way"] == "wireguard:***"
            answer = ask(tmp_path / "state", Question(ask="why", host="blocked.example"))
            assert answer is not None
            assert [(one.way, one.refused, len(one.tried)) for one in answer.why] == [("wireguard:***", False, 1)]
            assert home.curl(*PROXY, "-w", "%{size_download}", LARGE) == (0, "3000000")
            done = home.client.run([sys.executable, "-c", _PROGRAM], timeout=30)
            assert json.loads(done.stdout) == [30, 1210], done.stderr
            assert set(leaves(since(before))) == {("udp", *ENDPOINT)}
            server.stop()
            assert home.curl(*PROXY, "-m", "3", BLOCKED)[0] == 28
        seen = since(before)
        # What the gateway asks then is whether there is a network at all.
        assert {place[::2] for place in leaves(seen)} <= {("udp", ENDPOINT[1]), ("icmp", 0), ("tcp", 443)}
        assert not any(
            secret in seen for secret in (b"SECRET-DATAGRAM", b"blocked.example", NAME_IN_DNS, b"GET /bytes")
        )
    finally:
        server.put_back()
    opened = [event["way"] for event in home.events if event["event"] == "opened"]
    assert opened == ["wireguard:***", "wireguard:***", "wireguard:***|udp"]

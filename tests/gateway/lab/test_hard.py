"""Hard days of a gateway: stopped, cut off, replaced, paused and wiped. What needs a way never leaves without it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import BLOCKED, NAME_IN_DNS, PORT, PROXY, UPSTREAM, Home

pytestmark = pytest.mark.namespaces

OPEN = "https://example.org/"
BLOCKED_AT = (socket.inet_aton("93.184.216.35"), socket.inet_pton(socket.AF_INET6, "2606:2800:220:1::35"))
CURFEW = "shutdown-domestic-stays"
RELAY_BLOCKED = """
title = "The user's own server is blocked"
about = "For this test: nothing comes back from where the way leads."

[[source]]
url = "https://github.com/net4people/bbs/issues/142"
date = "2022"

[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", destination.address = ["45.76.10.11"] }
action = "drop"

[[expect]]
way = "plain"
outcome = "ok"
"""
TAKEN_OVER = "Note: another process has taken over; what is open here goes on until it ends"
RULE = ("--route", ".blocked.example=abroad")


class Hard(Home):
    """A home with things that happen to its gateway."""

    state: Path

    def rozaneh(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-m", "rozaneh.cli", *arguments, "--state", str(self.state)]
        return self.client.run(argv, timeout=30)

    def stop(self) -> None:
        """After another gateway has taken over it ends with its last client: that is said, and nothing else."""
        assert self._process is not None
        try:
            _, wrong = self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            _, wrong = self._process.communicate(timeout=20)
        assert self._process.returncode == 0
        assert wrong.decode().splitlines() == [TAKEN_OVER]

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        pid = self._process.pid  # of the lab's program that starts it
        while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            pid = int(children[0])
        os.kill(pid, number)

    @contextmanager
    def loading(self, url: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A transfer that goes on meanwhile."""
        argv = [
            self.program,
            "-sS",
            "-m",
            "60",
            "--limit-rate",
            "100k",
            *PROXY,
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            url,
        ]
        with self.client.popen(argv, stdout=subprocess.PIPE) as running:
            try:
                yield running
            finally:
                running.kill()

    @contextmanager
    def replacement(self) -> Iterator[None]:
        """A second gateway takes over, and ends before the first."""
        argv = [sys.executable, "-m", "rozaneh.cli", "up", "--port", PORT, "--json", "--replace"]
        argv += ["--state", str(self.state), "--way", UPSTREAM, *RULE]
        with self.client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second:
            try:
                assert second.stdout is not None
                assert b"listening" in second.stdout.readline()
                yield
            finally:
                second.terminate()
                _, wrong = second.communicate(timeout=20)
            assert (second.returncode, wrong) == (0, b"")

    def works_again(self) -> None:
        """Within the time after which it looks again."""
        for _ in range(4):
            if self.curl(*PROXY, BLOCKED) == (0, "200"):
                return
            self.pause(3)
        pytest.fail("the network is back, and the way is not")

    @contextmanager
    def without_network(self) -> Iterator[None]:
        """The interface is down, and comes up as it was."""
        kept = {family: self.client.run(["ip", family, "route"]).stdout for family in ("-4", "-6")}
        device = (
            next(line for line in kept["-4"].splitlines() if line.startswith("default")).split("dev ")[1].split()[0]
        )
        assert self.client.run(["ip", "link", "set", device, "down"]).returncode == 0
        try:
            yield
        finally:
            assert self.client.run(["ip", "link", "set", device, "up"]).returncode == 0
            for family, routes in kept.items():
                for route in routes.splitlines():
                    self.client.run(["ip", family, "route", "replace", *route.split()])


@pytest.fixture
def hard(lab: Lab, peer: Callable[[str], str], tmp_path: Path) -> Iterator[Hard]:
    client = lab.client("mobile", load_scenario("sni-reset"))
    home = Hard(client, peer("curl"))
    home.state = tmp_path / "state"
    (tmp_path / "relay.toml").write_text(RELAY_BLOCKED)
    try:
        home.start("--state", str(home.state), "--way", UPSTREAM, *RULE)
        yield home
    finally:
        home.stop()
        client.close()


def test_whatever_happens_what_needs_a_way_does_not_leave_without_it(hard: Hard, lab: Lab, pcap: Path) -> None:
    lab.counters()
    before = pcap.stat().st_size
    assert hard.curl(*PROXY, BLOCKED) == (0, "200")

    with hard.loading(f"{OPEN}bytes/5000000"):
        hard.pause(1.0)
        hard.signal(signal.SIGSTOP)
        hard.pause(3.0)
        hard.signal(signal.SIGCONT)
        assert hard.curl(*PROXY, OPEN) == (0, "200")
    assert hard.curl(*PROXY, BLOCKED) == (0, "200")

    with hard.loading(f"{BLOCKED}bytes/5000000") as transfer:
        hard.pause(1.0)
        with hard.without_network():
            assert hard.curl("-m", "1", *PROXY, BLOCKED)[0] != 0
        assert transfer.poll() is None, "it goes on where it was"
    hard.works_again()

    for scenario, works in (("dns-drop", True), (str(hard.state.parent / "relay.toml"), False), (CURFEW, False)):
        lab.load(hard.client, load_scenario(scenario))
        assert (hard.curl("-m", "2", *PROXY, BLOCKED) == (0, "200")) is works, scenario
    lab.load(hard.client, load_scenario("sni-reset"))
    hard.works_again()

    with hard.loading(f"{BLOCKED}bytes/5000000") as transfer:
        hard.pause(1.0)
        with hard.replacement():
            assert hard.curl(*PROXY, BLOCKED) == (0, "200")
            assert transfer.poll() is None, "it goes on where it was"
            assert hard.rozaneh("pause").returncode == 0
            assert hard.curl("-m", "1", *PROXY, BLOCKED)[0] != 0
            assert hard.rozaneh("pause", "--end").returncode == 0
            assert hard.curl(*PROXY, BLOCKED) == (0, "200")
            assert hard.rozaneh("wipe", "--yes").returncode == 0
            assert hard.curl(*PROXY, BLOCKED) == (0, "200")
    lab.counters()
    after = pcap.read_bytes()[before:]
    assert len(after) > 100_000, "the capture runs"
    for mark in (b"blocked.example", NAME_IN_DNS, *BLOCKED_AT):
        assert mark not in after

"""A home in a censored network of the lab, with the real gateway and a real curl in it."""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from rozaneh.lab.hosts import LabClient

PORT = "1080"
PROXY = ("--socks5-hostname", f"127.0.0.1:{PORT}")
UPSTREAM = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388"
BLOCKED = "https://blocked.example/"
NAME_IN_DNS = b"\x07blocked\x07example\x00"
ASSOCIATED = f"""
import json, socket, struct
control = socket.create_connection(("127.0.0.1", {PORT}))
control.sendall(b"\\x05\\x01\\x00\\x05\\x03\\x00\\x01" + bytes(6))
answer = b""
while len(answer) < 12:
    answer += control.recv(12 - len(answer))
relay = socket.inet_ntoa(answer[6:10]), struct.unpack("!H", answer[10:])[0]
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.settimeout(8)
"""
"""How a program in the home begins that is about to send datagrams from ``here`` to ``relay``."""


class Home:
    """A home in a censored network with the gateway running in it."""

    def __init__(self, client: LabClient, curl: str) -> None:
        self.client = client
        self.events: list[dict[str, object]] = []
        self.program = curl
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        argv = [sys.executable, "-m", "rozaneh.cli", "up", "--port", PORT, "--json", *options]
        self._process = self.client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.next()["event"] == "listening"

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            out, err = self._process.communicate(timeout=20)
            self.events += [json.loads(line) for line in out.splitlines()]
            assert self._process.returncode == 0
            assert err == b""

    def kill(self) -> None:
        """For one that has said something on its standard error, as when another takes over."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def curl(self, *arguments: str) -> tuple[int, str]:
        """Its exit status, and the HTTP status that it saw."""
        argv = [self.program, "-sS", "-m", "12", "-o", "/dev/null", "-w", "%{http_code}", *arguments]
        done = self.client.run(argv, timeout=30)
        return done.returncode, done.stdout

    @staticmethod
    def pause(seconds: float) -> None:
        """Let the gateway see how bytes move, or time pass."""
        time.sleep(seconds)

    def event(self) -> dict[str, object]:
        """The next connection that was made or refused."""
        while True:
            event = self.next()
            if event["event"] in ("opened", "refused"):
                return event

    def next(self) -> dict[str, object]:
        """The next event of any kind."""
        assert self._process is not None
        assert self._process.stdout is not None
        event: dict[str, object] = json.loads(self._process.stdout.readline())
        self.events.append(event)
        return event


Censored = Callable[..., AbstractContextManager[Home]]
"""A context manager in which a home is censored as a scenario says, with its gateway running."""


def leaves(capture: bytes) -> Iterator[tuple[str, str, int]]:
    """Of the packets in a capture: protocol, address and port at the far end."""
    at = 0
    while at < len(capture):
        size = struct.unpack_from("<I", capture, at + 8)[0]
        packet = capture[at + 16 : at + 16 + size]
        at += 16 + size
        assert packet[0] >> 4 == 4, "no IPv6 either"
        inner = packet[(packet[0] & 15) * 4 :]
        ends = {".".join(map(str, packet[12 + each : 16 + each])): inner[each // 2 : each // 2 + 2] for each in (0, 4)}
        (far,) = [each for each in ends if not each.startswith("10.")]
        kind = {1: "icmp", 6: "tcp", 17: "udp"}[packet[9]]
        yield kind, far, int.from_bytes(ends[far], "big") if kind != "icmp" else 0

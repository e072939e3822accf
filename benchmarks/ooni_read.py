"""Reading and judging OONI's measurements: typed records, and both verdicts with all signatures.

The sizes are those of six real measurements among ooni/probe-cli's manual test cases, where ``ROZANEH_OUTSIDE_DATA``
names a folder that has them. Peers, measured once on a machine of this kind: ooni/data reading the same files, and
OONI's fastpath scoring them with its fingerprints, 4 to 8 a second at 845 kB.
"""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rozaneh.ooni import decode, web_keys
from rozaneh.ooni.replay import replay
from tests.ooni.build import RIGHT, connect, handshake, helper, lookup, measurement, request

COMMAND = "python -m benchmarks ooni_read"
_READ = {"8844": 2916, "dnsgoogle80": 633, "firefoxcom": 391, "issue-2456": 153, "noipv6": 132, "youtube": 92}
_SECONDS = 0.5


def per_second(work: Callable[[], object]) -> float:
    """The best of three, in CPU time of this process."""
    best = 0.0
    for _ in range(3):
        count, began = 0, time.process_time()
        while time.process_time() - began < _SECONDS:
            work()
            count += 1
        best = max(best, count / (time.process_time() - began))
    return best


def read(line: bytes) -> None:
    web_keys(decode(line))


def made(size: int) -> bytes:
    """A measurement of a page that fills it up to a size."""
    events = [
        {"address": f"{RIGHT}:443", "operation": "read", "num_bytes": 1400, "failure": None, "t": 0.1, "proto": "tcp"}
        for _ in range(30)
    ]
    page = "<title>A page</title>" + "<p>words of a page</p>" * (max(size - 8000, 0) // 22)
    return measurement(
        queries=[lookup(RIGHT), lookup(RIGHT, engine="doh", transaction=30001)],
        tcp_connect=[connect()],
        tls_handshakes=[handshake()],
        requests=[request(body=page)],
        control=helper(),
        network_events=events,
    )


def main() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []

    def row(name: str, value: object, target: str = "", peer: str = "") -> None:
        rows.append({"name": name, "value": value, "unit": "/s", "target": target, "peer": peer, "command": COMMAND})

    small, large = made(20_000), made(845_000)
    assert json.loads(small)["test_keys"]["requests"]
    row("read a measurement of 20 kB, made here", per_second(partial(read, small)), ">= 15000", "ooni/data 2100")
    row("judge one of 845 kB by both sets of rules, made here", per_second(partial(replay, large)), ">= 200")
    named = os.environ.get("ROZANEH_OUTSIDE_DATA")
    folder = Path(named) / "measurement" / "probe_cli_manual" if named else None
    for case, peer in _READ.items():
        if folder is None or not (folder / case / "measurement.json").exists():
            row(f"read OONI's case {case}", "ROZANEH_OUTSIDE_DATA names no folder that has it")
            continue
        line = (folder / case / "measurement.json").read_bytes()
        size = f"{len(line) / 1000:.0f} kB"
        row(f"read OONI's case {case}, {size}", per_second(partial(read, line)), f">= {3 * peer}", f"ooni/data {peer}")
        if case == "youtube":
            row(f"judge it by both sets of rules, {size}", per_second(partial(replay, line)), ">= 200", "fastpath 4-8")
    return rows


if __name__ == "__main__":
    for each in main():
        print(each["name"], each["value"], each["target"], each["peer"])

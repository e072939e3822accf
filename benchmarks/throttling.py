"""The experiment ``throttling``: how fast it finds a slowed name, what that costs on the wire, and false ones.

A name is slowed to 128 kbit/s on a fast line, and to a tenth of lines of several rates; each is one run with nothing
beside it, at a server that sends the part that is asked for and at one that sends everything. Its bytes are those of
all packets of the customer, in both directions, headers, lookups and the handshakes of the canaries included. Slow
lines are narrow, jittery and lossy ones on which nobody slows a name; runs on them stand side by side, half of them at
each kind of server.

``python -m benchmarks.throttling RUNS`` makes so many runs on each slow line and nothing else.
"""

import sys
import time
from pathlib import Path
from struct import unpack_from
from tempfile import TemporaryDirectory

import anyio

from rozaneh.diagnosis import Outcome
from rozaneh.lab import Lab
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario
from rozaneh.lab.topology import Link
from rozaneh.probe import choose, vantages
from rozaneh.probe.experiments import Finding, named, run

COMMAND = "python -m benchmarks throttling"
TARGETS = {
    "a server that sends parts": "https://blocked.example/bytes/400000",
    "a server that sends everything": "https://blocked.example/bytes/400000?whole",
}
LINES = (2.0, 8.0)
"""Mbit/s of the lines on which a name gets a tenth."""

SLOW_LINES = (
    Link(delay_ms=20.0, rate_mbit=0.128),
    Link(delay_ms=150.0, rate_mbit=0.256),
    Link(delay_ms=20.0, jitter_ms=40.0, rate_mbit=0.4),
    Link(delay_ms=60.0, jitter_ms=60.0, rate_mbit=2.0),
    Link(delay_ms=60.0, rate_mbit=1.0, loss=0.02),
    Link(delay_ms=20.0, rate_mbit=8.0, loss=0.05),
)
RUNS = 10
"""On each of the slow lines."""

_AT_ONCE = 10
_REST = 0.5
"""Seconds after a run in which what is still under way arrives."""

Row = dict[str, object]


def main() -> list[Row]:
    fast = Link(delay_ms=20.0, rate_mbit=20.0)
    rows: list[Row] = []
    for place, target in TARGETS.items():
        rows += _found(f"to 128 kbit/s, at {place}", target, load_scenario("sni-throttled"), fast)
        for mbit in LINES:
            line = Link(delay_ms=20.0, rate_mbit=mbit)
            rows += _found(f"to a tenth of {mbit:.0f} Mbit/s, at {place}", target, _slowed(mbit / 10), line)
    said = on_slow_lines(RUNS)
    name = f"said to be throttled in {len(said)} runs on lines that are merely slow ({said.count(Outcome.OK)} work)"
    return [*rows, _row(name, said.count(Outcome.THROTTLED), "runs", "== 0")]


def _row(name: str, value: float, unit: str, target: str) -> Row:
    return {"name": name, "value": value, "unit": unit, "target": target, "command": COMMAND}


def _slowed(mbit: float) -> Scenario:
    return parse_scenario(
        f"""
        title = "One name is slowed"
        [[rule]]
        at = "border"
        mode = "in-path"
        match = {{ direction = "out", protocol = "tcp", tls.sni.suffix = ["blocked.example"] }}
        state = {{ scope = "flow" }}
        action = {{ rate = {{ rate = "{mbit * 1000:.0f}kbit", per = "flow", direction = "both" }} }}
        """,
        "slowed.toml",
    )


def _found(name: str, target: str, scenario: Scenario, link: Link) -> list[Row]:
    with TemporaryDirectory() as folder:
        capture = Path(folder, "all.pcap")
        with Lab(pcap=capture) as lab:
            began = time.perf_counter()
            finding = anyio.run(_run, lab, scenario, link, target)
            seconds = time.perf_counter() - began
            time.sleep(_REST)
        spent = _bytes_in(capture)
    found = finding.verdict.verdict is Outcome.THROTTLED
    return [
        _row(f"throttled {name}: found", int(found), "of 1", "== 1"),
        _row(f"throttled {name}: canaries and test", seconds, "s", "< 10"),
        _row(f"throttled {name}: on the wire", spent / 1000, "kB", "<= 300"),
    ]


def _bytes_in(capture: Path) -> int:
    """Bytes of all packets in a capture, as they were on the wire."""
    data, at, found = capture.read_bytes(), 24, 0
    while at + 16 <= len(data):
        kept, length = unpack_from("<II", data, at + 8)
        found += length
        at += 16 + kept
    return found


async def _run(lab: Lab, scenario: Scenario | None, link: Link, target: str, seed: int = 0) -> Finding:
    with lab.client("mobile", scenario, seed=seed, programs=False) as home:
        home.set_link(link)
        (service,) = choose([target])
        asked = vantages(home.environment())
        (finding,) = await run(named("throttling"), service.endpoint, home.network, home.trust, asked)
    return finding


def on_slow_lines(runs: int) -> list[Outcome]:
    """What is said in so many runs on each of the slow lines."""
    with Lab() as lab:
        return anyio.run(_every, lab, runs)


async def _every(lab: Lab, runs: int) -> list[Outcome]:
    said: list[Outcome] = []
    turns = anyio.Semaphore(_AT_ONCE)

    async def one(link: Link, target: str, seed: int) -> None:
        async with turns:
            finding = await _run(lab, None, link, target, seed)
        said.append(finding.verdict.verdict)
        if finding.verdict.verdict is Outcome.THROTTLED:
            sys.stderr.write(f"{link}: {finding.keys}\n")

    async with anyio.create_task_group() as group:
        for number in range(runs):
            for link in SLOW_LINES:
                group.start_soon(one, link, list(TARGETS.values())[number % len(TARGETS)], number)
    return said


if __name__ == "__main__":
    found = on_slow_lines(int(sys.argv[1]))
    sys.stdout.write("".join(f"{outcome}: {found.count(outcome)}\n" for outcome in sorted(set(found))))
    sys.exit(Outcome.THROTTLED in found)

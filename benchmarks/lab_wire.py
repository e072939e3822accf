"""What the lab costs: time until eleven hosts stand and until they are gone, time until all servers of the whole world
answer, and how much the wire carries with 44 ms of round trip, with and without two rules. Tier T1 needs no root; T2 is
measured where it works.
"""

import socket
import statistics
import subprocess
import sys
import time

from rozaneh.core import LocalFault
from rozaneh.lab import Lab
from rozaneh.lab.scenario import Scenario, parse_scenario
from rozaneh.lab.topology import Autonomous, Host, Link, World, Zone

COMMAND = "python -m benchmarks lab_wire"
TIMES = 15
SECONDS = 9.0
HOSTS = 11
_FAR = "45.0.0.1"
_PORT = 5001

Row = dict[str, object]

ELEVEN = World(
    host={f"h{n}": Host(zone=Zone.WORLD, addresses=(f"45.0.0.{n}", f"2a01:5ec0::{n:x}")) for n in range(1, HOSTS + 1)}
)
LINE = World(
    network={"mobile": Autonomous(asn=197207, prefixes=("10.77.0.0/16",))},
    host={
        "mobile": Host(zone=Zone.HOME, addresses=("10.77.0.1",), link=Link(delay_ms=2)),
        "far": Host(zone=Zone.WORLD, addresses=(_FAR,), hops=7, link=Link(delay_ms=20)),
    },
)
TWO_RULES = """
[[rule]]
mode = "on-path"
match = { direction = "out", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow", reassembly = { tcp = "in-order", bytes = 16384 }, attention = { data_packets = 10 } }
action = { reset = { to = ["client", "server"] } }
[[rule]]
mode = "in-path"
match = { direction = "out", http.host.suffix = ["blocked.example"] }
action = { drop = { direction = "both" } }
"""
EVERY_PACKET = """
[[rule]]
mode = "in-path"
match = { protocol = "tcp" }
action = { rate = { rate = "1000Mbit", per = "all" } }
"""
_SENDER = f"""
import socket
listening = socket.create_server(("{_FAR}", {_PORT}))
print("ready", flush=True)
taken, _ = listening.accept()
block = bytes(1 << 20)
try:
    while True:
        taken.sendall(block)
except OSError:
    pass
"""
_RECEIVER = f"""
import socket, time
stream = socket.create_connection(("{_FAR}", {_PORT}))
block, got, began = bytearray(1 << 18), 0, time.monotonic()
warm = None
while (now := time.monotonic()) - began < {SECONDS}:
    if warm is None and now - began > {SECONDS} / 3:
        warm = got, now
    got += stream.recv_into(block)
print((got - warm[0]) * 8e-6 / (now - warm[1]))
"""


def main() -> list[Row]:
    rows = [*_up_and_down("T1"), _ready(), _customer()]
    rows += [
        _carried("T1", "no rules", None),
        _carried("T1", "two rules", parse_scenario(TWO_RULES, "two rules"), target=">= 150"),
        _carried("T1", "a rule that acts on every packet", parse_scenario(EVERY_PACKET, "every packet")),
        _round_trip("T1"),
    ]
    try:
        rows += [*_up_and_down("T2"), _carried("T2", "two rules", parse_scenario(TWO_RULES, "two rules"))]
    except LocalFault as fault:
        rows.append(_row("lab up, TUN (T2)", str(fault).split(". ")[0], ""))
    return rows


def _row(name: str, value: object, unit: str, target: str = "") -> Row:
    return {"name": name, "value": value, "unit": unit, "command": COMMAND, "target": target}


def _up_and_down(tier: str) -> list[Row]:
    up, down = [], []
    for _ in range(TIMES):
        began = time.perf_counter()
        lab = Lab(tier, world=ELEVEN, servers=False)
        stood = time.perf_counter()
        lab.close()
        up.append(stood - began)
        down.append(time.perf_counter() - stood)
    median = f"median of {TIMES}"
    return [
        _row(f"lab of {HOSTS} hosts up, {tier}, {median}", statistics.median(up), "s", "<= 0.3"),
        _row(f"lab of {HOSTS} hosts down, {tier}, {median}", statistics.median(down), "s", "<= 0.3"),
    ]


def _ready() -> Row:
    took = []
    for _ in range(5):
        began = time.perf_counter()
        with Lab():
            took.append(time.perf_counter() - began)
    return _row("the whole world up, its servers ready, median of 5", statistics.median(took), "s")


def _customer() -> Row:
    with Lab(servers=False) as lab:
        began = time.perf_counter()
        for _ in range(100):
            lab.client()
        return _row("a customer with a network stack of its own", (time.perf_counter() - began) * 10, "ms")


def _carried(tier: str, rules: str, scenario: Scenario | None, target: str = "") -> Row:
    with Lab(tier, world=LINE, servers=False) as lab:
        home = lab.client(scenario=scenario)
        with lab.host("far").popen([sys.executable, "-c", _SENDER], stdout=subprocess.PIPE) as sender:
            assert sender.stdout is not None
            sender.stdout.readline()
            done = home.run([sys.executable, "-c", _RECEIVER])
            sender.kill()
    return _row(f"one TCP download over 44 ms, {tier}, {rules}", float(done.stdout), "Mbit/s", target)


def _round_trip(tier: str) -> Row:
    """A datagram there and back, measured by this process: what it takes beyond the 44 ms of the cables."""
    with Lab(tier, world=LINE, servers=False) as lab:
        home, far = lab.client(), lab.host("far")
        here = home.network.sockets.datagram(socket.AF_INET)  # type: ignore[attr-defined]  # the lab's network has sockets
        there = far.network.sockets.datagram(socket.AF_INET)  # type: ignore[attr-defined]  # as above
        with here, there:
            here.settimeout(2)
            there.settimeout(2)
            here.connect(there.getsockname())
            took = []
            for _ in range(40):
                began = time.perf_counter()
                here.send(b"there")
                back, sender = there.recvfrom(16)
                there.sendto(back, sender)
                here.recv(16)
                took.append(time.perf_counter() - began - 0.044)
    return _row(f"a round trip of 44 ms takes longer by, {tier}, median", statistics.median(took) * 1000, "ms")

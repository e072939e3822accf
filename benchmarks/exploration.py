"""What the gateway's own search sends: nothing on an unblocked network, and how much at worst on a blocked one.

Everything on the wire of a home is captured in the lab. On the unblocked network forty pages are asked for. On the
blocked one every answer in TLS is dropped and no way helps, and many pages are asked for, until the budget of unproven
dials is spent. The same pages are asked for by a gateway that knows no way but the direct one; what the other sent
beyond that is its search. At once a search may spend half the budget of an hour, so an hour's worst is twice that.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import SocketAttribute

from rozaneh.core import Target
from rozaneh.dialers.registry import build
from rozaneh.finder import Finder, Memory, Table
from rozaneh.gateway import Gateway
from rozaneh.lab.lab import Lab
from rozaneh.lab.matrix import choose_ways
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario
from rozaneh.net import Deadlines
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.trial import get

COMMAND = "python -m benchmarks exploration"
_BLOCKED = 36
_AT_ONCE = 12
_PATIENT = Deadlines(proxy=30.0, tls_handshake=30.0, first_byte=10.0, close=0.5)
_RELAY = "45.76.10.11"
_SPARED = ["dns.google", "cloudflare-dns.com", "dns.quad9.net", "5.160.0.0/16", "185.143.232.0/22"]
_NOTHING_HELPS = f"""
title = "Every answer in TLS is dropped, those of resolvers excepted, and so is the relay"
[[rule]]
at = "operator"
mode = "in-path"
match = {{ direction = "in", protocol = "tcp", tls.hello = "server", not = {{ source.address = {_SPARED} }} }}
state = {{ scope = "flow" }}
action = {{ drop = {{ direction = "in" }} }}
[[rule]]
at = "border"
mode = "in-path"
match = {{ direction = "out", destination = "{_RELAY}" }}
action = "drop"
"""

Row = dict[str, object]


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder) / "home.pcap"
        with Lab(pcap=pcap) as lab:
            sites = [name for service in lab.world.service if service.kind == "web" for name in service.names]
            free = [Target.parse(f"https://{name}/bytes/30000") for name in ("example.org", "www.example.org")]
            names = [name for name in dict.fromkeys(sites) if "*" not in name and "refuses" not in name]
            blocked = [Target.parse(f"https://{name}/") for name in names[:_BLOCKED]]
            clear = load_scenario("clear")
            own = [_sent(lab, pcap, clear, free * 20, searches) for searches in (False, True)]
            hard = parse_scenario(_NOTHING_HELPS, "nothing-helps")
            worst = [_sent(lab, pcap, hard, blocked, searches) for searches in (False, True)]
    return [
        _row(
            "search: connections beyond those asked for, forty pages on an unblocked network",
            own[1][1] - own[0][1],
            "",
            "== 0",
        ),
        _row("search: pages of which none comes, on a blocked network", len(blocked), ""),
        _row("search: connections beyond those asked for there", worst[1][1] - worst[0][1], ""),
        _row("search: bytes in the worst hour there", 2 * (worst[1][0] - worst[0][0]) / 1000, "kB", "< 200"),
    ]


def _row(name: str, value: float, unit: str, target: str = "") -> Row:
    row: Row = {"name": name, "value": round(value, 1), "unit": unit, "command": COMMAND}
    return row | {"target": target} if target else row


def _sent(lab: Lab, pcap: Path, scenario: Scenario, pages: Sequence[Target], searches: bool) -> tuple[int, int]:
    """Bytes on the wire of a home in which these pages were asked for, and connections that were begun there."""
    lab.counters()
    before = pcap.stat().st_size
    anyio.run(partial(_ask, lab, scenario, pages, searches), backend_options={"use_uvloop": True})
    lab.counters()
    packets = list(_packets(pcap.read_bytes()[before:]))
    return sum(map(len, packets)), len({_flow(packet) for packet in packets if _begins(packet)})


async def _ask(lab: Lab, scenario: Scenario, pages: Sequence[Target], searches: bool) -> None:
    network = RealNetwork()
    trust = Trust.with_ca(lab.ca_file)
    home = lab.client("mobile", scenario, programs=False)
    listener = await network.listen_tcp("127.0.0.1", 0)
    port = listener.extra(SocketAttribute.local_port)
    finder = Finder(
        home.network,
        ways=[way.spec for way in choose_ways(["ss"])] if searches else [],
        table=Table.shipped() if searches else Table([], []),
        memory=Memory(),
        clock=home.clock,
        trust=trust,
    )
    dialer = build(f"socks5://127.0.0.1:{port}|tcp", network, trust=trust)
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def one(page: Target) -> None:
        async with limit:
            await get(dialer, page, lab, _PATIENT)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(Gateway(finder).serve, listener)
        async with anyio.create_task_group() as asking:
            for page in pages:
                asking.start_soon(one, page)
        tasks.cancel_scope.cancel()
    home.close()


def _packets(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        found.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return found


def _head(packet: bytes) -> tuple[int, int]:
    """Where the payload of the IP packet begins, and what it is."""
    return (40, packet[6]) if packet[0] >> 4 == 6 else ((packet[0] & 15) * 4, packet[9])


def _begins(packet: bytes) -> bool:
    """Whether this is the SYN of a connection."""
    head, protocol = _head(packet)
    return protocol == 6 and (packet[head + 13] & 0x12) == 2


def _flow(packet: bytes) -> bytes:
    head, _ = _head(packet)
    return packet[8:head] + packet[head : head + 4] if packet[0] >> 4 == 6 else packet[12 : head + 4]

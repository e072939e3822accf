"""What the gateway's own search sends: nothing on an unblocked network, and how much at worst on a blocked one.

Everything on the wire of a home is captured in the lab. On the unblocked network forty pages are asked for. On the
blocked ones connections are made and carry nothing, whatever is tried, so that every hello is repeated: once with true
names, and once with every name forged, so that resolvers have to be asked. Many pages are asked for, until the budget
is spent. The same pages are asked for by a gateway that knows no way but the direct one; what the other sent beyond
that is its search. At once a search may spend half the budget of an hour, so an hour's worst is twice that.
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
_SPARED = ["dns.google", "cloudflare-dns.com", "dns.quad9.net"]
_NEAR = ("5.160.", "185.143.", "10.")
_NOTHING_HELPS = f"""
title = "Connections to port 443 are made and carry nothing, those to resolvers excepted; the relay is silent"
[[rule]]
at = "operator"
mode = "in-path"
match = {{ direction = "out", protocol = "tcp", destination.port = 443, not = {{ destination.address = {_SPARED} }} }}
state = {{ scope = "flow" }}
action = {{ freeze = {{ bytes = 0, direction = "both" }} }}
[[rule]]
at = "border"
mode = "in-path"
match = {{ direction = "out", destination = "{_RELAY}" }}
action = "drop"
"""
_NAMES_TOO = """
[[rule]]
at = "operator"
mode = "on-path"
match = { direction = "out", protocol = "udp", destination.port = 53 }
action = { dns = { a = ["10.10.34.35"], ttl = 418 } }
"""

Row = dict[str, object]


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder) / "home.pcap"
        with Lab(pcap=pcap) as lab:
            far = [one for one in lab.world.service if one.kind == "web" and not one.addresses[0].startswith(_NEAR)]
            sites = [name for service in far for name in service.names]
            free = [Target.parse(f"https://{name}/bytes/30000") for name in ("example.org", "www.example.org")]
            names = [name for name in dict.fromkeys(sites) if "*" not in name and "refuses" not in name]
            blocked = [Target.parse(f"https://{name}/") for name in names[:_BLOCKED]]
            clear = load_scenario("clear")
            own = [_sent(lab, pcap, clear, free * 20, searches) for searches in (False, True)]
            true = parse_scenario(_NOTHING_HELPS, "nothing-helps")
            forged = parse_scenario(_NOTHING_HELPS + _NAMES_TOO, "nothing-helps-and-names-are-forged")
            worst = [
                [_sent(lab, pcap, hard, blocked, searches) for searches in (False, True)] for hard in (true, forged)
            ]
    return [
        _row(
            "search: connections beyond those asked for, forty pages on an unblocked network",
            own[1][1] - own[0][1],
            "",
            "== 0",
        ),
        _row("search: pages of which none comes, on a blocked network", len(blocked), ""),
        *(
            _row(f"search: bytes in the worst hour there, {names}", 2 * (with_[0] - without[0]) / 1000, "kB", "< 200")
            for names, (without, with_) in zip(("true names", "forged names"), worst, strict=True)
        ),
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

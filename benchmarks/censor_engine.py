"""Time that the censors of one client take per packet, in process: no wire, no kernel.

Bulk data is the case that decides whether the wire keeps up: 1448-byte segments one way, acknowledgements the other,
on a connection whose handshake the censors have read.
"""

import time
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from rozaneh.lab.censor import Engine, forge
from rozaneh.lab.censor.packet import ACK, PSH, SYN
from rozaneh.lab.scenario import parse_scenario

COMMAND = "python -m benchmarks.censor_engine"
PACKETS = 20_000

_TWO_RULES = """
[[rule]]
match = { direction = "out", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow", reassembly = { tcp = "in-order" }, attention = { data_packets = 10 } }
action = "drop"
[[rule]]
match = { direction = "out", protocol = "udp", dns.qname.suffix = ["blocked.example"] }
action = { dns = { a = "10.10.34.36" } }
"""
_NO_ATTENTION = """
[[rule]]
match = { tls.sni.suffix = ["blocked.example"] }
action = "drop"
[[rule]]
match = { direction = "out", http.host.suffix = ["blocked.example"] }
action = "drop"
"""
_SHAPING = """
[[rule]]
match = { server.port = 443 }
action = { rate = { rate = "100Mbit", per = "source" } }
[[rule]]
match = { marked = "noisy" }
action = "drop"
[[rule]]
match = { payload = "x" }
action = { mark = "noisy" }
"""
_SIX = _TWO_RULES + _NO_ATTENTION + _TWO_RULES


class _Clock:
    def now(self) -> datetime:
        return datetime(2022, 9, 21, 12, tzinfo=UTC)


def bulk(text: str) -> float:
    """Microseconds per packet of bulk data."""
    engine = Engine(parse_scenario(text), clock=_Clock())
    home, there = ip_address("10.77.0.5").packed, ip_address("93.184.216.34").packed
    out, back = (home, 40000, there, 443), (there, 443, home, 40000)
    now = 1.0
    for ends, numbers, flags, data in (
        (out, (100, 0), SYN, b""),
        (back, (500, 101), SYN | ACK, b""),
        (out, (101, 501), ACK, b""),
        (out, (101, 501), PSH | ACK, b"\x16\x03\x01\x00\x05hello"),
    ):
        engine.packet(forge.tcp_packet(ends, numbers, flags, data), outbound=ends is out, place="border", now=now)
    pairs = [
        (
            forge.tcp_packet(back, (501 + index * 1448, 111), ACK, bytes(1448)),
            forge.tcp_packet(out, (111, 501 + index * 1448), ACK),
        )
        for index in range(PACKETS // 2)
    ]
    packet = engine.packet
    began = time.perf_counter()
    for data, acknowledgement in pairs:
        now += 0.0002
        packet(data, outbound=False, place="border", now=now)
        packet(acknowledgement, outbound=True, place="border", now=now)
    return (time.perf_counter() - began) / PACKETS * 1e6


def handshakes(text: str, flows: int = 2000) -> float:
    """Microseconds per packet of connections that only open and send one request."""
    engine = Engine(parse_scenario(text), clock=_Clock())
    home, there = ip_address("10.77.0.5").packed, ip_address("93.184.216.34").packed
    packets = []
    for port in range(2000, 2000 + flows):
        out, back = (home, port, there, 443), (there, 443, home, port)
        packets += [
            (forge.tcp_packet(out, (100, 0), SYN), True),
            (forge.tcp_packet(back, (500, 101), SYN | ACK), False),
            (
                forge.tcp_packet(
                    out, (101, 501), PSH | ACK, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
                ),
                True,
            ),
            (forge.tcp_packet(back, (501, 613), ACK, bytes(1000)), False),
        ]
    began = time.perf_counter()
    for index, (raw, way) in enumerate(packets):
        engine.packet(raw, outbound=way, place="border", now=index * 0.001)
    return (time.perf_counter() - began) / len(packets) * 1e6


def main() -> list[dict[str, Any]]:
    rows = [
        ("censor engine: bulk data, 2 rules with bounded attention", bulk(_TWO_RULES)),
        ("censor engine: bulk data, 2 rules that never look away", bulk(_NO_ATTENTION)),
        ("censor engine: bulk data, 6 rules", bulk(_SIX)),
        ("censor engine: bulk data, rate limit and marks, 3 rules", bulk(_SHAPING)),
        ("censor engine: short connections, 2 rules", handshakes(_TWO_RULES)),
    ]
    return [
        {"name": name, "value": round(value, 2), "unit": "µs per packet", "command": COMMAND} for name, value in rows
    ]


if __name__ == "__main__":
    for row in main():
        print(f"{row['value']:8.2f} {row['unit']}  {row['name']}")

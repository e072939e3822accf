"""Packets made by hand, and a lane on which they cross one censor."""

import itertools
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from rozaneh.lab.censor import Decision, Engine, forge
from rozaneh.lab.censor.packet import ACK, PSH, SYN, Packet, read_packet
from rozaneh.lab.scenario import parse_scenario

HOME = "10.77.0.5"
BLOCKED = "93.184.216.35"
OTHER = "93.184.216.34"


class Clock:
    def __init__(self, text: str) -> None:
        self.start = datetime.fromisoformat(text)
        self.passed = 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)


class Lane:
    """One client, one censor, and a TCP conversation that keeps its numbers right."""

    def __init__(self, text: str, *, network: str = "mobile", at: str = "2022-09-21T12:00", seed: int = 0) -> None:
        self.clock = Clock(at)
        self.scenario = parse_scenario(text)
        self.engine = Engine(self.scenario, network=network, seed=seed, clock=self.clock)
        self.place = next(iter(sorted(self.engine.places)), "border")
        self.time = 100.0
        self.home, self.there = HOME, BLOCKED
        self.port, self.server_port = 40000, 443
        self.seq, self.ack = 1000, 9000

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.clock.passed += seconds

    def raw(self, raw: bytes, *, out: bool = True, place: str | None = None) -> Decision:
        self.wait(0.01)
        return self.engine.packet(raw, outbound=out, place=place or self.place, now=self.time)

    def ends(self, *, out: bool = True) -> tuple[bytes, int, bytes, int]:
        home, there = ip_address(self.home).packed, ip_address(self.there).packed
        if out:
            return home, self.port, there, self.server_port
        return there, self.server_port, home, self.port

    def segment(self, flags: int, payload: bytes = b"", *, out: bool = True, **how: Any) -> Decision:
        numbers = (self.seq, self.ack) if out else (self.ack, self.seq)
        return self.raw(forge.tcp_packet(self.ends(out=out), numbers, flags, payload, **how), out=out)

    def syn(self, *, out: bool = True) -> Decision:
        found = self.segment(SYN, out=out)
        if out:
            self.seq += 1
        else:
            self.ack += 1
        return found

    def open(self) -> Decision:
        self.syn()
        found = self.segment(SYN | ACK, out=False)
        self.ack += 1
        self.segment(ACK)
        return found

    def say(self, payload: bytes, *, out: bool = True, keep: bool = False, **how: Any) -> Decision:
        """Send payload; with ``keep`` the numbers stay, as for a segment that was lost."""
        found = self.segment(PSH | ACK, payload, out=out, **how)
        if not keep:
            if out:
                self.seq += len(payload)
            else:
                self.ack += len(payload)
        return found

    def udp(self, payload: bytes, *, out: bool = True, **how: Any) -> Decision:
        return self.raw(forge.udp_packet(self.ends(out=out), payload, **how), out=out)

    def ping(self, *, kind: int = 8, code: int = 0) -> Decision:
        home, _, there, _ = self.ends()
        return self.raw(forge.ip_packet(1, home, there, bytes([kind, code, 0, 0, 0, 1, 0, 1])))

    def anew(self, *, port: int | None = None, there: str | None = None) -> None:
        """Another flow of the same client."""
        self.port = port or self.port + 1
        self.there = there or self.there
        self.seq, self.ack = self.seq + 100_000, self.ack + 100_000


def passed(decision: Decision) -> bool:
    return bool(decision.forward)


def read(raw: bytes, *, out: bool = False) -> Packet:
    packet = read_packet(raw, outbound=out, now=0.0)
    assert packet is not None
    assert packet.checksum_valid()
    return packet


def client_hello(
    name: str | None = "blocked.example",
    *,
    alpn: Sequence[str] = ("h2", "http/1.1"),
    extensions: Sequence[int] = (),
    ciphers: Sequence[int] = (0x1301, 0x1303, 0x1302),
    versions: Sequence[int] = (0x0304, 0x0303),
    padding: int = 0,
    records: Sequence[int] = (),
) -> bytes:
    """A ClientHello; ``records`` are the places at which it is cut into TLS records."""
    parts = []
    if name is not None:
        encoded = name.encode()
        parts.append((0, struct.pack("!HBH", len(encoded) + 3, 0, len(encoded)) + encoded))
    parts.append((10, b"\0\4\0\x1d\0\x17"))
    if alpn:
        listed = b"".join(bytes([len(item)]) + item.encode() for item in alpn)
        parts.append((16, struct.pack("!H", len(listed)) + listed))
    if versions:
        listed = b"".join(struct.pack("!H", item) for item in versions)
        parts.append((43, bytes([len(listed)]) + listed))
    parts += [(number, b"") for number in extensions]
    if padding:
        parts.append((21, bytes(padding)))
    block = b"".join(struct.pack("!HH", kind, len(content)) + content for kind, content in parts)
    listed = b"".join(struct.pack("!H", item) for item in ciphers)
    body = b"\3\3" + bytes(range(32)) + b"\0" + struct.pack("!H", len(listed)) + listed + b"\1\0"
    body += struct.pack("!H", len(block)) + block
    message = b"\1" + len(body).to_bytes(3, "big") + body
    cuts = [0, *records, len(message)]
    return b"".join(
        b"\x16\3\1" + struct.pack("!H", end - start) + message[start:end] for start, end in itertools.pairwise(cuts)
    )


def dns_query(name: str = "blocked.example", qtype: int = 1, *, edns: bool = True) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = labels + struct.pack("!HH", qtype, 1)
    extra = b"\0\0\x29\x04\xd0\0\0\0\0\0\0" if edns else b""
    return b"\x12\x34\1\0\0\1\0\0\0\0" + (b"\0\1" if edns else b"\0\0") + question + extra


def dns_answer(name: str, address: str, *, rcode: int = 0) -> bytes:
    query = dns_query(name, edns=False)
    packed = ip_address(address).packed
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1 if len(packed) == 4 else 28, 1, 60, len(packed)) + packed
    return query[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, 1, 0, 0) + query[12:] + record


def http_get(host: str = "blocked.example", path: str = "/", extra: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8\r\n{extra}\r\n".encode()


def dropping(match: str, state: str = 'scope = "packet"', **how: Any) -> Lane:
    """A lane whose only rule drops what fits a match (and a state)."""
    return Lane(f"[[rule]]\nmatch = {{ {match} }}\nstate = {{ {state} }}\naction = 'drop'\n", **how)


def acting(action: str, match: str = "", rest: str = "", **how: Any) -> Lane:
    """A lane whose only rule does something to what fits a match; ``rest`` are further lines of the rule."""
    return Lane(f"[[rule]]\nmatch = {{ {match} }}\naction = {{ {action} }}\n{rest}\n", **how)

"""Send one segment with a ClientHello, without any handshake, and listen for a forged reset.

A server that gets such a segment answers with a bare RST of its own; a censor that answers is known by RST+ACK. With a
TTL that ends before the server only boxes on the path can answer at all.
"""

import argparse
import random
import socket
import struct
import sys
import time

from rozaneh.lab.check.programs.hello import client_hello

_ACK, _PSH, _RST = 0x10, 0x08, 0x04


def options(parser: argparse.ArgumentParser) -> None:
    """How far the segment goes."""
    parser.add_argument("--ttl", type=int, default=6)
    parser.add_argument("--timeout", type=float, default=1.5)


def run(given: argparse.Namespace) -> str:
    """``connection_reset`` when a RST+ACK came, ``ok`` when nothing did."""
    there = socket.getaddrinfo(given.target.hostname, None, socket.AF_INET)[0][4][0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((there, 9))
        here = probe.getsockname()[0]
    port = random.SystemRandom().randrange(30000, 60000)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, given.ttl)
        link.settimeout(0.1)
        link.sendto(_segment(str(here), str(there), port, client_hello(given.target.hostname, [])), (there, 0))
        return _listen(link, str(there), port, time.monotonic() + given.timeout)


def _listen(link: socket.socket, there: str, port: int, until: float) -> str:
    while time.monotonic() < until:
        try:
            packet, (sender, _) = link.recvfrom(2048)
        except TimeoutError:
            continue
        tcp = packet[(packet[0] & 15) * 4 :]
        if sender == there and len(tcp) >= 20 and tcp[2:4] == struct.pack("!H", port) and tcp[13] & _RST:
            sys.stdout.write(f"flags {tcp[13]:#x}, TTL {packet[8]}\n")
            if tcp[13] & _ACK:
                return "connection_reset"
    return "ok"


def _segment(here: str, there: str, port: int, payload: bytes) -> bytes:
    header = struct.pack("!HHIIBBHHH", port, 443, 1000, 2000, 5 << 4, _PSH | _ACK, 8192, 0, 0)
    pseudo = socket.inet_aton(here) + socket.inet_aton(there) + struct.pack("!BBH", 0, 6, len(header) + len(payload))
    total = _checksum(pseudo + header + payload)
    return header[:16] + struct.pack("!H", total) + header[18:] + payload


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    folded = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - ((folded + (folded >> 16)) & 0xFFFF)

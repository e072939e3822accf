"""Datagrams with a TTL of one, two, three and so on, and who reports their end."""

import argparse
import socket
import sys

_TIME_EXCEEDED, _UNREACHABLE = 11, 3
_FIRST_PORT = 33434


def options(parser: argparse.ArgumentParser) -> None:
    """How far to look."""
    parser.add_argument("--hops", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=0.4)


def run(given: argparse.Namespace) -> str:
    """``ok`` when the last report comes from the target itself."""
    there = socket.getaddrinfo(given.target.hostname, None, socket.AF_INET)[0][4][0]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ear:
        ear.settimeout(given.timeout)
        for ttl in range(1, given.hops + 1):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
                mouth.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
                mouth.sendto(b"rozaneh", (there, _FIRST_PORT + ttl))
            try:
                report, (sender, _) = ear.recvfrom(2048)
            except TimeoutError:
                sys.stdout.write(f"{ttl} *\n")
                continue
            kind = report[(report[0] & 15) * 4]
            sys.stdout.write(f"{ttl} {sender}\n")
            if kind == _UNREACHABLE:
                return "ok" if sender == there else "host_unreachable"
    return "generic_timeout_error"

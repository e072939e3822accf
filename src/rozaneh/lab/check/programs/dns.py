"""Ask one resolver over UDP and print every answer that comes, with its time: two in a row are a race."""

import argparse
import socket
import struct
import sys
import time

_RCODES = {1: "dns_server_misbehaving", 2: "dns_servfail_error", 3: "dns_nxdomain_error", 5: "dns_refused_error"}


def options(parser: argparse.ArgumentParser) -> None:
    """Whom to ask, and how long to listen."""
    parser.add_argument("--server", default="8.8.8.8")
    parser.add_argument("--listen", type=float, default=0.6)
    parser.add_argument("--timeout", type=float, default=3.0)


def run(given: argparse.Namespace) -> str:
    """The outcome of the *first* answer; whether its address is the true one is for the reader to say."""
    first = ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(given.timeout)
        began = time.monotonic()
        link.sendto(query(given.target.hostname, 0x1234), (given.server, 53))
        while True:
            try:
                answer = link.recv(4096)
            except TimeoutError:
                return first or "generic_timeout_error"
            after = (time.monotonic() - began) * 1000
            rcode = answer[3] & 15 if len(answer) > 12 else 1
            address = socket.inet_ntoa(answer[-4:]) if not rcode else f"rcode {rcode}"
            sys.stdout.write(f"{address} after {after:.1f} ms\n")
            first = first or _RCODES.get(rcode, "ok")
            link.settimeout(given.listen)


def query(name: str, number: int) -> bytes:
    """A query for the A record of a name (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)

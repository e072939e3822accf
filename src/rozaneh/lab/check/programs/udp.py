"""Send datagrams to a server that echoes (or to a resolver) and count what comes back."""

import argparse
import random
import socket
import sys

from rozaneh.lab.check.programs.dns import query


def options(parser: argparse.ArgumentParser) -> None:
    """What the datagrams are like."""
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--wireguard", type=int, default=0, help="one handshake message, then transport up to so many")
    parser.add_argument("--dns", type=int, default=0, help="so many DNS queries instead")
    parser.add_argument("--timeout", type=float, default=0.6)


def run(given: argparse.Namespace) -> str:
    """``ok`` when all came back, ``degraded`` when some did."""
    datagrams = _datagrams(given)
    back = 0
    family, _, _, _, place = socket.getaddrinfo(given.target.hostname, given.target.port or 53, type=socket.SOCK_DGRAM)[
        0
    ]
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.settimeout(given.timeout)
        link.connect(place)
        for datagram in datagrams:
            link.send(datagram)
            try:
                link.recv(4096)
            except TimeoutError:
                continue
            back += 1
    sys.stdout.write(f"{back} of {len(datagrams)} came back\n")
    if back == len(datagrams):
        return "ok"
    return "degraded" if back else "generic_timeout_error"


def _datagrams(given: argparse.Namespace) -> list[bytes]:
    chance = random.Random(given.size)
    if given.dns:
        return [query("blocked.example", number) for number in range(1, given.dns + 1)]
    if given.wireguard:
        first = b"\x01\0\0\0" + chance.randbytes(144)
        return [first] + [b"\x04\0\0\0" + chance.randbytes(92) for _ in range(given.wireguard - 1)]
    # 0xc3 bytes of a QUIC header must not come up by chance: the first byte keeps the fixed bit unset.
    return [bytes([0x2A]) + chance.randbytes(given.size - 1) for _ in range(given.count)]

"""Echo requests, as ping sends them."""

import argparse
import os
import socket
import struct
import sys
import time

_ECHO, _REPLY = 8, 0


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=0.6)


def run(given: argparse.Namespace) -> str:
    """``ok`` when every request was answered, ``degraded`` when some were."""
    there = socket.getaddrinfo(given.target.hostname, None, socket.AF_INET)[0][4][0]
    number = os.getpid() & 0xFFFF
    back = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        for turn in range(given.count):
            link.sendto(_request(number, turn), (there, 0))
            back += _answered(link, number, turn, time.monotonic() + given.timeout)
    sys.stdout.write(f"{back} of {given.count} answered\n")
    if back == given.count:
        return "ok"
    return "degraded" if back else "generic_timeout_error"


def _answered(link: socket.socket, number: int, turn: int, until: float) -> bool:
    while (left := until - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            packet = link.recv(2048)
        except TimeoutError:
            break
        message = packet[(packet[0] & 15) * 4 :]
        if message[0] == _REPLY and struct.unpack("!HH", message[4:8]) == (number, turn):
            return True
    return False


def _request(number: int, turn: int) -> bytes:
    body = struct.pack("!HH", number, turn) + b"rozaneh lab ping"
    words = (_ECHO << 8) + sum(struct.unpack(f"!{len(body) // 2}H", body))
    words = (words >> 16) + (words & 0xFFFF)
    return struct.pack("!BBH", _ECHO, 0, ~(words + (words >> 16)) & 0xFFFF) + body

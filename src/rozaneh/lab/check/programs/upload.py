"""Send many bytes to a server that echoes them and print the speed."""

import argparse
import socket
import sys
import threading
import time


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--timeout", type=float, default=10.0)


def run(given: argparse.Namespace) -> str:
    """``ok``; whether the speed is the usual one is for the reader to say."""
    with socket.create_connection((given.target.hostname, given.target.port or 443), given.timeout) as link:
        began = time.monotonic()
        sender = threading.Thread(target=link.sendall, args=(b"u" * given.bytes,), daemon=True)
        sender.start()
        left = given.bytes
        while left > 0:
            more = link.recv(65536)
            if not more:
                raise EOFError(f"closed with {left} bytes to come")
            left -= len(more)
        took = time.monotonic() - began
    sys.stdout.write(f"{given.bytes} bytes, rate {given.bytes / took:.0f} bytes per second\n")
    return "ok"

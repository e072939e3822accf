"""Send bytes over TCP to a server that echoes them, and see whether they come back."""

import argparse
import random
import socket
import sys
import time


def options(parser: argparse.ArgumentParser) -> None:
    """What to send, and whether to send it again later on the same connection."""
    parser.add_argument("--send", default="no protocol that anybody knows")
    parser.add_argument("--random", type=int, default=0, help="send this many random bytes instead")
    parser.add_argument("--again-after", type=float, default=0.0, help="seconds until it is sent once more")
    parser.add_argument("--timeout", type=float, default=3.0)


def run(given: argparse.Namespace) -> str:
    """``ok`` when everything came back as it was sent."""
    chance = random.Random(given.random)
    data = chance.randbytes(given.random) if given.random else given.send.replace("_", " ").encode() + b"\r\n"
    with socket.create_connection((given.target.hostname, given.target.port or 443), given.timeout) as link:
        for pause in (0.0, given.again_after) if given.again_after else (0.0,):
            time.sleep(pause)
            link.sendall(data)
            if exactly(link, len(data)) != data:
                return "wrong_content"
            sys.stdout.write(f"echo of {len(data)} bytes\n")
    return "ok"


def exactly(link: socket.socket, size: int) -> bytes:
    """So many bytes.

    Raises:
        EOFError: the other end closed before.
    """
    found = b""
    while len(found) < size:
        more = link.recv(size - len(found))
        if not more:
            raise EOFError(f"closed after {len(found)} of {size} bytes")
        found += more
    return found

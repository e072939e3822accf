"""Send a TLS ClientHello made by hand to a server that echoes, and see whether it comes back."""

import argparse
import socket
import struct
import sys

from rozaneh.lab.check.programs.raw import exactly

_SUITES = (0x1301, 0x1303, 0x1302, 0xC02B, 0xC02F)


def options(parser: argparse.ArgumentParser) -> None:
    """What the hello holds."""
    parser.add_argument("--name", default="neutral.example")
    parser.add_argument("--no-name", action="store_true")
    parser.add_argument("--esni", action="store_true", help="with the old encrypted name, extension 0xffce")
    parser.add_argument("--ech", action="store_true", help="with Encrypted ClientHello, extension 0xfe0d")
    parser.add_argument("--timeout", type=float, default=3.0)


def run(given: argparse.Namespace) -> str:
    """``ok`` when the hello came back."""
    extra = [0xFFCE] * given.esni + [0xFE0D] * given.ech
    data = client_hello("" if given.no_name else given.name, extra)
    with socket.create_connection((given.target.hostname, given.target.port or 443), given.timeout) as link:
        link.sendall(data)
        if exactly(link, len(data)) != data:
            return "wrong_content"
    sys.stdout.write(f"echo of a hello of {len(data)} bytes\n")
    return "ok"


def client_hello(name: str, extensions: list[int]) -> bytes:
    """One TLS record with a ClientHello (RFC 8446, 4.1.2); the named extensions hold zeros."""
    parts = [_extension(43, b"\x04\x03\x04\x03\x03"), _extension(10, b"\x00\x04\x00\x1d\x00\x17")]
    if name:
        server = name.encode()
        parts.insert(0, _extension(0, struct.pack("!HBH", len(server) + 3, 0, len(server)) + server))
    parts += [_extension(number, bytes(64)) for number in extensions]
    suites = b"".join(struct.pack("!H", suite) for suite in _SUITES)
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + struct.pack("!H", len(suites)) + suites + b"\x01\x00"
    block = b"".join(parts)
    body += struct.pack("!H", len(block)) + block
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack("!HH", number, len(body)) + body

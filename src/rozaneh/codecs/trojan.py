"""Trojan inside its TLS (trojan-gfw.github.io/trojan/protocol): a digest of the password, the address, then bytes."""

import hashlib

from rozaneh.codecs.socks_address import address_header

_CRLF = b"\r\n"
_CONNECT = b"\x01"


def digest(password: str) -> bytes:
    """What a client shows to be let through: the password's SHA-224 in hexadecimal, 56 bytes."""
    return hashlib.sha224(password.encode()).hexdigest().encode("ascii")


def request(password: str, host: str, port: int) -> bytes:
    """The bytes before the first payload; the server answers nothing of its own."""
    return digest(password) + _CRLF + _CONNECT + address_header(host, port) + _CRLF

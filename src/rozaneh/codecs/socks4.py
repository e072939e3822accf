"""SOCKS version 4 with names (SOCKS4a), the server's end: bytes in, values out.

A request is ``4``, a command, a port, an IPv4 address and a user name that ends in a zero byte. An address of the form
``0.0.0.x`` says that a host name follows, again up to a zero byte; it is the proxy that resolves it. There is no
password. Source: openssh.com/txt/socks4.protocol and socks4a.protocol.
"""

import ipaddress

import msgspec

from rozaneh.core import RemoteFault, TargetError
from rozaneh.core.target import clean_host

VERSION = 4
GRANTED = b"\x00\x5a" + bytes(6)
REFUSED = b"\x00\x5b" + bytes(6)

_CONNECT = 1
_HEAD = 8
_LONGEST_NAME = 255


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for.

    Attributes:
        host: a host name in A-label form or an IPv4 address.
        port: as it stands there.
        leftover: the bytes after the request, which belong to the target.
    """

    host: str
    port: int
    leftover: bytes


def request(data: bytes) -> Request | None:
    """Read a request; none while it is incomplete.

    Raises:
        RemoteFault: it is none, or asks for something else than a connection.
    """
    if data[:1] not in (b"", bytes([VERSION])):
        raise RemoteFault(f"not SOCKS4: it begins with {data[:4].hex()}")
    if len(data) > 1 and data[1] != _CONNECT:
        raise RemoteFault(f"a client asked for SOCKS4 command {data[1]}, not CONNECT")
    if len(data) < _HEAD:
        return None
    port = int.from_bytes(data[2:4], "big")
    user = _text(data[_HEAD:], "user name")
    if user is None:
        return None
    rest = data[_HEAD + len(user) + 1 :]
    if data[4:7] != bytes(3) or data[7] == 0:
        return Request(host=str(ipaddress.ip_address(data[4:8])), port=port, leftover=rest)
    name = _text(rest, "host name")
    if name is None:
        return None
    try:
        host = clean_host(name.decode("latin-1"))
    except TargetError as error:
        raise RemoteFault(str(error)) from error
    return Request(host=host, port=port, leftover=rest[len(name) + 1 :])


def _text(data: bytes, what: str) -> bytes | None:
    """The bytes before the first zero; none while there is no zero."""
    end = data.find(b"\0", 0, _LONGEST_NAME + 1)
    if end < 0 and len(data) > _LONGEST_NAME:
        raise RemoteFault(f"a SOCKS4 {what} of more than {_LONGEST_NAME} bytes")
    return data[:end] if end >= 0 else None

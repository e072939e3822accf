"""The header of SOCKS5's datagrams (RFC 1928 section 7), both ways, as bytes in and values out.

A datagram in parts is refused: the RFC lets whoever does not put parts together drop them, and nobody sends them.
"""

import ipaddress

import msgspec

from rozaneh.codecs.socks_address import IPV4, IPV6, NAME, address_header
from rozaneh.core import RemoteFault, TargetError
from rozaneh.core.target import clean_host

__all__ = ["Datagram", "pack", "unpack"]


class Datagram(msgspec.Struct, frozen=True, kw_only=True):
    """One datagram.

    Attributes:
        host: where to, or where from: a name or an IP address.
        port: 1 to 65535.
        data: what it carries.
    """

    host: str
    port: int
    data: bytes


def unpack(message: bytes) -> Datagram:
    """Read one.

    Raises:
        RemoteFault: it is none, or a part of one.
    """
    if len(message) < 5 or message[:2] != b"\x00\x00":
        raise RemoteFault("no datagram of SOCKS5")
    if message[2]:
        raise RemoteFault("a part of a datagram; only whole ones are carried")
    kind, first = message[3], message[4]
    sizes = {IPV4: 4, IPV6: 16, NAME: 1 + first}
    if kind not in sizes:
        raise RemoteFault(f"SOCKS knows no address type {kind}")
    end = 4 + sizes[kind]
    port = int.from_bytes(message[end : end + 2], "big")
    if len(message) < end + 2 or not port:
        raise RemoteFault("a datagram without a port")
    place = message[4:end]
    try:
        host = clean_host(place[1:].decode("latin-1")) if kind == NAME else str(ipaddress.ip_address(place))
    except TargetError as error:
        raise RemoteFault(str(error)) from error
    return Datagram(host=host, port=port, data=message[end + 2 :])


def pack(host: str, port: int, data: bytes) -> bytes:
    """Write one.

    Args:
        host: a name of at most 255 bytes in A-label form, or an IP address.
        port: the port.
        data: what it carries.
    """
    return b"\x00\x00\x00" + address_header(host, port) + data

"""Which addresses cannot be the address of a site on the public internet.

A forged DNS answer often points at such a place: Iran's resolvers answer with 10.10.34.34 to 10.10.34.36, and with
``d0::11`` over IPv6. Nothing of a user may be sent there. Sources: the IANA registries of special-purpose IPv4 and IPv6
addresses (RFC 6890 and its updates), RFC 7526 for the retired 6to4 relay, RFC 6052 and 8215 for NAT64, RFC 4380 for
Teredo, RFC 5214 for ISATAP.

Python's ``is_global`` does not answer this: it calls NAT64 of 127.0.0.1 global, and the loopback address in its
IPv4-compatible form, and multicast.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_BOGON_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # between provider and home, RFC 6598
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # retired 6to4 relay
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_BOGON_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, among them Teredo, benchmarks and ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation, RFC 9637
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_COMPATIBLE = IPv6Network("::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
_LOW_32 = 0xFFFF_FFFF


@lru_cache(maxsize=16384)
def is_bogon(address: str) -> bool:
    """Whether an IP address is no place on the public internet. A text that is no IP address is a ``ValueError``.

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4) is judged by the address that it carries.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return any(ip in block for block in _BOGON_V4)
    if ip in _NAT64 or ip in _SIX_TO_FOUR or ip.ipv4_mapped is not None:
        return any(is_bogon(str(inner)) for inner in carried(ip))
    return ip.scope_id is not None or ip not in _GLOBAL_V6 or any(ip in block for block in _BOGON_V6)


def is_public(address: str) -> bool:
    """Whether a server may dial an address for a stranger. A text that is no IP address is a ``ValueError``.

    It is stricter than the opposite of :func:`is_bogon`: every IPv4 address that an IPv6 one may carry must be public
    too, in whatever form, because a router or a tunnel of this machine may unpack it.
    """
    ip = ip_address(address)
    if is_bogon(address):
        return False
    return isinstance(ip, IPv4Address) or not any(is_bogon(str(inner)) for inner in carried(ip))


def carried(ip: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address carries: mapped, compatible, NAT64, 6to4, Teredo (both), ISATAP."""
    number = int(ip)
    found = []
    if ip.ipv4_mapped is not None:
        found.append(ip.ipv4_mapped)
    if ip in _NAT64 or ip in _LOCAL_NAT64 or (ip in _COMPATIBLE and number > 1):
        found.append(IPv4Address(number & _LOW_32))
    if ip in _SIX_TO_FOUR:
        found.append(IPv4Address(number >> 80 & _LOW_32))
    if ip in _TEREDO:
        found += [IPv4Address(number >> 64 & _LOW_32), IPv4Address(~number & _LOW_32)]
    if number >> 32 & _LOW_32 in _ISATAP:
        found.append(IPv4Address(number & _LOW_32))
    return tuple(found)

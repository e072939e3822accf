"""Which addresses cannot be the address of a site on the public internet.

A forged DNS answer often points at such a place: Iran's resolvers answer with 10.10.34.34 to 10.10.34.36, and with
``d0::11`` over IPv6. Nothing of a user may be sent there. Sources: the IANA registries of special-purpose IPv4 and IPv6
addresses (RFC 6890 and its updates), RFC 7526 for the retired 6to4 relay, RFC 6052 for NAT64.
"""

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
_SIX_TO_FOUR = IPv6Network("2002::/16")


def is_bogon(address: str) -> bool:
    """Whether an IP address is no place on the public internet. A text that is no IP address is a ``ValueError``.

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4) is judged by the address that it carries.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return any(ip in block for block in _BOGON_V4)
    carried = _carried(ip)
    if carried is not None:
        return is_bogon(str(carried))
    return ip.scope_id is not None or ip not in _GLOBAL_V6 or any(ip in block for block in _BOGON_V6)


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip in _SIX_TO_FOUR:
        return ip.sixtofour
    return ip.ipv4_mapped

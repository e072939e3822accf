"""An address as SOCKS5 writes it (RFC 1928 section 5), which Shadowsocks and trojan write too."""

import ipaddress

__all__ = ["IPV4", "IPV6", "NAME", "address_header"]

IPV4, NAME, IPV6 = 1, 3, 4


def address_header(host: str, port: int) -> bytes:
    """A type, a name or an IP address, and a port.

    Args:
        host: a name of at most 255 bytes in A-label form, or an IP address.
        port: the port.
    """
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", "replace")[:255]
        place = bytes([NAME, len(name)]) + name
    else:
        place = bytes([IPV4 if ip.version == 4 else IPV6]) + ip.packed
    return place + port.to_bytes(2, "big")

"""Values that name things of the network: host names, addresses, autonomous systems, protocols, record types."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from rozaneh.lab.scenario.quantity import Misread, shown

PROTOCOLS = {"icmp": (1, 58), "igmp": (2,), "tcp": (6,), "udp": (17,), "ipv6": (41,), "gre": (47,), "esp": (50,),
             "ah": (51,), "sctp": (132,), "icmpv6": (58,), "icmpv4": (1,)}  # fmt: skip
QTYPES = {"a": 1, "ns": 2, "cname": 5, "soa": 6, "ptr": 12, "hinfo": 13, "mx": 15, "txt": 16, "aaaa": 28, "srv": 33,
          "naptr": 35, "ds": 43, "dnskey": 48, "svcb": 64, "https": 65, "any": 255, "caa": 257}  # fmt: skip
EXTENSIONS = {"server_name": 0, "supported_groups": 10, "signature_algorithms": 13, "alpn": 16, "padding": 21,
              "session_ticket": 35, "pre_shared_key": 41, "early_data": 42, "supported_versions": 43,
              "key_share": 51, "quic_transport_parameters": 57, "esni": 0xFFCE, "ech": 0xFE0D}  # fmt: skip
RECORD_TYPES = {"change_cipher_spec": 20, "alert": 21, "handshake": 22, "application_data": 23}
QUIC_VERSIONS = {"v1": 1, "v2": 0x6B3343CF, "draft-29": 0xFF00001D, "negotiation": 0}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HOST = re.compile(r"[a-z0-9_*?-]{1,63}(\.[a-z0-9_*?-]{1,63})*\Z")
_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


def label(value: Any, _options: Mapping[str, Any]) -> str:
    """A name that a scenario gives to something of its own."""
    if not isinstance(value, str) or not _LABEL.match(value):
        raise Misread(f"expected a name (lower-case letters, digits, - and _, at most 63), got {shown(value)}")
    return value


def host_name(value: Any, _options: Mapping[str, Any]) -> str:
    """A host name or the end of one; ``*`` and ``?`` stand for any characters, ``@name`` for a set of the scenario."""
    if isinstance(value, str):
        text = value.strip().rstrip(".").lower()
        if text.startswith("@") and _LABEL.match(text[1:]):
            return text
        try:
            text = text if text.isascii() else text.encode("idna").decode("ascii")
        except UnicodeError:
            text = ""
        if len(text) <= 253 and _HOST.match(text.removeprefix(".")):
            return text.removeprefix(".")
    raise Misread(f'expected a host name such as "blocked.example" (or "@set"), got {shown(value)}')


def address(value: Any, _options: Mapping[str, Any]) -> str:
    """An IP address, a CIDR block, ``@name`` of a set, or a host name of the lab world (all its addresses)."""
    expected = 'expected an address, a block such as "104.16.0.0/13", a host name of the lab, or "@set"'
    if not isinstance(value, str) or not value.strip():
        raise Misread(f"{expected}; got {shown(value)}")
    text = value.strip().lower()
    if re.match(r"[\d.]+(/\d+)?\Z", text) or ":" in text:
        try:
            return str(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            raise Misread(f"{expected}; got {shown(value)} ({error})") from None
    try:
        name = host_name(text, {})
    except Misread:
        raise Misread(f"{expected}; got {shown(value)}") from None
    if "*" in name or "?" in name:
        raise Misread(f"{expected}; got {shown(value)}")
    return name


def member(value: Any, options: Mapping[str, Any]) -> str:
    """What a named set may hold: addresses and blocks, and names or patterns of names."""
    try:
        return address(value, options)
    except Misread:
        pass
    try:
        return host_name(value, options)
    except Misread:
        expected = 'an address, a block, a host name, or a pattern such as "*.example"'
        raise Misread(f"expected {expected}; got {shown(value)}") from None


def ip_address(value: Any, _options: Mapping[str, Any]) -> str:
    """One IP address."""
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else "?"))
    except ValueError:
        raise Misread(f'expected an IP address such as "10.10.34.36", got {shown(value)}') from None


def asn(value: Any, _options: Mapping[str, Any]) -> int:
    """An autonomous system number, ``197207`` or ``"AS197207"``."""
    text = value.upper().removeprefix("AS") if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**32:
        raise Misread(f'expected an AS number such as 197207 or "AS197207", got {shown(value)}')
    return int(text)


def protocol(value: Any, _options: Mapping[str, Any]) -> tuple[int, ...]:
    """IP protocol numbers, by name or number; ``icmp`` means ICMP of either family."""
    found: list[int] = []
    for item in value if isinstance(value, list | tuple) else (value,):
        if isinstance(item, str) and item.lower() in PROTOCOLS:
            found += PROTOCOLS[item.lower()]
        elif isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255:
            found.append(item)
        else:
            raise Misread(f"expected a protocol number 0..255 or one of {', '.join(PROTOCOLS)}; got {shown(item)}")
    if not found:
        raise Misread("expected at least one protocol, got an empty list")
    return tuple(found)


def weekday(value: Any, _options: Mapping[str, Any]) -> str:
    """A day of the week; three letters are kept."""
    if isinstance(value, str) and value[:3].lower() in WEEKDAYS:
        return value[:3].lower()
    raise Misread(f"expected a weekday, one of {', '.join(WEEKDAYS)}; got {shown(value)}")

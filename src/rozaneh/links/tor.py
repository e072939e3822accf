"""Tor bridge lines: ``[Bridge] [TRANSPORT] ADDRESS:PORT [FINGERPRINT] [key=value ...]`` (torrc(5), ``Bridge``).

In ``webtunnel`` and ``snowflake`` lines the address is a placeholder out of a documentation range that stands for
nothing. It is never dialled, resolved or measured; only ``tor`` gets to see it.
"""

import ipaddress
import re

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.url import Query, host_and_port
from rozaneh.words import later

TRANSPORTS = ("obfs4", "webtunnel", "snowflake")
"""The pluggable transports that a bridge line is read for; a line without one is a plain bridge."""

_REQUIRED = {"obfs4": ("cert", "iat-mode"), "webtunnel": ("url",), "snowflake": ()}
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{40}\Z")
_PLACE = re.compile(r"[\[0-9][0-9A-Fa-f.:\]]*:\d+\Z")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}\Z")
_DOCUMENTATION = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", "0.0.0.0/8")
)


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """What a bridge line says.

    Attributes:
        transport: the pluggable transport; empty for a plain bridge.
        host: the bridge's IP address, or a placeholder.
        port: its port.
        fingerprint: of its identity key, 40 hexadecimal digits, or empty.
        settings: for the transport, in order.
    """

    transport: str
    host: str
    port: int
    fingerprint: str = ""
    settings: Query = ()
    name: str = ""
    unknown: Query = ()

    @property
    def placeholder(self) -> bool:
        """Whether the address stands for nothing and may never be dialled or measured."""
        return any(ipaddress.ip_address(self.host) in block for block in _DOCUMENTATION)

    @property
    def spec(self) -> Spec | None:
        """The way: a real ``tor`` that uses this bridge."""
        line = str(self).replace("%", "%25").replace("|", "%7C").replace(";", "%3B")
        return Spec((Element("tor", line),))

    def __str__(self) -> str:
        place = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        settings = " ".join(f"{key}={value}" for key, value in self.settings)
        return " ".join(filter(None, (self.transport or "Bridge", place, self.fingerprint, settings)))

    def __repr__(self) -> str:
        return f"Bridge(transport={self.transport!r}, host={self.host!r}, port={self.port}, settings='***')"


def looks_like(text: str) -> bool:
    """Whether a line is meant as a bridge line."""
    words = text.split(maxsplit=2)
    if len(words) < 2:
        return False
    return (
        words[0] in TRANSPORTS
        or words[0].lower() == "bridge"
        or bool(_PLACE.match(words[1]) or _FINGERPRINT.match(words[1]))
    )


def parse(text: str) -> Bridge:
    """Read a line.

    Raises:
        SpecError: it is no bridge line; the message says which part is wrong and repeats no secret.
    """
    words = text.split()
    if words and words[0].lower() == "bridge":
        words = words[1:]
    transport = words.pop(0) if words and words[0] in TRANSPORTS else ""
    if not words:
        raise SpecError(
            later("a bridge line has an address and a port, as in obfs4 192.95.36.142:443 FINGERPRINT cert=...")
        )
    if not transport and not re.match(r"[\[0-9]", words[0]):
        raise SpecError(
            later(
                "transport {words!r} is not spoken here; expected one of {transports}",
                words=words[0][:30],
                transports=", ".join(TRANSPORTS),
            )
        )
    host, port = host_and_port(words.pop(0))
    if not re.fullmatch(r"[0-9A-Fa-f.:]+", host) or not _is_ip(host):
        raise SpecError(later("the address of a bridge is an IP address"))
    fingerprint = words.pop(0).upper() if words and _FINGERPRINT.match(words[0]) else ""
    settings = tuple(_setting(word) for word in words)
    keys = [key for key, _ in settings]
    if len(set(keys)) != len(keys):
        raise SpecError(later("a setting of the bridge stands twice"))
    missing = [key for key in _REQUIRED.get(transport, ()) if key not in keys]
    if missing:
        raise SpecError(
            later("a bridge by {transport} needs {missing}", transport=transport, missing=" and ".join(missing))
        )
    if settings and not transport:
        raise SpecError(later("a bridge without a transport has no settings"))
    return Bridge(transport=transport, host=host, port=port, fingerprint=fingerprint, settings=settings)


def _setting(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not _KEY.match(key) or not value.isascii() or not value.isprintable():
        raise SpecError(later("after the fingerprint come settings such as cert=..., and something else stands there"))
    return key, value


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

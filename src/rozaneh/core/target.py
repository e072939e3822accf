"""What somebody wants to reach."""

import ipaddress
import re
from functools import lru_cache
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from rozaneh.core.errors import LocalFault

Speaks = Literal["https", "http", "dns", "raw"]

_PORTS: dict[str, tuple[Speaks, int]] = {
    "https": ("https", 443),
    "http": ("http", 80),
    "dns": ("dns", 53),
    "tcp": ("raw", 0),
}
_LONGEST_HOST = 253
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


class TargetError(LocalFault):
    """A text that does not name a target; the message says which part is wrong."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A place to reach and what is spoken there.

    Attributes:
        host: a host name in lower-case A-label form, or an IP address without brackets.
        port: TCP or UDP port, 1 to 65535.
        speaks: the protocol expected at the far end; decides how a client's first bytes are read.
        path: what to ask for once connected, in ASCII; only ``http`` and ``https`` use it.
        addresses: IP addresses already known for ``host``; empty means that a dialer has to resolve it.
    """

    host: str
    port: int
    speaks: Speaks = "raw"
    path: str = "/"
    addresses: tuple[str, ...] = ()

    @property
    def is_literal(self) -> bool:
        """Whether ``host`` is an IP address, so that nothing has to be resolved."""
        return is_ip(self.host)

    @property
    def authority(self) -> str:
        """``host:port`` as it stands in a request, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def at(self, *addresses: str) -> "Target":
        """The same target with its addresses known."""
        return msgspec.structs.replace(self, addresses=tuple(addresses))

    def __str__(self) -> str:
        if self.speaks in ("https", "http"):
            default = _PORTS[self.speaks][1]
            shown = f"[{self.host}]" if ":" in self.host else self.host
            place = shown if self.port == default else self.authority
            return f"{self.speaks}://{place}{self.path}"
        return f"{'dns' if self.speaks == 'dns' else 'tcp'}://{self.authority}"

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read ``https://host[:port]/path``, ``http://``, ``dns://``, ``tcp://host:port`` or a bare host name.

        Raises:
            TargetError: the text is no such thing; the message names the part that is wrong.
        """
        cleaned = text.strip()
        if not cleaned or len(cleaned) > 2048 or any(ord(c) < 33 for c in cleaned):
            raise TargetError(f"not a target: {cleaned[:60]!r} (empty, too long, or with spaces or control characters)")
        parts = _split(cleaned if "://" in cleaned else f"https://{cleaned}")
        if parts.scheme not in _PORTS:
            raise TargetError(f"not a target: scheme {parts.scheme!r}; expected https, http, dns or tcp")
        speaks, default = _PORTS[parts.scheme]
        try:
            port = default if parts.port is None else parts.port
        except ValueError:
            raise TargetError(f"not a target: the port of {cleaned[:60]!r} is not between 1 and 65535") from None
        if not port:
            raise TargetError(f"not a target: {cleaned[:60]!r} needs a port other than 0, as in tcp://host:443")
        path = _in_ascii((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        return cls(host=clean_host(parts.hostname or ""), port=port, speaks=speaks, path=path)


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:
        raise TargetError(f"not a target: {text[:60]!r} ({error})") from None


def _in_ascii(path: str) -> str:
    """A path as it goes over the line: what people write in their own script is percent-encoded (RFC 3987, 3.1)."""
    try:
        return _NOT_ASCII.sub(lambda found: quote(found[0]), path)
    except UnicodeEncodeError:  # bytes of a command line that were no text
        raise TargetError(f"not a target: {path[:60]!r} is no text") from None


@lru_cache(maxsize=16384)
def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def clean_host(text: str) -> str:
    """A host name in lower-case A-label form, or an IP address in its canonical form.

    Raises:
        TargetError: the text is neither.
    """
    if is_ip(text):
        return str(ipaddress.ip_address(text))
    name = text.rstrip(".").lower()
    try:
        name = name.encode("idna").decode("ascii") if not name.isascii() else name
    except UnicodeError:
        raise TargetError(f"not a host name: {text[:60]!r}") from None
    labels = name.split(".")
    good = all(0 < len(x) <= 63 and all(c.isalnum() or c in "-_" for c in x) for x in labels)
    if not good or len(name) > _LONGEST_HOST:
        raise TargetError(f"not a host name: {text[:60]!r}")
    return name

"""What the strategies that ask a proxy to dial for them have in common."""

import ipaddress
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from rozaneh.core import Element, SpecError, Target, TargetError
from rozaneh.core.target import clean_host
from rozaneh.words import later


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy, as a URL names it.

    Attributes:
        host: its name or IP address.
        port: its port.
        address: its IP address where the URL gives one beside the name, so that nothing has to be resolved.
        username: empty for none.
        password: belongs to the user name.
    """

    host: str
    port: int
    address: str = ""
    username: str = ""
    password: str = ""

    @property
    def target(self) -> Target:
        """The proxy as something to dial."""
        target = Target(host=self.host, port=self.port)
        return target.at(self.address) if self.address else target

    def __repr__(self) -> str:
        return f"Upstream(host={self.host!r}, port={self.port}, password='***')"


def parse_upstream(element: Element, *, port: int) -> Upstream:
    """Read ``scheme://[user:password@]host[:port][?address=IP]``.

    Args:
        element: the element of the way.
        port: what to take where the URL names none.

    Raises:
        SpecError: it is something else; the message never repeats the password.
    """
    shape = f"{element.name}://[user:password@]host:port[?address=IP]"
    if not element.is_url:
        raise SpecError(later("expected {shape}", shape=shape))
    try:
        parts = urlsplit(f"{element.name}:{element.argument}")
        host, chosen = clean_host(parts.hostname or ""), parts.port or port
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        address = str(ipaddress.ip_address(query.pop("address")[0])) if "address" in query else ""
    except (ValueError, TargetError):
        raise SpecError(later("expected {shape}", shape=shape)) from None
    if query or parts.path not in ("", "/") or parts.fragment:
        raise SpecError(later("expected {shape} and nothing after it", shape=shape))
    return Upstream(
        host=host,
        port=chosen,
        address=address,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )

"""``override:host=NAME-OR-IP[&port=N]``: dial another address in place of the target's; the rest stays the same.

It is for a site that can be reached at an address which is not its own: any host of the same content network, or a
relay that looks at the name in the handshake. It beats a block of the address, or of the name in DNS, and no block
of the name in the handshake.
"""

from dataclasses import dataclass

import msgspec

from rozaneh.core import Element, Spec, SpecError, Target
from rozaneh.links.url import name_of, query
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.trust import Trust
from rozaneh.words import later


@dataclass(frozen=True)
class Override:
    """Dials elsewhere.

    Attributes:
        host: what to dial in place of the target's host; empty for the same.
        port: what to dial in place of its port; 0 for the same.
        inner: the way below.
        spec: the whole way.
    """

    host: str
    port: int
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the other place by the way below."""
        addresses = () if self.host else target.addresses
        place = msgspec.structs.replace(
            target, host=self.host or target.host, port=self.port or target.port, addresses=addresses
        )
        return await self.inner.dial(place, trace)


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    settings = dict(query(element.argument))
    host, port = name_of(settings.get("host", ""), "host"), settings.get("port", "")
    if set(settings) - {"host", "port"} or not (host or port):
        raise SpecError(later("expected host=NAME-OR-IP, port=N or both, joined by &"))
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise SpecError(later("expected a port from 1 to 65535, found {port!r}", port=port[:20]))
    return Override(host, int(port or 0), inner, Spec((element,)).through(inner.spec))

"""``trojan://password@host[:port][?sni=...&type=ws&path=...]``: let a trojan server dial, inside TLS to its own name.

To whoever looks it is TLS to a web site, and whoever asks without the password gets that site. Without
``fp`` the handshake is Python's own, which a filter of TLS fingerprints can tell from a browser's. The server's
certificate is verified, always.
"""

from dataclasses import dataclass

from rozaneh.codecs.trojan import request
from rozaneh.core import Element, Op, Spec, SpecError, Target
from rozaneh.dialers.opening import OpeningStream
from rozaneh.dialers.secured import secured
from rozaneh.links.trojan import Trojan as Link
from rozaneh.links.trojan import parse
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import ClosedOnFailure
from rozaneh.net.trust import Trust
from rozaneh.words import later


@dataclass(frozen=True)
class Trojan:
    """Dials through a trojan server that the way below reaches."""

    link: Link
    trust: Trust
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the server, as one step PROXY; the password and the target leave with the first data."""
        link, server = self.link, Target(host=self.link.host, port=self.link.port)
        async with trace.step(Op.PROXY, peer=server.authority) as step:
            stream = await self.inner.dial(server, step.under)
            async with ClosedOnFailure(stream):
                stream = await secured(stream, link, self.trust, step, server)
        return OpeningStream(stream, request(link.password, target.host, target.port))


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    link = parse(str(element).replace("%7C", "|"))
    if link.spec is None:
        raise SpecError(
            later("{setting} is not spoken here, only tcp and ws inside TLS", setting=f"type={link.transport}")
        )
    return Trojan(link, trust, inner, Spec((element,)).through(inner.spec))

"""``vless://UUID@host:port?security=tls[&type=ws&path=...&host=...]``: let a VLESS server dial, inside TLS.

VLESS adds a user's number and an address and no cipher of its own: all that hides it is the TLS around it, so it is
never spoken without. Over a WebSocket it passes content networks. REALITY and flows are for a program of its own
(``exec:``).
"""

from dataclasses import dataclass

from rozaneh.codecs.vless import Answer, request
from rozaneh.core import Element, Op, Spec, SpecError, Target
from rozaneh.dialers.opening import OpeningStream
from rozaneh.dialers.secured import secured
from rozaneh.links.vless import Vless as Link
from rozaneh.links.vless import parse
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import ClosedOnFailure
from rozaneh.net.trust import Trust
from rozaneh.words import later


@dataclass(frozen=True)
class Vless:
    """Dials through a VLESS server that the way below reaches."""

    link: Link
    trust: Trust
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the server, as one step PROXY; the user and the target leave with the first data."""
        link, server = self.link, Target(host=self.link.host, port=self.link.port)
        async with trace.step(Op.PROXY, peer=server.authority) as step:
            stream = await self.inner.dial(server, step.under)
            async with ClosedOnFailure(stream):
                stream = await secured(stream, link, self.trust, step, server)
        return OpeningStream(stream, request(link.user, target.host, target.port), Answer().receive)


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    link = parse(str(element).replace("%7C", "|"))
    if link.spec is None:
        raise SpecError(
            later("only type=tcp or ws with security=tls and no flow is spoken here; else add a program with exec:")
        )
    return Vless(link, trust, inner, Spec((element,)).through(inner.spec))

"""``https://[user:password@]host[:port][?address=IP]``: let an HTTP proxy dial (CONNECT), inside TLS to the proxy.

To a censor it looks like any web site at that name, as far as the client's handshake does. It is only as reachable
as the proxy's address and name are. The proxy's certificate is verified.
"""

from dataclasses import dataclass

from rozaneh.core import Element, Op, Spec, Target
from rozaneh.dialers.http import connect_through
from rozaneh.dialers.upstream import Upstream, parse_upstream
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import ClosedOnFailure
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust

_PORT = 443


@dataclass(frozen=True)
class HttpsConnect:
    """Dials through an HTTP proxy behind TLS that the way below reaches."""

    upstream: Upstream
    trust: Trust
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the proxy and have it dial the target, as one step PROXY; its children are CONNECT and TLS."""
        peer = self.upstream.target.authority
        async with trace.step(Op.PROXY, peer=peer) as step:
            stream = await self.inner.dial(self.upstream.target, step.under)
            async with ClosedOnFailure(stream):
                secured = await start_tls(
                    stream, step.under, self.trust, self.upstream.host, peer=peer, alpn=("http/1.1",)
                )
                return await connect_through(secured, self.upstream, target, step)


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    return HttpsConnect(parse_upstream(element, port=_PORT), trust, inner, Spec((element,)).through(inner.spec))

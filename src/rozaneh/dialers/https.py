"""``https://[user:password@]host[:port][?address=IP]``: let an HTTP proxy dial (CONNECT), inside TLS to the proxy.

To a censor it looks like any web site at that name, as far as the client's handshake does. It is only as reachable as
the proxy's address and name are. The proxy's certificate is verified.
"""

from dataclasses import dataclass

import anyio

from rozaneh.codecs.http_connect import ConnectClient, Refused
from rozaneh.core import DialFailed, Element, Failure, Op, Spec, Target
from rozaneh.dialers.upstream import Upstream, parse_upstream
from rozaneh.net import ByteStream, Dialer, Network, Step, Trace
from rozaneh.net.streams import Prefixed
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
            try:
                secured = await start_tls(
                    stream, step.under, self.trust, self.upstream.host, peer=peer, alpn=("http/1.1",)
                )
                return await self._negotiate(secured, target, step)
            except BaseException:
                await anyio.aclose_forcefully(stream)
                raise

    async def _negotiate(self, stream: ByteStream, target: Target, step: Step) -> ByteStream:
        client = ConnectClient(target.authority, self.upstream.username, self.upstream.password)
        await stream.send(client.request)
        step.sent += len(client.request)
        answer = None
        while answer is None:
            data = await stream.receive()
            step.received += len(data)
            answer = client.receive(data)
        if isinstance(answer, Refused):
            step.tag(status=answer.status)
            raise DialFailed(Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the proxy answers with status {answer.status}")
        return Prefixed(client.leftover, stream) if client.leftover else stream


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    return HttpsConnect(parse_upstream(element, port=_PORT), trust, inner, Spec((element,)).through(inner.spec))

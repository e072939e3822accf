"""``socks5://[user:password@]host:port[?address=IP]``: let a SOCKS5 proxy dial; it resolves the name at its end.

It reaches whatever the proxy reaches; addresses that are already known for the target are not used. The stream is in
the clear: a censor between reads the SOCKS request and all that follows, so this is for a proxy on this side of the
censor, or inside another way.
"""

from dataclasses import dataclass

from rozaneh.codecs.socks5 import Client, Refused, Send
from rozaneh.core import DialFailed, Element, LocalFault, Op, Spec, SpecError, Target
from rozaneh.dialers.upstream import Upstream, parse_upstream
from rozaneh.net import ByteStream, Dialer, Network, Step, Trace
from rozaneh.net.streams import ClosedOnFailure, Prefixed
from rozaneh.net.trust import Trust
from rozaneh.words import text_of

_PORT = 1080


@dataclass(frozen=True)
class Socks5:
    """Dials through a SOCKS5 proxy that the way below reaches."""

    upstream: Upstream
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the proxy and have it dial the target, as one step PROXY; reaching the proxy is its child."""
        async with trace.step(Op.PROXY, peer=self.upstream.target.authority) as step:
            stream = await self.inner.dial(self.upstream.target, step.under)
            async with ClosedOnFailure(stream):
                return await self._negotiate(stream, target, step)

    async def _negotiate(self, stream: ByteStream, target: Target, step: Step) -> ByteStream:
        client = Client(target.host, target.port, self.upstream.username, self.upstream.password)
        await stream.send(client.hello)
        step.sent += len(client.hello)
        while True:
            data = await stream.receive()
            step.received += len(data)
            for event in client.receive(data):
                if isinstance(event, Refused):
                    raise DialFailed(event.failure, event.reason)
                if not isinstance(event, Send):
                    return Prefixed(client.leftover, stream) if client.leftover else stream
                await stream.send(event.data)
                step.sent += len(event.data)


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    upstream = parse_upstream(element, port=_PORT)
    try:
        Client("example.org", 443, upstream.username, upstream.password)
    except LocalFault as fault:
        raise SpecError(text_of(fault)) from fault
    return Socks5(upstream, inner, Spec((element,)).through(inner.spec))

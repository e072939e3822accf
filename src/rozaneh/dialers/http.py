"""``http://[user:password@]host[:port][?address=IP]``: let an HTTP proxy dial (CONNECT).

It reaches whatever the proxy reaches, and the proxy resolves the name. Everything is in the clear: a censor between
reads which host is asked for, so this is for a proxy on this side of the censor, or inside another way.
"""

from dataclasses import dataclass

from rozaneh.codecs.http_connect import ConnectClient, Refused
from rozaneh.core import DialFailed, Element, Failure, Op, Spec, Target
from rozaneh.dialers.upstream import Upstream, parse_upstream
from rozaneh.net import ByteStream, Dialer, Network, Step, Trace
from rozaneh.net.streams import ClosedOnFailure, Prefixed
from rozaneh.net.trust import Trust

_PORT = 80


@dataclass(frozen=True)
class HttpConnect:
    """Dials through an HTTP proxy that the way below reaches."""

    upstream: Upstream
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the proxy and have it dial the target, as one step PROXY; reaching the proxy is its child."""
        async with trace.step(Op.PROXY, peer=self.upstream.target.authority) as step:
            stream = await self.inner.dial(self.upstream.target, step.under)
            async with ClosedOnFailure(stream):
                return await connect_through(stream, self.upstream, target, step)


async def connect_through(stream: ByteStream, upstream: Upstream, target: Target, step: Step) -> ByteStream:
    """Ask the proxy at the end of a stream for a connection.

    Raises:
        DialFailed: the proxy refuses.
    """
    client = ConnectClient(target.authority, upstream.username, upstream.password)
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


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    return HttpConnect(parse_upstream(element, port=_PORT), inner, Spec((element,)).through(inner.spec))

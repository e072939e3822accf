"""Ask a resolver by one way, and dial what it answers by another.

A stack such as ``doh:NAME@IP|tlsfrag:sni|tcp`` asks the resolver through the trick below it. A race needs the two
apart: where cut handshakes are dropped, the resolver would seem to be dead, though it is only the trick that is. So the
finder's resolvers bring their own way to themselves, which is mostly the direct one.
"""

from dataclasses import dataclass

from rozaneh.core import Spec, Target
from rozaneh.dialers import build
from rozaneh.dialers.resolver import StreamResolving
from rozaneh.finder.resolvers import Resolvers
from rozaneh.finder.ways import Way
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.trust import Trust

__all__ = ["dialer"]


@dataclass(frozen=True, slots=True)
class _Asking:
    """Resolves by the resolver's own way, then dials by the path."""

    resolvers: Resolvers
    resolver: StreamResolving
    path: Dialer
    way: Way

    @property
    def spec(self) -> Spec:
        """The whole way, resolver first."""
        return self.way.spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Resolve, then dial."""
        found = await self.resolvers.addresses(self.resolver, self.way.resolver, target.host, trace)
        return await self.path.dial(self.way.at(target, found), trace)


def dialer(way: Way, network: Network, trust: Trust, resolvers: Resolvers) -> Dialer:
    """Make the dialer for a way.

    Args:
        way: the way.
        network: where sockets come from.
        trust: whom TLS believes.
        resolvers: asks for the addresses, where the way has a resolver.

    Raises:
        SpecError: it names an element that does not exist, or a wrong argument.
    """
    path = build(way.path, network, trust=trust)
    if not way.asks:
        return path
    return _Asking(resolvers, resolvers.resolver(way.resolver), path, way)

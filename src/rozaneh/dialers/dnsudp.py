"""``dnsudp:IP[:port]``: ask a resolver of one's own choice in datagrams, then dial what it answers by the way below.

It beats a provider whose own resolver lies, and nothing else: whoever can see the question can forge the answer. Its
use is to measure; with ``listen_late`` among the deadlines the true answer behind a forged one is recorded too.
"""

from dataclasses import dataclass

from rozaneh.core import Element, Op, Spec, Target
from rozaneh.dialers.resolver import Resolver, parse_resolver
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.resolve import DNS_PORT, ask_udp
from rozaneh.net.trust import Trust


@dataclass(frozen=True)
class DnsUdp:
    """Resolves in datagrams of the network, beside the way below."""

    resolver: Resolver
    network: Network
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Resolve unless the addresses are known, then dial."""
        if target.addresses or target.is_literal:
            return await self.inner.dial(target, trace)
        place = self.resolver.target.authority
        async with trace.step(
            Op.RESOLVE, peer=place, engine="udp", resolver=str(self.resolver), query=target.host
        ) as step:
            servers = [(self.resolver.address, self.resolver.port)]
            late = trace.deadlines.listen_late
            addresses = await ask_udp(self.network, servers, target.host, step, listen_late=late)
        return await self.inner.dial(target.at(*addresses), trace)


def build(element: Element, inner: Dialer, network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    resolver = parse_resolver(element.argument, port=DNS_PORT, named=False)
    return DnsUdp(resolver, network, inner, Spec((element,)).through(inner.spec))

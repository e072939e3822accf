"""``dnstcp:IP[:port]``: ask a resolver over TCP (RFC 7766), through the way below, then dial what it answers.

It beats a censor that forges answers to datagrams alone, and not one that reads questions in TCP too.
"""

from rozaneh.core import Element, Spec
from rozaneh.dialers.resolver import Conversation, OneByOne, StreamResolving, parse_resolver
from rozaneh.net import ByteStream, Dialer, Network, Step
from rozaneh.net.resolve import DNS_PORT
from rozaneh.net.trust import Trust


async def _begin(stream: ByteStream, _step: Step) -> Conversation:
    return OneByOne(stream)


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    resolver = parse_resolver(element.argument, port=DNS_PORT, named=False)
    return StreamResolving("tcp", resolver, _begin, inner, Spec((element,)).through(inner.spec))

"""``dot:NAME@IP[:port]``: ask a resolver over TLS (RFC 7858), through the way below, then dial what it answers.

Nobody on the path can read the question or forge the answer. A censor can drop port 853, the resolver's address, or
its name in the handshake.
"""

from functools import partial

from rozaneh.core import Element, Spec
from rozaneh.dialers.resolver import Conversation, OneByOne, Resolver, StreamResolving, parse_resolver
from rozaneh.net import ByteStream, Dialer, Network, Step
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust

_PORT = 853


async def _begin(stream: ByteStream, step: Step, *, resolver: Resolver, trust: Trust) -> Conversation:
    return OneByOne(await start_tls(stream, step.under, trust, resolver.name, peer=resolver.target.authority))


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    resolver = parse_resolver(element.argument, port=_PORT, named=True)
    begin = partial(_begin, resolver=resolver, trust=trust)
    return StreamResolving("dot", resolver, begin, inner, Spec((element,)).through(inner.spec))

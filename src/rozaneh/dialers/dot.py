"""``dot:NAME@IP[:port]``: ask a resolver over TLS (RFC 7858), through the way below, then dial what it answers.

Nobody on the path can read the question or forge the answer. A censor can drop port 853, the resolver's address, or
its name in the handshake.
"""

from functools import partial

from rozaneh.codecs.dns import Lookup
from rozaneh.core import Element, Spec
from rozaneh.dialers.resolver import Resolver, StreamResolving, parse_resolver
from rozaneh.net import ByteStream, Dialer, Network, Step
from rozaneh.net.resolve import ask_stream
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust

_PORT = 853


async def _ask(stream: ByteStream, lookup: Lookup, step: Step, *, resolver: Resolver, trust: Trust) -> None:
    secured = await start_tls(stream, step.under, trust, resolver.name, peer=resolver.target.authority)
    await ask_stream(secured, lookup, step)


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    resolver = parse_resolver(element.argument, port=_PORT, named=True)
    ask = partial(_ask, resolver=resolver, trust=trust)
    return StreamResolving("dot", resolver, ask, inner, Spec((element,)).through(inner.spec))

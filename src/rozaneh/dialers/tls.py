"""``tls:sni=NAME[&certname=NAME]``: speak TLS on the way below, with a name of one's own choice to be seen.

``sni`` is the name that everybody on the path reads; empty sends none. ``certname`` is the name that the certificate
must have, the target's by default. With two names it is fronting: it helps where a host serves several names and
looks at the one inside alone, and where the name outside is not blocked. Most large networks have ended that since
2018.
"""

from dataclasses import dataclass

from rozaneh.core import Element, Op, Spec, SpecError, Target
from rozaneh.links.url import alpn_of, name_of, query
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import ClosedOnFailure
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust
from rozaneh.words import later


@dataclass(frozen=True)
class Tls:
    """Wraps the way below in TLS.

    Attributes:
        sni: the name to show; none for the target's.
        certname: the name to find in the certificate; empty for the target's.
        alpn: protocols to offer.
        trust: whom to believe.
        inner: the way below.
        spec: the whole way.
    """

    sni: str | None
    certname: str
    alpn: tuple[str, ...]
    trust: Trust
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below, and shake hands."""
        async with trace.step(Op.PROXY, peer=target.authority) as step:
            stream = await self.inner.dial(target, step.under)
            async with ClosedOnFailure(stream):
                return await start_tls(
                    stream,
                    step.under,
                    self.trust,
                    self.certname or target.host,
                    peer=target.authority,
                    alpn=self.alpn,
                    sni=self.sni,
                )


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    settings = dict(query(element.argument))
    if set(settings) - {"sni", "certname", "alpn"}:
        raise SpecError(later("expected sni=NAME, certname=NAME or alpn=LIST, joined by &"))
    return Tls(
        name_of(settings["sni"], "sni") if "sni" in settings else None,
        name_of(settings.get("certname", ""), "certname"),
        alpn_of(settings.get("alpn", "")),
        trust,
        inner,
        Spec((element,)).through(inner.spec),
    )

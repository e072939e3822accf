"""``browser:PROFILE[&ech=BASE64]``: speak TLS on the way below with the handshake of a browser.

It gets past filters that know the handshakes of programs: Iran dropped that of Go, and Chrome's to some addresses,
in 2022. ``PROFILE`` is ``chrome``, ``firefox``, ``safari`` and so on, or an exact name such as ``chrome136``. With
``ech`` the name is hidden by Encrypted Client Hello, where the server has published a key for that; Russia has
blocked that to Cloudflare since November 2024, so its presence is a signal of its own.
"""

import base64
import re
from dataclasses import dataclass

from rozaneh.core import Element, Op, Spec, SpecError, Target
from rozaneh.links.url import query
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.browser import start_browser_tls
from rozaneh.net.streams import ClosedOnFailure
from rozaneh.net.trust import Trust
from rozaneh.words import later

_PROFILE = re.compile(r"[a-z][a-z0-9_]{1,30}\Z")


@dataclass(frozen=True)
class Browser:
    """Wraps the way below in a browser's TLS."""

    profile: str
    ech: str
    trust: Trust
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial by the way below, and shake hands."""
        async with trace.step(Op.PROXY, peer=target.authority) as step:
            stream = await self.inner.dial(target, step.under)
            async with ClosedOnFailure(stream):
                return await start_browser_tls(
                    stream, step.under, self.trust, target.host, self.profile, peer=target.authority, ech=self.ech
                )


def build(element: Element, inner: Dialer, _network: Network, trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    profile, _, rest = element.argument.partition("&")
    settings = dict(query(rest))
    ech = settings.pop("ech", "")
    try:
        base64.b64decode(ech, validate=True)
    except ValueError:
        raise SpecError(later("expected an ECHConfigList in base64 after ech=")) from None
    if settings or not _PROFILE.match(profile):
        raise SpecError(later("expected a browser such as chrome or firefox135, and perhaps &ech=BASE64"))
    return Browser(profile, ech, trust, inner, Spec((element,)).through(inner.spec))

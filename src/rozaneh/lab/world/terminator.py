"""A box of the state that ends TLS for any name and passes the content on.

Kazakhstan had one in 2019 (net4people/bbs#66). The censor's rule leads a flow here; the certificate is of an
authority that no client of the lab trusts.
"""

import ssl
from collections.abc import Awaitable, Callable

from rozaneh.core import RemoteFault
from rozaneh.lab.world.certificates import Authority
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.doors import Caller, relay

_HTTPS = 443


def terminator(
    host: str, state: Authority, newest: ssl.TLSVersion, dialler: Dialler, trust: ssl.SSLContext
) -> Callable[[Caller], Awaitable[None]]:
    """A door that shows a certificate of the state for whatever name is asked for.

    Args:
        host: where the box stands and dials from.
        state: the authority of its certificates.
        newest: the highest version of TLS that it speaks.
        dialler: how it reaches the true site.
        trust: with which it checks that site.
    """

    async def serve(caller: Caller) -> None:
        asked: list[str] = []

        def choose(link: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            try:
                link.context = state.context((name or "unknown.invalid",))
            except RemoteFault:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            asked.append(name or "")
            return None

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        context.maximum_version = newest
        context.set_alpn_protocols(["http/1.1"])
        stream = await caller.stream(context)
        addresses = dialler.resolve(asked[0]) if asked else []
        if addresses:
            await relay(stream, await dialler.open_tls(host, addresses[0], _HTTPS, trust, asked[0]))

    return serve

"""What trojan and VLESS have in common: TLS to the server, a browser's where the link asks, and a WebSocket."""

from rozaneh.core import Target
from rozaneh.dialers.ws import upgrade
from rozaneh.links.trojan import Trojan
from rozaneh.links.url import FINGERPRINTS
from rozaneh.links.vless import Vless
from rozaneh.net import ByteStream, Step
from rozaneh.net.browser import start_browser_tls
from rozaneh.net.streams import ClosedOnFailure
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust


async def secured(stream: ByteStream, link: Trojan | Vless, trust: Trust, step: Step, server: Target) -> ByteStream:
    """Do what a link says before its protocol begins.

    Raises:
        DialFailed: a handshake failed, or the server refuses.
    """
    name = link.sni or link.ws_host or link.host
    if link.fingerprint in FINGERPRINTS:
        stream = await start_browser_tls(stream, step.under, trust, name, link.fingerprint, peer=server.authority)
    else:
        alpn = link.alpn or ("http/1.1",)
        stream = await start_tls(stream, step.under, trust, name, peer=server.authority, alpn=alpn)
    if link.transport != "ws":
        return stream
    async with ClosedOnFailure(stream):
        return await upgrade(stream, link.ws_host or name, link.path or "/", step)

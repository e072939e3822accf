"""HTTP, HTTPS and what is asked inside them: pages, DNS over HTTPS, the control vantage."""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import msgspec

from rozaneh.core import RemoteFault
from rozaneh.lab.topology import Service
from rozaneh.lab.world.certificates import Authority
from rozaneh.lab.world.collector import Collector
from rozaneh.lab.world.directory import Directory, option_text
from rozaneh.lab.world.dns import answer, parse_question
from rozaneh.lab.world.doors import HANDSHAKE_SECONDS, IDLE_SECONDS, Caller, Stream
from rozaneh.lab.world.http import LONGEST_HEAD, Request, Response, parse_head
from rozaneh.lab.world.sites import block_page, page

_CHUNK = b"x" * 65_536
_ADDRESSES_IN_A_CERTIFICATE = 4

Asked = Callable[[Request, str], Awaitable[Response]]


class Web:
    """The web of the lab: one responder for all sites, behind the doors of all addresses.

    Args:
        directory: who is called what and what stands where.
        authority: the one that clients of the lab trust.
        helper: answers what is asked of the control vantage.
    """

    def __init__(self, directory: Directory, authority: Authority, helper: Asked) -> None:
        self._directory = directory
        self._authority = authority
        self._others: dict[str, Authority] = {}
        self._helper = helper
        self._collector = Collector()
        self._fronts: dict[str, ssl.SSLContext] = {}

    async def respond(self, address: str, request: Request, peer: str, *, secure: bool) -> Response:
        """The answer of whatever is called ``request.host`` at an address."""
        site = self._directory.site(address, request.host)
        if site is None:
            return Response(status=404, body=b"nothing is here\n")
        if site.kind == "block-page":
            return block_page()
        if site.kind == "resolver" and urlsplit(request.path).path == "/dns-query":
            return self._over_https(request)
        if site.kind == "collector":
            return self._collector.answer(request)
        if site.kind == "helper" and request.method == "POST":
            return await self._helper(request, peer)
        return page(site, request, peer=peer, secure=secure, in_country=self._directory.in_country(peer))

    def plain(self, address: str) -> Callable[[Caller], Awaitable[None]]:
        """A door for HTTP."""

        async def serve(caller: Caller) -> None:
            if self._refusal(address, caller.peer) in ("reset", "alert"):
                await caller.reset_when_spoken_to()
                return
            await self.converse(await caller.stream(), address, caller.peer, secure=False)

        return serve

    def secure(self, address: str) -> Callable[[Caller], Awaitable[None]]:
        """A door for HTTPS."""

        async def serve(caller: Caller) -> None:
            refusal = self._refusal(address, caller.peer)
            if refusal == "reset":
                await caller.reset_when_spoken_to()
                return
            if refusal == "alert":
                await _deny(await caller.stream())
                return
            await self.converse(await caller.stream(self.front(address)), address, caller.peer, secure=True)

        return serve

    def front(self, address: str) -> ssl.SSLContext:
        """The TLS context of an address: it shows the certificate of the name that the client asked for."""
        made = self._fronts.get(address)
        if made is None:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

            def choose(link: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
                link.context = self._named(address, name or "")
                return None

            made.sni_callback = choose
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            # The version is settled before the name is looked at, so it belongs to the address.
            made.maximum_version = newest_tls(self._directory.site(address, ""))
            made.set_alpn_protocols(["http/1.1"])
            self._fronts[address] = made
        return made

    def warm(self, addresses: list[str]) -> None:
        """Make the certificates that the first visitors of some addresses will want."""
        for address in addresses:
            self.front(address)
            for name in self._directory.names_at(address)[:2]:
                self._named(address, name)

    async def converse(self, stream: Stream, address: str, peer: str, *, secure: bool) -> None:
        """Answer requests on a connection until it ends."""
        keep = True
        while keep:
            async with asyncio.timeout(IDLE_SECONDS):
                request = await read_request(stream)
            if request is None:
                return
            response = await self.respond(address, request, peer, secure=secure)
            keep = request.keep and not response.close
            await send_response(stream, request, response, keep=keep)

    def _refusal(self, address: str, peer: str) -> str:
        site = self._directory.site(address, "")
        refuse = option_text(site, "refuse") if site is not None else ""
        return refuse if refuse and self._directory.in_country(peer) else ""

    def _named(self, address: str, name: str) -> ssl.SSLContext:
        site = self._directory.site(address, name)
        names = self._directory.names_at(address)
        known = self._directory.knows(address, name)
        if site is not None and option_text(site, "refuse"):
            # Such a front ends TLS for all its customers, and refuses in the name of each.
            known = known or self._directory.addresses(name) is not None
        shown = name.lower() if known else next(iter(names), address)
        if shown.startswith("*."):
            shown = "www" + shown[1:]
        identities: tuple[str, ...] = (shown, address)
        authority = self._authority
        if site is not None:
            if issuer := option_text(site, "issuer"):
                authority = self._others.setdefault(issuer, Authority(issuer))
            if other := option_text(site, "certificate"):
                identities = (other,)
            elif site.kind == "resolver":
                identities = (shown, *site.addresses[:_ADDRESSES_IN_A_CERTIFICATE])
        return authority.context(identities)

    def _over_https(self, request: Request) -> Response:
        """DNS over HTTPS, GET and POST (RFC 8484)."""
        try:
            if request.method == "POST":
                if request.headers.get("content-type", "") != "application/dns-message":
                    return Response(status=400, body=b"not application/dns-message\n")
                message = request.body
            else:
                text = parse_qs(urlsplit(request.path).query).get("dns", [""])[0]
                message = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            body = answer(parse_question(message), self._directory, udp=False)
        except (RemoteFault, binascii.Error, ValueError):
            return Response(status=400, body=b"not a DNS message\n")
        return Response(body=body, content="application/dns-message", headers=(("Cache-Control", "max-age=300"),))


def newest_tls(site: Service | None) -> ssl.TLSVersion:
    """The highest version of TLS that a service speaks."""
    older = site is not None and option_text(site, "tls_version") == "1.2"
    return ssl.TLSVersion.TLSv1_2 if older else ssl.TLSVersion.TLSv1_3


async def read_request(stream: Stream) -> Request | None:
    """The next request on a connection, or none when it ended in good order.

    Raises:
        RemoteFault: what came is no request.
    """
    try:
        head = await stream.until(b"\r\n\r\n", LONGEST_HEAD)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    request = parse_head(head)
    if not request.length:
        return request
    if request.headers.get("expect", "").lower() == "100-continue":
        await stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return msgspec.structs.replace(request, body=await stream.exactly(request.length))


async def send_response(stream: Stream, request: Request, response: Response, *, keep: bool) -> None:
    """Send a response at its pace."""
    if response.wait:
        await asyncio.sleep(response.wait)
    head = response.head(keep=keep)
    if request.method == "HEAD" or response.status == 204:
        await stream.send(head)
    elif response.rate:
        await _send_slowly(stream, head, response)
    elif response.filler:
        for start in range(0, response.filler, len(_CHUNK)):
            async with asyncio.timeout(IDLE_SECONDS):
                await stream.send(head + _CHUNK[: response.filler - start])
            head = b""
    else:
        await stream.send(head + response.body)


async def _send_slowly(stream: Stream, head: bytes, response: Response) -> None:
    body = response.body or _CHUNK
    await stream.send(head)
    step = max(1, min(int(response.rate / 20), len(body)))
    for start in range(0, response.length, step):
        end = min(start + step, response.length)
        await stream.send(body[start:end] if response.body else body[: end - start])
        await asyncio.sleep((end - start) / response.rate)


async def _deny(stream: Stream) -> None:
    """Answer a ClientHello with the alert ``access_denied``, by hand: asyncio drops the alert of a failed handshake."""
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        head = await stream.exactly(5)
        await stream.exactly(min(int.from_bytes(head[3:], "big"), LONGEST_HEAD))
    await stream.send(b"\x15\x03\x03\0\x02\x02" + bytes((ssl.ALERT_DESCRIPTION_ACCESS_DENIED,)))

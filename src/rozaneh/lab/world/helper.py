"""The control vantage: dials what it is asked to, from outside the country, and tells what it saw.

Modelled on OONI's test helper (ooni/spec, ``backends/bk-003-web-connectivity.md``; field names of ``model/th.go``). It
reaches addresses of the lab alone, a bounded number of them, within a deadline.
"""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from rozaneh.core import RemoteFault
from rozaneh.lab.world.certificates import Authority
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.doors import Stream, opened
from rozaneh.lab.world.http import Request, Response
from rozaneh.lab.world.relays import parse_authority

_HOST = "control"
_MOST_ENDPOINTS = 8
_MOST_REDIRECTS = 5
_LARGEST_BODY = 1 << 19
_SECONDS = 4.0
_TOTAL_SECONDS = 12.0
_MOST_AT_ONCE = 64
_TITLE = re.compile(rb"<title[^>]{0,80}>([^<]{0,300})", re.IGNORECASE)

_T = TypeVar("_T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe sends. Unknown fields are passed over, as the original does."""

    http_request: str = ""
    http_request_headers: dict[str, list[str]] = {}
    tcp_connect: list[str] = []
    x_quic_enabled: bool = False


class Tcp(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP connect."""

    status: bool
    failure: str | None


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """A TLS handshake."""

    server_name: str
    status: bool
    failure: str | None


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """A page, after its redirects."""

    body_length: int = -1
    discovered_h3_endpoint: str = ""
    failure: str | None = None
    title: str = ""
    headers: dict[str, str] = {}
    status_code: int = -1


class Dns(msgspec.Struct, frozen=True, kw_only=True):
    """What the name resolves to here."""

    failure: str | None
    addrs: list[str]


class IpInfo(msgspec.Struct, frozen=True, kw_only=True):
    """About one address. Flags: 1 the probe resolved it, 2 the helper did, 8 its certificate is valid for the name."""

    asn: int
    flags: int


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Where the asker stands: its network and country, without its address."""

    asn: int
    cc: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the helper answers. ``x_client`` is no key of OONI's; helpers of ours say it."""

    tcp_connect: dict[str, Tcp]
    tls_handshake: dict[str, Tls]
    quic_handshake: dict[str, Tls]
    http_request: Http
    dns: Dns
    ip_info: dict[str, IpInfo]
    x_client: Client


class Helper:
    """Answers probes."""

    def __init__(self, directory: Directory, dialler: Dialler, authority: Authority) -> None:
        self._directory = directory
        self._dialler = dialler
        self._trust = authority.client_context()
        self._busy = asyncio.Semaphore(_MOST_AT_ONCE)

    async def answer(self, request: Request, peer: str) -> Response:
        """The HTTP answer to a probe's request."""
        try:
            asked = msgspec.json.decode(request.body, type=Asked)
            parts = urlsplit(asked.http_request)
            good = not asked.http_request or (parts.scheme in ("http", "https") and bool(parts.hostname))
            wanted = [parse_authority(text) for text in asked.tcp_connect[:_MOST_ENDPOINTS]]
        except (msgspec.DecodeError, RemoteFault, ValueError) as error:
            return _json(400, msgspec.json.encode({"error": str(error)}))
        if not good:
            return _json(400, b'{"error":"http_request is no URL"}')
        if self._busy.locked():
            return _json(429, b'{"error":"busy"}')
        async with self._busy:
            told = await self._measure(asked, [(place.host, place.port) for place in wanted], peer)
        return _json(200, msgspec.json.encode(told))

    async def _measure(self, asked: Asked, wanted: list[tuple[str, int]], peer: str) -> Told:
        parts = urlsplit(asked.http_request)
        name = parts.hostname or ""
        port = parts.port or (80 if parts.scheme == "http" else 443)
        addresses = self._dialler.resolve(name) if name else []
        places = list(dict.fromkeys([*wanted, *((address, port) for address in addresses)]))[:_MOST_ENDPOINTS]
        secure = parts.scheme == "https"
        seen, page = await asyncio.gather(
            asyncio.gather(*(self._endpoint(place, name if secure else "") for place in places)),
            self._page(asked),
        )
        ended = dict(zip(places, seen, strict=True))
        return Told(
            tcp_connect={_text(place): tcp for place, (tcp, _) in ended.items()},
            tls_handshake={_text(place): tls for place, (_, tls) in ended.items() if tls is not None},
            quic_handshake={},
            http_request=page,
            dns=Dns(failure=None if addresses or not name else "dns_nxdomain_error", addrs=addresses),
            ip_info={
                place[0]: IpInfo(
                    asn=self._directory.asn(place[0]),
                    flags=(1 if place in wanted else 0)
                    | (2 if place[0] in addresses else 0)
                    | (8 if tls is not None and tls.status else 0),
                )
                for place, (_, tls) in ended.items()
            },
            x_client=Client(asn=self._directory.asn(peer), cc="IR" if self._directory.in_country(peer) else "ZZ"),
        )

    async def _endpoint(self, place: tuple[str, int], name: str) -> tuple[Tcp, Tls | None]:
        if not self._allowed(place[0]):
            return Tcp(status=False, failure="host_unreachable"), None
        raw, failure = await _tried(self._dialler.connect(_HOST, *place, seconds=_SECONDS))
        tcp = Tcp(status=raw is not None, failure=failure)
        if raw is None or not name:
            if raw is not None:
                raw.close()
            return tcp, None
        stream, failure = await _tried(opened(raw, self._trust, name))
        if stream is not None:
            stream.close()
        return tcp, Tls(server_name=name, status=stream is not None, failure=failure)

    def _allowed(self, address: str) -> bool:
        """Addresses of the lab abroad: the helper is no way to look around inside the country."""
        return self._directory.has(address) and not self._directory.in_country(address)

    async def _page(self, asked: Asked) -> Http:
        url = asked.http_request
        if not url:
            return Http(failure="unknown_failure")
        found, failure = await _tried(self._follow(url), _TOTAL_SECONDS)
        return found if found is not None else Http(failure=failure)

    async def _follow(self, url: str) -> Http:
        for _ in range(_MOST_REDIRECTS):
            status, headers, body = await self._fetch(url)
            location = headers.get("location", "")
            if not 300 <= status < 400 or not location:
                break
            url = urljoin(url, location)
        title = _TITLE.search(body)
        return Http(
            body_length=len(body),
            title=title[1].decode("utf-8", "replace").strip() if title else "",
            headers=headers,
            status_code=status,
        )

    async def _fetch(self, url: str) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        name = parts.hostname or ""
        addresses = [address for address in self._dialler.resolve(name) if self._allowed(address)]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name in the lab")
        secure = parts.scheme == "https"
        raw = await self._dialler.connect(_HOST, addresses[0], parts.port or (443 if secure else 80), _SECONDS)
        stream = await opened(raw, self._trust if secure else None, name)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            await stream.send(
                f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n"
                "Connection: close\r\n\r\n".encode("latin-1", "replace")
            )
            return await _read_page(stream)
        finally:
            stream.close()


async def _read_page(stream: Stream) -> tuple[int, dict[str, str], bytes]:
    head = (await stream.until(b"\r\n\r\n", 16_384)).decode("latin-1")
    line, *rest = head[:-4].split("\r\n")
    status = line.split(" ")[1:2]
    if not status or not status[0].isdigit():
        raise RemoteFault("not an HTTP response")
    headers = {name.strip().lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
    body = b""
    while len(body) < _LARGEST_BODY and (data := await stream.some()):
        body += data
    return int(status[0]), headers, body


async def _tried(work: Awaitable[_T], seconds: float = _SECONDS) -> tuple[_T | None, str | None]:
    """The result, or the failure in OONI's words."""
    try:
        async with asyncio.timeout(seconds):
            return await work, None
    except (OSError, EOFError, RemoteFault) as error:
        return None, _failure(error)


_BY_ERRNO = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_reset",
    errno.EHOSTUNREACH: "host_unreachable",
    errno.ENETUNREACH: "network_unreachable",
}


def _failure(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            hostname = error.verify_code in (62, 64)
            return "ssl_invalid_hostname" if hostname else "ssl_unknown_authority"
        case ssl.SSLError():
            return "ssl_failed_handshake"
        case socket.gaierror():
            return "dns_nxdomain_error"
        case TimeoutError():
            return "generic_timeout_error"
        case EOFError():
            return "eof_error"
        case OSError():
            return _BY_ERRNO.get(error.errno or 0, "unknown_failure")
        case _:
            return "http_request_failed"


def _text(place: tuple[str, int]) -> str:
    address, port = place
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _json(status: int, body: bytes) -> Response:
    return Response(status=status, body=body, content="application/json")

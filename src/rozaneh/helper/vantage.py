"""Answering one question: look the name up, try the endpoints, fetch the page; everything side by side and bounded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

import anyio
import msgspec

from rozaneh.codecs.networks import Networks
from rozaneh.codecs.test_helper import (
    IS_BOGON,
    MOST_ENDPOINTS,
    RESOLVED_BY_HELPER,
    RESOLVED_BY_PROBE,
    VALID_BY_TLS,
    Answer,
    Client,
    IpInfo,
    Names,
    Page,
    Question,
    Tcp,
    Tls,
)
from rozaneh.core import Attempt, DialFailed, Failure, Op, RemoteFault, Target, TargetError
from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip
from rozaneh.dialers import build
from rozaneh.helper.page import fetch, page_of_http3
from rozaneh.net import Deadlines, Network, Trace, measure
from rozaneh.net.exchange import tls_handshake
from rozaneh.net.quic import measure_quic
from rozaneh.net.resolve import resolve_target
from rozaneh.net.trust import Trust

DEADLINES = Deadlines(
    resolve=4.0, connect=5.0, tls_handshake=5.0, quic_handshake=5.0, request=4.0, first_byte=8.0, throughput=8.0
)
"""Seconds for each step of a helper."""

_MOST_ADDRESSES = 4
_OF_NAME = {
    Failure.DNS_NXDOMAIN_ERROR: "dns_name_error"  # OONI's helper says it so, and OONI's rules expect it
}


@dataclass(frozen=True)
class Vantage:
    """Measures for strangers.

    Attributes:
        network: where sockets come from: a :class:`~rozaneh.helper.guard.GuardedNetwork` outside of tests.
        trust: whom to believe about certificates.
        deadlines: seconds for each kind of step.
        networks: whose an address is; none where the operator gave no table: then it is not said.
    """

    network: Network
    trust: Trust
    deadlines: Deadlines = DEADLINES
    networks: Networks | None = None

    def client(self, address: str) -> Client | msgspec.UnsetType:
        """Where a client stands, without its address; nothing where there is no table."""
        if self.networks is None:
            return msgspec.UNSET
        found = self.networks.of(address)
        return Client(asn=found.asn, cc=found.country)

    async def answer(self, question: Question, seconds: float) -> Answer:
        """What is seen from here. What has not ended in time is said to have timed out.

        Args:
            question: as it was read.
            seconds: for everything together.

        Raises:
            RemoteFault: the question names something that is no target.
        """
        url = _target(question.http_request) if question.http_request else None
        asked = [_endpoint(text) for text in question.tcp_connect]
        work = _Work(self, question, url, asked)
        with anyio.move_on_after(seconds):
            await work.run()
        return work.told()


@dataclass
class _Work:
    """One question being answered."""

    vantage: Vantage
    question: Question
    url: Target | None
    asked: list[tuple[str, int]]
    resolved: tuple[str, ...] = ()
    names: Names = field(default_factory=lambda: Names(failure=Failure.GENERIC_TIMEOUT_ERROR.value, addrs=[]))
    page: Page = field(default_factory=lambda: Page(failure=Failure.GENERIC_TIMEOUT_ERROR.value))
    page3: Page | None = None
    places: dict[tuple[str, int], bool] = field(default_factory=dict)
    tcp: dict[tuple[str, int], Tcp] = field(default_factory=dict)
    tls: dict[tuple[str, int], Tls] = field(default_factory=dict)
    quic: dict[tuple[str, int], Tls] = field(default_factory=dict)

    async def run(self) -> None:
        await self._look_up()
        self._plan()
        async with anyio.create_task_group() as group:
            group.start_soon(self._fetch)
            for place, secure in self.places.items():
                group.start_soon(self._try, place, secure)
                if secure and self.question.x_quic_enabled:
                    group.start_soon(self._try_quic, place)

    def told(self) -> Answer:
        """What is known by now."""
        timeout = Failure.GENERIC_TIMEOUT_ERROR.value
        from_probe = {address for address, _ in self.asked}
        valid = {place[0] for place, seen in self.tls.items() if seen.status}
        return Answer(
            tcp_connect={_text(place): self.tcp.get(place, Tcp(failure=timeout)) for place in self.places},
            tls_handshake={_text(place): seen for place, seen in self.tls.items()},
            quic_handshake={_text(place): seen for place, seen in self.quic.items()},
            http_request=self.page,
            http3_request=self.page3,
            dns=self.names,
            ip_info={
                address: IpInfo(
                    asn=self.vantage.networks.of(address).asn if self.vantage.networks is not None else 0,
                    flags=(RESOLVED_BY_PROBE if address in from_probe else 0)
                    | (RESOLVED_BY_HELPER if address in self.resolved else 0)
                    | (IS_BOGON if is_bogon(address) else 0)
                    | (VALID_BY_TLS if address in valid else 0),
                )
                for address, _ in self.places
            },
        )

    async def _look_up(self) -> None:
        if self.url is None:
            self.names = Names(addrs=[])
            return
        try:
            known = await resolve_target(self.vantage.network, self.url, Trace(self.vantage.deadlines))
        except DialFailed as failed:
            self.names = Names(failure=_OF_NAME.get(failed.failure, failed.failure.value), addrs=[])
            return
        self.resolved = known.addresses[:_MOST_ADDRESSES]
        self.names = Names(addrs=list(self.resolved))

    def _plan(self) -> None:
        """The endpoints to try, each with whether TLS is spoken there. Those that the probe found come first."""
        secure, plain = self._ports()
        addresses = (*(address for address, _ in self.asked), *self.resolved)
        wanted = [*self.asked, *((address, port) for address in addresses for port in (*secure, *plain))]
        for place in dict.fromkeys(wanted):
            if len(self.places) < MOST_ENDPOINTS:
                self.places[place] = place[1] in secure

    def _ports(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ports of the URL: with TLS, and without. A URL without a port stands for both forms of the site."""
        if self.url is None:
            return (), ()
        if self.url.port not in (80, 443):
            return ((self.url.port,), ()) if self.url.speaks == "https" else ((), (self.url.port,))
        return (443,), (80,)

    async def _try(self, place: tuple[str, int], secure: bool) -> None:
        host = self.url.host if self.url is not None else ""
        target = Target(host=host or place[0], port=place[1]).at(place[0])
        dialer = build("tcp", self.vantage.network, trust=self.vantage.trust)
        exchange = tls_handshake(target, self.vantage.trust) if secure and host else None
        async with await measure(dialer, target, exchange=exchange, deadlines=self.vantage.deadlines) as measured:
            attempt = measured.attempt
        connected = any(step.failure is None for step in attempt.steps(Op.CONNECT))
        self.tcp[place] = Tcp(status=connected, failure=None if connected else _failure(attempt))
        if connected and exchange is not None:
            self.tls[place] = Tls(server_name=host, status=attempt.ok, failure=_failure(attempt))

    async def _try_quic(self, place: tuple[str, int]) -> None:
        if self.url is None:
            return
        target = self.url.at(place[0])
        attempt = await measure_quic(
            self.vantage.network, target, self.vantage.trust, deadlines=self.vantage.deadlines, most_body=1
        )
        shaken = any(step.failure is None for step in attempt.steps(Op.QUIC))
        self.quic[place] = Tls(server_name=target.host, status=shaken, failure=None if shaken else _failure(attempt))

    async def _fetch(self) -> None:
        if self.url is None:
            self.page = Page(failure=Failure.HTTP_REQUEST_FAILED.value)
            return
        first = self.url.at(*self.resolved) if self.resolved else self.url
        self.page = await fetch(
            first,
            self.vantage.network,
            self.vantage.trust,
            deadlines=self.vantage.deadlines,
            headers=_headers(self.question),
        )
        if self.question.x_quic_enabled and self.page.discovered_h3_endpoint:
            await self._fetch_over_quic(self.page.discovered_h3_endpoint)

    async def _fetch_over_quic(self, place: str) -> None:
        """The page over HTTP/3, where its own host says that it speaks that; a redirect is not followed again."""
        if self.url is None:
            return
        try:
            target = Target.parse(f"https://{place}{self.url.path}")
        except TargetError:
            return
        if target.host != self.url.host:
            return  # another host, after a redirect: what was resolved is not its address
        target = target.at(*self.resolved) if self.resolved else target
        self.page3 = Page(failure=Failure.GENERIC_TIMEOUT_ERROR.value)
        pages: list[Page] = []
        attempt = await measure_quic(
            self.vantage.network,
            target,
            self.vantage.trust,
            deadlines=self.vantage.deadlines,
            answered=lambda response: pages.append(page_of_http3(response)),
        )
        self.page3 = pages[0] if pages and attempt.ok else Page(failure=_failure(attempt))


_FORWARDED = ("accept", "accept-language", "user-agent")


def _headers(question: Question) -> tuple[tuple[str, str], ...]:
    """The headers of a question that are passed on: those that say what the client likes, and no others."""
    return tuple(
        (name, values[0])
        for name, values in question.http_request_headers.items()
        if name.lower() in _FORWARDED and values and values[0].isascii() and values[0].isprintable()
    )


def _target(url: str) -> Target:
    try:
        target = Target.parse(url)
    except TargetError as error:
        raise RemoteFault(str(error)) from error
    if target.speaks not in ("http", "https"):
        raise RemoteFault("http_request is no http or https URL")
    return target


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    address = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    bracketed = host.startswith("[") and host.endswith("]")
    if not is_ip(address) or (":" in address) != bracketed or not (port.isascii() and port.isdigit() and len(port) < 6):
        raise RemoteFault(f"not an endpoint: {text[:60]!r}; expected ip:port")
    number = int(port)
    if not 0 < number < 65_536:
        raise RemoteFault(f"not a port: {port}")
    return str(ip_address(address)), number


def _text(place: tuple[str, int]) -> str:
    address, port = place
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _failure(attempt: Attempt) -> str | None:
    return attempt.failure.value if attempt.failure is not None else None


def hosts_of(url: str, endpoints: Iterable[str]) -> str:
    """What a question is about, as the key of a limit: the host of its URL, else its first endpoint."""
    if url:
        return _target(url).host
    return next((_endpoint(text)[0] for text in endpoints), "")

"""From raw records to flat observations: one for each lookup and address, one for each connection.

An observation of a connection carries everything that one transaction did, from the lookup that named the address to
the answer to the request, and what the test helper saw at the same place. Its ``kind`` is the last thing that was
tried, and its ``failure`` is how that ended. Nothing here judges.

The shape is that of OONI's own analysis (ooni/probe-cli, ``internal/minipipeline``), written anew from its description,
because its classic rules are defined on it.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from urllib.parse import urlsplit

import msgspec

from rozaneh.ooni import values
from rozaneh.ooni.older import modern
from rozaneh.ooni.records import Answer, Handshake, HttpTransaction, Query, TcpConnect
from rozaneh.ooni.webkeys import ControlHttp, HelperAnswer, WebKeys

SYSTEM_ENGINES = frozenset(("getaddrinfo", "golang_net_resolver", "system", "go"))
"""The names, old and new, under which the system's resolver is recorded."""


class Kind(IntEnum):
    """The last thing that was tried, in the order in which things are tried."""

    DNS = 0
    TCP = 1
    TLS = 2
    HTTP = 3


class Page(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is compared of two answers to one request.

    Attributes:
        status: 0 when nothing came.
        length: bytes of the body; may be 0 where it was truncated, because such are not compared.
        truncated: the body was longer than what was kept.
        headers: names as they were written.
        title: of the page; empty without one.
    """

    status: int = 0
    length: int = 0
    truncated: bool = False
    headers: frozenset[str] = frozenset()
    title: str = ""

    @property
    def final(self) -> bool:
        """Whether this ends a chain of redirects."""
        return self.status // 100 in (2, 4, 5)


class Seen(msgspec.Struct, gc=False, kw_only=True):
    """One observation. A failure is the empty text for success and none where the step was not tried.

    Attributes:
        kind: the last step that was tried.
        failure: how it ended.
        transaction: the id that its records share.
        depth: redirects followed before; none where it is not said.
        fetches: whether this connection was to fetch the page.
        name: the name that was looked up; empty where the address came from elsewhere.
        engine: of the lookup.
        query_type: of the lookup.
        lookup: the transaction of the lookup.
        resolved: all addresses of the lookup; none where there was no lookup that worked.
        address: of this connection, or the one of the answers that this observation is about.
        from_helper: only the test helper knew the address.
        endpoint: ``address:port``.
        dns: how the lookup ended.
        tcp: how connecting ended.
        tls: how the handshake ended.
        http: how the request ended.
        url: what was asked for.
        page: what came.
        control_dns: how the helper's lookup of this name ended.
        control_resolved: what the helper's lookup gave.
        control_tcp: how the helper's connection to this endpoint ended.
        control_tls: how the helper's handshake with this endpoint and name ended.
        control_http: how the helper's fetch of the whole URL ended.
        control_page: what the helper got.
    """

    kind: Kind
    failure: str
    transaction: int = 0
    depth: int | None = None
    fetches: bool = False
    name: str = ""
    engine: str = ""
    query_type: str = ""
    lookup: int | None = None
    resolved: frozenset[str] | None = None
    address: str = ""
    from_helper: bool = False
    endpoint: str = ""
    dns: str | None = None
    tcp: str | None = None
    tls: str | None = None
    http: str | None = None
    tls_name: str = ""
    url: str = ""
    page: Page | None = None
    control_dns: str | None = None
    control_resolved: frozenset[str] | None = None
    control_tcp: str | None = None
    control_tls: str | None = None
    control_http: str | None = None
    control_page: Page | None = None


class Flat(msgspec.Struct, gc=False, kw_only=True):
    """All observations of one measurement.

    Attributes:
        failed: lookups that failed.
        resolved: lookups that worked, one observation for each address.
        endpoints: connections, by transaction.
        control_addresses: what the helper resolved; none without a control.
        networks: the numbers of the networks of addresses, as far as the measurement itself says.
    """

    failed: list[Seen]
    resolved: list[Seen]
    endpoints: dict[int, Seen]
    control_addresses: frozenset[str] | None = None
    networks: Mapping[str, int]

    def lookups(self) -> Iterator[Seen]:
        """All lookups, failed ones first."""
        yield from self.failed
        yield from self.resolved

    def everything(self) -> Iterator[Seen]:
        """All observations."""
        yield from self.lookups()
        yield from self.endpoints.values()


def flatten(keys: WebKeys, address: str = "") -> Flat:
    """The observations of a measurement.

    Args:
        keys: its raw records; older versions of the format are brought to the newest first.
        address: its input, where the records do not say what the helper was asked.
    """
    keys = modern(keys)
    flat = Flat(failed=[], resolved=[], endpoints={}, networks=_networks(keys))
    known = _lookups(flat, keys.queries or ())
    _connections(flat, keys.tcp_connect or (), known)
    _handshakes(flat, keys.tls_handshakes or ())
    _requests(flat, keys.requests or ())
    if keys.control is not None:
        asked = keys.x_control_request.http_request if keys.x_control_request else None
        _compare(flat, keys.control, host_of(asked or address))
    return flat


def addresses(answers: Iterable[Answer] | None) -> list[str]:
    """The IP addresses among the answers to a lookup."""
    found = (
        answer.ipv4 if answer.answer_type == "A" else answer.ipv6 if answer.answer_type == "AAAA" else None
        for answer in answers or ()
    )
    return [address for address in found if address]


def host_of(url: str) -> str:
    """The host in a URL, as it is written there; empty where there is none."""
    try:
        place = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]


def page_of(transaction: HttpTransaction) -> Page:
    """What is compared of an answer. The body is decoded only where the answer ends the chain."""
    response = transaction.response
    if response is None:
        return Page()
    headers = values.header_map(response.headers) or dict(values.header_pairs(response.headers_list, response.headers))
    page = Page(status=response.code or 0, headers=frozenset(headers), truncated=bool(response.body_is_truncated))
    if not page.final:
        return page
    if page.truncated and (title := title_of(values.head(response.body, _NEAR).encode())):
        # Its length says nothing, so the rest need not be decoded.
        return msgspec.structs.replace(page, title=title)
    body = values.content(response.body)
    return msgspec.structs.replace(page, length=len(body), title=title_of(body))


_OPEN, _CLOSE, _LONGEST_TITLE = b"<title>", b"</title>", 512
_NEAR = 1 << 14


def title_of(body: bytes) -> str:
    """The title of a page as OONI reads it: without attributes, without markup inside, at most 512 characters."""
    # Titles stand at the beginning: lowering the whole of a large page is only worth it where none is found there.
    return _title_in(body, body[:_NEAR].lower()) or (_title_in(body, body.lower()) if len(body) > _NEAR else "")


def _title_in(body: bytes, lowered: bytes) -> str:
    start = lowered.find(_OPEN)
    while start >= 0:
        start += len(_OPEN)
        stop = lowered.find(b"<", start, start + 4 * _LONGEST_TITLE + 1)
        if stop > start and lowered.startswith(_CLOSE, stop):
            title = body[start:stop].decode("utf-8", "replace")
            if len(title) <= _LONGEST_TITLE:
                return title
        start = lowered.find(_OPEN, start)
    return ""


def _networks(keys: WebKeys) -> dict[str, int]:
    told: dict[str, int] = {}
    for query in keys.queries or ():
        for answer in query.answers or ():
            if answer.asn and (address := answer.ipv4 or answer.ipv6):
                told[address] = answer.asn
    for address, info in ((keys.control and keys.control.ip_info) or {}).items():
        if info is not None and info.asn:
            told[address] = info.asn
    return told


def _lookups(flat: Flat, queries: Iterable[Query]) -> dict[str, Seen]:
    """Note the lookups; the first that gave each address is returned."""
    known: dict[str, Seen] = {}
    for query in queries:
        failure = query.failure or ""
        found = sorted(set(addresses(query.answers))) if query.failure is None else [""]
        resolved = frozenset(found) if query.failure is None else None
        for address in found:
            seen = Seen(
                kind=Kind.DNS,
                failure=failure,
                transaction=query.transaction_id or 0,
                depth=values.depth(query.tags),
                name=query.hostname or "",
                engine=query.engine or "",
                query_type=query.query_type or "",
                lookup=query.transaction_id or 0,
                resolved=resolved,
                address=address,
                dns=failure,
            )
            if query.failure is None:
                flat.resolved.append(seen)
                known.setdefault(address, seen)
            else:
                flat.failed.append(seen)
    return known


def _connections(flat: Flat, connects: Iterable[TcpConnect], known: dict[str, Seen]) -> None:
    for connect in connects:
        address = connect.ip or ""
        named = known.get(address)
        failure = connect.failure or ""
        transaction = connect.transaction_id or 0
        flat.endpoints[transaction] = Seen(
            kind=Kind.TCP,
            failure=failure,
            transaction=transaction,
            depth=values.depth(connect.tags),
            fetches=values.fetches_body(connect.tags),
            name=named.name if named else "",
            engine=named.engine if named else "",
            lookup=named.lookup if named else None,
            resolved=named.resolved if named else None,
            dns=named.dns if named else None,
            address=address,
            endpoint=f"[{address}]:{connect.port}" if ":" in address else f"{address}:{connect.port}",
            tcp=failure,
        )


def _handshakes(flat: Flat, handshakes: Iterable[Handshake]) -> None:
    for handshake in handshakes:
        seen = flat.endpoints.get(handshake.transaction_id or 0)
        if seen is not None:
            seen.kind = Kind.TLS
            seen.failure = seen.tls = handshake.failure or ""
            seen.tls_name = handshake.server_name or ""


def _requests(flat: Flat, requests: Iterable[HttpTransaction]) -> None:
    for request in requests:
        seen = flat.endpoints.get(request.transaction_id or 0)
        if seen is not None:
            seen.kind = Kind.HTTP
            seen.failure = seen.http = request.failure or ""
            seen.url = (request.request.url if request.request else None) or ""
            # What came before a failure says nothing that could be compared.
            seen.page = page_of(request) if request.failure is None else None


def _compare(flat: Flat, control: HelperAnswer, name: str) -> None:
    """Put beside each observation what the helper saw at the same place. It looked up and connected for one name."""
    dns_failure = (control.dns.failure if control.dns else None) or ""
    helper = frozenset(address for address in (control.dns.addrs if control.dns else None) or () if address)
    flat.control_addresses = helper
    for seen in flat.lookups():
        if seen.name == name:
            seen.control_dns = dns_failure
            seen.control_resolved = None if dns_failure else helper
    for seen in flat.endpoints.values():
        if not seen.name and seen.address in helper:
            seen.from_helper = True
            seen.control_dns, seen.control_resolved = dns_failure, helper
        elif seen.name and seen.name == name:
            seen.control_dns = dns_failure
            seen.control_resolved = None if dns_failure else helper
        tcp = (control.tcp_connect or {}).get(seen.endpoint)
        if tcp is not None:
            seen.control_tcp = tcp.failure or ""
        tls = (control.tls_handshake or {}).get(seen.endpoint)
        if tls is not None and seen.tls is not None and (tls.server_name or "") == seen.tls_name:
            seen.control_tls = tls.failure or ""
    http = control.http_request
    if http is None:
        return
    page = None if http.failure else control_page(http)
    for seen in flat.everything():
        seen.control_http = http.failure or ""
        seen.control_page = page


def control_page(http: ControlHttp) -> Page:
    """What the helper got, to be compared with."""
    return Page(
        status=http.status_code or 0,
        length=http.body_length or 0,
        headers=frozenset(values.header_map(http.headers)),
        title=http.title or "",
    )

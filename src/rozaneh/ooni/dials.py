"""From OONI's loose records to dials: which lookup, connection, handshake and request belong to one another, and why.

Theory of operation. A measurement holds lists of lookups, connections, handshakes and requests. Those of one connection
share a transaction id (since Web Connectivity 0.5) or an address (before). Each connection becomes a :class:`Dial` with
a role: ``system`` at an address that the system's resolver gave, ``trusted`` at one that only an encrypted resolver or
the control named, ``resolver`` otherwise. A :class:`Sight` holds the dials at one target.

Of a chain of redirects the last hop that was reached is what is judged: the hops before it did their work. A dial that
the probe itself ended early (Web Connectivity fetches the page from one address only) shows nothing, and is
``interrupted``.

The rows of the observatory and the evidence of :func:`rozaneh.diagnosis.judge` are both made from sights, so that one
measurement has one meaning.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from rozaneh.core import Failure
from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip
from rozaneh.diagnosis import signatures
from rozaneh.ooni.records import Handshake, HttpTransaction, Query, TcpConnect
from rozaneh.ooni.values import depth
from rozaneh.ooni.webkeys import HelperAnswer, WebKeys

_ORDINARY = frozenset(str(x) for x in range(1, 224) if x not in (10, 100, 127, 169, 172, 192, 198, 203))
"""First bytes of IPv4 addresses that say by themselves that one is public."""

MOST_DIALS = 31
"""Dials of one target that are kept: more never change a verdict."""

_SYSTEM = frozenset(("getaddrinfo", "system", "golang_net_resolver", "go", "unknown", "", None))
_ENCRYPTED = frozenset(("doh", "dot", "doq", "doh3", "odoh"))
_CONTROL_DENIES = frozenset(("dns_nxdomain_error", "dns_name_error", "dns_no_answer"))
_KNOWN = frozenset(failure.value for failure in Failure)
_OLDER = {
    "dns_name_error": Failure.DNS_NXDOMAIN_ERROR.value,
    "dns_lookup_error": Failure.DNS_NON_RECOVERABLE_FAILURE.value,
    "dns_timeout": Failure.GENERIC_TIMEOUT_ERROR.value,
    "deferred_timeout_error": Failure.GENERIC_TIMEOUT_ERROR.value,
    "response_never_received": Failure.EOF_ERROR.value,
    "connection_refused_error": Failure.CONNECTION_REFUSED.value,
    "connect_error": Failure.UNKNOWN_FAILURE.value,
    "tcp_timed_out_error": Failure.GENERIC_TIMEOUT_ERROR.value,
    "task_timed_out": Failure.GENERIC_TIMEOUT_ERROR.value,
    "timeout-reached": Failure.GENERIC_TIMEOUT_ERROR.value,
    "network_unreachable_error": Failure.NETWORK_UNREACHABLE.value,
    "host_unreachable_error": Failure.HOST_UNREACHABLE.value,
    "connection_reset_error": Failure.CONNECTION_RESET.value,
    "connection_lost_error": Failure.EOF_ERROR.value,
}


class Dial(msgspec.Struct, gc=False, kw_only=True):
    """One dial, or a lookup that led to none.

    Attributes:
        role: ``system``, ``trusted`` or ``resolver``.
        hop: redirects before it.
        lookup: the lookup that it began with.
        tcp: its connection.
        tls: its handshake over TCP.
        quic: its handshake over QUIC.
        http: its request.
        ip: where it went; empty for a lookup alone.
        port: the port, 0 for a lookup alone.
        ended: the step in which it ended: ``resolve``, ``connect``, ``tls``, ``quic``, ``answer`` or ``body``.
        failure: how, as a :class:`rozaneh.core.Failure` has it; none where it worked.
    """

    role: str
    hop: int = 0
    lookup: Query | None = None
    tcp: TcpConnect | None = None
    tls: Handshake | None = None
    quic: Handshake | None = None
    http: HttpTransaction | None = None
    ip: str = ""
    port: int = 0
    ended: str | None = None
    failure: str | None = None


class Helped(msgspec.Struct, gc=False, kw_only=True):
    """What the control saw, in one value for each step: whether it worked, or none where it was not tried."""

    asked: bool = False
    dns: bool | None = None
    tcp: bool | None = None
    tls: bool | None = None
    http: bool | None = None
    quic: bool | None = None
    status: int = 0
    failure: str | None = None
    addresses: Sequence[str] = ()

    @property
    def works(self) -> bool | None:
        """Whether the furthest step that the control took worked; none where it took none."""
        taken = [step for step in (self.http, self.quic, self.tls, self.tcp, self.dns) if step is not None]
        return taken[0] if taken and self.asked else None


class Sight(msgspec.Struct, gc=False, kw_only=True):
    """What one measurement shows of one target.

    Attributes:
        url: what was to be reached.
        host: its name or address, lower case.
        kind: ``https``, ``http``, ``tls``, ``tcp``, ``udp`` or ``quic``.
        dials: in order; at most :data:`MOST_DIALS`.
        trusted: addresses of the name that are believed.
        trusted_failure: how the encrypted lookup failed where it gave none.
        control: what the control saw.
    """

    url: str
    host: str
    kind: str
    dials: list[Dial]
    trusted: frozenset[str] = frozenset()
    trusted_failure: str | None = None
    control: Helped = msgspec.field(default_factory=Helped)


@lru_cache(maxsize=4096)
def failure_of(told: str) -> str:
    """One of OONI's strings of today for any that a measurement may hold."""
    if told in _KNOWN:
        return told
    return _OLDER.get(told, Failure.UNKNOWN_FAILURE.value)


def sights_of_web(url: str, keys: WebKeys) -> Sight:
    """The one target of a Web Connectivity measurement."""
    queries, connects = keys.queries or [], keys.tcp_connect or []
    shakes, requests = keys.tls_handshakes or [], keys.requests or []
    hop = 0
    tagged: tuple[Query | TcpConnect | HttpTransaction, ...] = (*queries, *connects, *requests)
    for record in tagged:
        tags = record.tags
        if tags and "depth=0" not in tags:
            hop = max(hop, depth(tags) or 0)
    if hop:
        queries = [x for x in queries if _hop(x) == hop]
        connects = [x for x in connects if _hop(x) == hop]
        shakes = [x for x in shakes if _hop(x) == hop]
        requests = [x for x in requests if _hop(x) == hop]
    last = requests[0].request.url if requests and requests[0].request else None
    scheme, host = _place(url)
    here, there = _place(last) if last else (scheme, host)
    if hop and not last:
        there = next((x.hostname.lower() for x in queries if x.hostname), there)
        here = "https" if shakes or any(x.port == 443 for x in connects) else here
    names = _names(queries)
    dials = _dials(names, _Records(connects, shakes, requests), hop, here)
    helped = _helped(keys.control, same_host=there == host, scheme=here, here={dial.ip for dial in dials})
    trusted = frozenset(names.trusted)
    if there == host:
        trusted = _believed(names, helped, keys.control)
        for dial in dials:
            if dial.role == "resolver" and dial.ip in trusted:
                dial.role = "trusted"
    return Sight(
        url=url,
        host=host,
        kind="https" if here == "https" else "http",
        dials=dials,
        trusted=trusted,
        trusted_failure=names.denied if not trusted else None,
        control=helped,
    )


def _hop(record: Any) -> int:
    tags: list[str] | None = record.tags
    if not tags or "depth=0" in tags:
        return 0
    return max(depth(tags) or 0, 0)


@lru_cache(maxsize=8192)
def _place(url: str) -> tuple[str, str]:
    """Scheme and host of a URL; two empty texts for what is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    except ValueError:
        return "", ""


class _Names(msgspec.Struct, gc=False):
    """What the lookups gave: the system's answers with their lookups, and encrypted ones with their networks."""

    system: dict[str, Query] = msgspec.field(default_factory=dict)
    trusted: dict[str, int] = msgspec.field(default_factory=dict)
    failed: list[Query] = msgspec.field(default_factory=list)
    denied: str | None = None


def _names(queries: Iterable[Query]) -> _Names:
    names = _Names()
    for query in queries:
        if query.engine in _SYSTEM:
            found = False
            for answer in query.answers or ():
                if address := answer.ipv4 or answer.ipv6:
                    names.system.setdefault(address, query)
                    found = True
            if not found:
                names.failed.append(query)
        elif query.engine in _ENCRYPTED:
            for answer in query.answers or ():
                if address := answer.ipv4 or answer.ipv6:
                    names.trusted.setdefault(address, answer.asn or 0)
            if query.failure and query.query_type != "AAAA":
                names.denied = failure_of(query.failure)
    return names


class _Records(msgspec.Struct, gc=False):
    """The records of one hop."""

    connects: Sequence[TcpConnect]
    shakes: Sequence[Handshake]
    requests: Sequence[HttpTransaction]


def _dials(names: _Names, records: _Records, hop: int, scheme: str) -> list[Dial]:
    by_id: dict[int | None, Handshake] = {}
    by_place: dict[str, Handshake] = {}
    for shake in records.shakes:
        if shake.transaction_id:
            by_id[shake.transaction_id] = shake
        elif shake.address:
            by_place[shake.address] = shake
    asked_by_id = {x.transaction_id: x for x in records.requests if x.transaction_id}
    dials: list[Dial] = []
    for tcp in records.connects[:MOST_DIALS]:
        ip, number = tcp.ip or "", tcp.transaction_id
        port = tcp.port if isinstance(tcp.port, int) else 0
        lookup = names.system.get(ip)
        dials.append(
            Dial(
                role="system" if lookup or not (names.system or names.failed) else _other(ip, names),
                hop=hop,
                lookup=lookup,
                tcp=tcp,
                tls=by_id.get(number) if number else by_place.get(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"),
                http=asked_by_id.get(number) if number else None,
                ip=ip,
                port=port,
            )
        )
    loose = next((x for x in records.requests if not x.transaction_id), None)
    if loose is not None:
        _attach(loose, dials, hop)
    dials += [Dial(role="system", hop=hop, lookup=query) for query in _leading_nowhere(names, dials)]
    fetched = bool(records.requests)
    for dial in dials:
        dial.ended, dial.failure = _ended(dial, scheme, fetched=fetched)
    return dials[:MOST_DIALS]


def _other(ip: str, names: _Names) -> str:
    return "trusted" if ip in names.trusted else "resolver"


def _leading_nowhere(names: _Names, dials: Sequence[Dial]) -> Sequence[Query]:
    """Lookups that no dial followed: failed ones, and answers that the probe did not want to dial."""
    if names.system:
        went = {dial.ip for dial in dials}
        return () if went & set(names.system) else [next(iter(names.system.values()))]
    # A name may have addresses of one family only.
    return [x for x in names.failed if x.query_type != "AAAA"] or names.failed[:1]


def _attach(request: HttpTransaction, dials: list[Dial], hop: int) -> None:
    """Before transaction ids the page was fetched over one connection, which is not said: the first that came about."""
    for dial in dials:
        if dial.tcp is not None and dial.tcp.failure is None and (dial.tls is None or dial.tls.failure is None):
            dial.http = request
            return
    for dial in dials:
        if dial.tcp is not None and dial.tcp.failure is None:
            dial.http = request
            return
    if not dials:
        dials.append(Dial(role="system", hop=hop, http=request))


def _ended(dial: Dial, scheme: str, *, fetched: bool) -> tuple[str | None, str | None]:
    """Step and failure; ``interrupted`` for what the probe ended itself."""
    tcp, tls, http = dial.tcp, dial.tls, dial.http
    if tcp is None and dial.quic is None and http is None:
        return "resolve", _why_undialled(dial.lookup)
    if tcp is not None and tcp.failure:
        return "connect", failure_of(tcp.failure)
    if tls is not None and tls.failure:
        return "tls", failure_of(tls.failure)
    if dial.quic is not None and dial.quic.failure:
        return "quic", failure_of(dial.quic.failure)
    if http is not None and http.failure:
        failure = failure_of(http.failure)
        if tls is None and scheme == "https" and (tcp is not None or failure.startswith("ssl_")):
            return "tls", failure
        if tcp is None and failure.startswith(("dns_", "android_dns")):
            return "resolve", failure
        return ("body" if http.response and (http.response.code or 0) > 0 else "answer"), failure
    if http is None and (fetched or scheme == "http"):
        return "connect", Failure.INTERRUPTED.value
    return None, None


def _why_undialled(lookup: Query | None) -> str:
    if lookup is None or lookup.failure:
        return failure_of(lookup.failure or "") if lookup else Failure.UNKNOWN_FAILURE.value
    addresses = [address for x in lookup.answers or () if (address := x.ipv4 or x.ipv6)]
    if not addresses:
        return Failure.DNS_NO_ANSWER.value
    return (Failure.DNS_BOGON_ERROR if any(map(bogon, addresses)) else Failure.INTERRUPTED).value


@lru_cache(maxsize=65536)
def bogon(address: str) -> bool:
    """Whether a text is an address that no public site can have."""
    if address.partition(".")[0] in _ORDINARY:  # most are, and parsing costs more than all else of a row
        return False
    return is_literal(address) and is_bogon(address)


def _believed(names: _Names, helped: Helped, control: HelperAnswer | None) -> frozenset[str]:
    """Addresses from encrypted lookups and the control, and those of the system's that stand in the same networks.

    Large sites answer every resolver with other addresses; what is in the same network is not forged, unless it is
    known as a substitute.
    """
    good = {*names.trusted, *helped.addresses}
    if not good or not names.system or good.issuperset(names.system):
        return frozenset(good)
    info = (control.ip_info if control else None) or {}
    networks = {asn for asn in names.trusted.values() if asn}
    networks.update(told.asn for address in good if (told := info.get(address)) and told.asn)
    if networks:
        known = signatures()
        for address, query in names.system.items():
            heard = info.get(address)
            asn = (heard.asn if heard else 0) or _network_of(address, query)
            if asn in networks and not known.address_kind(address):
                good.add(address)
    return frozenset(good)


def _network_of(address: str, query: Query) -> int:
    return next((x.asn for x in query.answers or () if x.asn and address in (x.ipv4, x.ipv6)), 0)


def _helped(control: HelperAnswer | None, *, same_host: bool, scheme: str, here: set[str]) -> Helped:
    if control is None or (control.dns is None and control.http_request is None and not control.tcp_connect):
        return Helped()
    helped = Helped(asked=True)
    if same_host and control.dns is not None:
        addresses = [x for x in control.dns.addrs or () if x and (x[-1].isdigit() or ":" in x)]  # no aliases
        helped.addresses = addresses
        if addresses:
            helped.dns = True
        elif control.dns.failure in _CONTROL_DENIES:
            helped.dns = False
    port = "443" if scheme == "https" else "80"
    helped.tcp = _any(control.tcp_connect, port, here, same_host=same_host)
    helped.tls = _any(control.tls_handshake, port, here, same_host=same_host) if scheme == "https" else None
    helped.quic = _any(control.quic_handshake, port, here, same_host=same_host)
    page = control.http_request
    if page is not None:
        helped.http = page.failure is None and (page.status_code or 0) > 0
        helped.status = page.status_code if helped.http and page.status_code and page.status_code < 1000 else 0
        helped.failure = failure_of(page.failure) if page.failure else None
    return helped


def _any(places: dict[str, Any] | None, port: str, here: set[str], *, same_host: bool) -> bool | None:
    """Whether one of the places worked; of those at our addresses only, where the control knows another host."""
    seen = None
    for place, told in (places or {}).items():
        ip, _, number = place.rpartition(":")
        if number == port and (same_host or ip.strip("[]") in here):
            if told.status or (told.status is None and not told.failure):
                return True
            seen = False
    return seen


def host_of(url: str) -> str:
    """The host of a URL, lower case; empty for what is none."""
    return _place(url)[1]


def is_literal(host: str) -> bool:
    """Whether a host is an address."""
    return bool(host) and (host[-1].isdigit() or ":" in host) and is_ip(host)


def targets_of(keys: WebKeys) -> list[Sight]:
    """The targets of a test without a control: one for each name, and one for all addresses that have none."""
    names = {
        address: query.hostname.lower()
        for query in keys.queries or ()
        if query.hostname
        for answer in query.answers or ()
        if (address := answer.ipv4 or answer.ipv6)
    }
    parts: dict[str, WebKeys] = {}
    for name in dict.fromkeys((*(q.hostname.lower() for q in keys.queries or () if q.hostname), "")):
        parts[name] = WebKeys(
            queries=[x for x in keys.queries or () if (x.hostname or "").lower() == name],
            tcp_connect=[x for x in keys.tcp_connect or () if names.get(x.ip or "", "") == name],
            tls_handshakes=[x for x in keys.tls_handshakes or () if _of_address(x.address, names) == name],
            requests=[x for x in keys.requests or () if x.request and _named(x.request.url or "", names) == name],
        )
    found = []
    for name, part in parts.items():
        if not (part.queries or part.tcp_connect or part.requests):
            continue
        requests = part.requests or []
        scheme, _ = _place((requests[0].request.url if requests and requests[0].request else "") or "")
        kind = scheme if scheme in ("https", "http") and name else "tls" if part.tls_handshakes else "tcp"
        looked = _names(part.queries or ())
        records = _Records(part.tcp_connect or (), part.tls_handshakes or (), requests if name else ())
        dials = _dials(looked, records, 0, kind)
        if dials:
            url = f"{kind}://{name}/" if name else ""
            trusted = frozenset(looked.trusted)
            found.append(
                Sight(url=url, host=name, kind=kind, dials=dials, trusted=trusted, trusted_failure=looked.denied)
            )
    return found


def _of_address(place: str | None, names: dict[str, str]) -> str:
    return names.get((place or "").rpartition(":")[0].strip("[]"), "")


def _named(url: str, names: dict[str, str]) -> str:
    _, host = _place(url)
    return names.get(host, "") if is_literal(host) else host

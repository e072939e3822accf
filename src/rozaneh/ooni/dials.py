"""From OONI's loose records to dials: which lookup, connection, handshake and request belong to one another, and why.

Theory of operation. A measurement holds lists of lookups, connections, handshakes and requests. Those of one connection
share a transaction id (since Web Connectivity 0.5) or an address (before). Each connection becomes a :class:`Dial` with
a role: ``system`` at an address that the system's resolver gave, ``trusted`` at one that only an encrypted resolver or
the control named, ``resolver`` otherwise. :mod:`rozaneh.ooni.targets` gathers the dials at one target.

A dial that the probe itself ended early (Web Connectivity fetches the page from one address only) shows nothing, and is
``interrupted``.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from rozaneh.core import Failure
from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip
from rozaneh.ooni.records import Handshake, HttpTransaction, Query, TcpConnect

_ORDINARY = frozenset(str(x) for x in range(1, 224) if x not in (10, 100, 127, 169, 172, 192, 198, 203))
"""First bytes of IPv4 addresses that say by themselves that one is public."""

MOST_DIALS = 31
"""Dials of one target that are kept: more never change a verdict."""

_SYSTEM = frozenset(("getaddrinfo", "system", "golang_net_resolver", "go", "unknown", "", None))
_ENCRYPTED = frozenset(("doh", "dot", "doq", "doh3", "odoh"))
_INTERRUPTED = Failure.INTERRUPTED.value
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


@lru_cache(maxsize=4096)
def failure_of(told: str) -> str:
    """One of OONI's strings of today for any that a measurement may hold."""
    if told in _KNOWN:
        return told
    return _OLDER.get(told, Failure.UNKNOWN_FAILURE.value)


@lru_cache(maxsize=8192)
def place_of(url: str) -> tuple[str, str]:
    """Scheme and host of a URL; two empty texts for what is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    except ValueError:
        return "", ""


class Names(msgspec.Struct, gc=False):
    """What the lookups gave: the system's answers with their lookups, and encrypted ones with their networks."""

    system: dict[str, Query] = msgspec.field(default_factory=dict)
    trusted: dict[str, int] = msgspec.field(default_factory=dict)
    failed: list[Query] = msgspec.field(default_factory=list)
    denied: str | None = None


def names_of(queries: Iterable[Query]) -> Names:
    """What lookups gave, the system's and encrypted ones apart."""
    names = Names()
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


class Records(msgspec.Struct, gc=False):
    """The records of one hop."""

    connects: Sequence[TcpConnect]
    shakes: Sequence[Handshake]
    requests: Sequence[HttpTransaction]


def dials_of(names: Names, records: Records, hop: int, scheme: str) -> list[Dial]:
    """The dials that records of one hop belong to; at most :data:`MOST_DIALS`.

    Args:
        names: what the lookups of the hop gave.
        records: its connections, handshakes and requests.
        hop: redirects before it.
        scheme: what was to be spoken: ``https``, ``http``, ``tls``, ``tcp``.
    """
    by_id, by_place = _found_by(records.shakes)
    asked_by_id, loose = _asked(records.requests)
    system = names.system
    unnamed = not (system or names.failed)
    dials: list[Dial] = []
    for tcp in records.connects[:MOST_DIALS]:
        ip, number = tcp.ip or "", tcp.transaction_id
        port = tcp.port if isinstance(tcp.port, int) else 0
        lookup = system.get(ip)
        if number:
            tls, http = by_id.get(number), asked_by_id.get(number)
        else:
            tls, http = by_place.get(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"), None
        role = "system" if lookup is not None or unnamed else "trusted" if ip in names.trusted else "resolver"
        dials.append(Dial(role=role, hop=hop, lookup=lookup, tcp=tcp, tls=tls, http=http, ip=ip, port=port))
    if loose is not None:
        _attach(loose, dials, hop)
    dials += [Dial(role="system", hop=hop, lookup=query) for query in _leading_nowhere(names, dials)]
    fetched = bool(records.requests)
    for dial in dials:
        dial.ended, dial.failure = _ended(dial, scheme, fetched=fetched)
    return dials[:MOST_DIALS]


def quic_dials_of(
    names: Names, shakes: Sequence[Handshake], requests: Iterable[HttpTransaction], hop: int
) -> list[Dial]:
    """The dials over QUIC, each of which begins with a handshake; at most :data:`MOST_DIALS`.

    Args:
        names: what the lookups of the hop gave.
        shakes: handshakes over QUIC.
        requests: what was asked over HTTP/3; those of other connections are left alone.
        hop: redirects before it.
    """
    asked_by_id, loose = _asked(requests)
    dials: list[Dial] = []
    for shake in shakes[:MOST_DIALS]:
        ip, port = _place(shake.address or "")
        lookup = names.system.get(ip)
        http = asked_by_id.get(shake.transaction_id) if shake.transaction_id else None
        if http is None and shake.failure is None:
            http, loose = loose, None
        named = lookup is not None or not (names.system or names.failed)
        role = "system" if named else "trusted" if ip in names.trusted else "resolver"
        dials.append(Dial(role=role, hop=hop, lookup=lookup, quic=shake, http=http, ip=ip, port=port))
    fetched = any(dial.http is not None for dial in dials)
    for dial in dials:
        dial.ended, dial.failure = _ended(dial, "quic", fetched=fetched)
    return dials


def _place(told: str) -> tuple[str, int]:
    """Address and port of an endpoint; nothing where it is none."""
    host, _, number = told.rpartition(":")
    ip = host.strip("[]")
    if not is_literal(ip):
        return "", 0
    port = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 0
    return ip, port if port < 65536 else 0


def _found_by(shakes: Iterable[Handshake]) -> tuple[dict[int, Handshake], dict[str, Handshake]]:
    """Handshakes by transaction, and by place those of before there were transactions."""
    by_id: dict[int, Handshake] = {}
    by_place: dict[str, Handshake] = {}
    for shake in shakes:
        if shake.transaction_id:
            by_id[shake.transaction_id] = shake
        elif shake.address:
            by_place[shake.address] = shake
    return by_id, by_place


def _asked(requests: Iterable[HttpTransaction]) -> tuple[dict[int, HttpTransaction], HttpTransaction | None]:
    """Requests by transaction, and the first that has none."""
    by_id: dict[int, HttpTransaction] = {}
    loose = None
    for request in requests:
        if request.transaction_id:
            by_id[request.transaction_id] = request
        elif loose is None:
            loose = request
    return by_id, loose


def _leading_nowhere(names: Names, dials: Sequence[Dial]) -> Sequence[Query]:
    """Lookups that no dial followed: failed ones, and answers that the probe did not want to dial."""
    if names.system:
        for dial in dials:
            if dial.lookup is not None:
                return ()
        return [next(iter(names.system.values()))]
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
    tcp, tls, quic, http = dial.tcp, dial.tls, dial.quic, dial.http
    if tcp is not None:
        if failure := tcp.failure:
            return "connect", failure_of(failure)
    elif quic is None and http is None:
        return "resolve", _why_undialled(dial.lookup)
    if tls is not None and tls.failure:
        return "tls", failure_of(tls.failure)
    if quic is not None and quic.failure:
        return "quic", failure_of(quic.failure)
    if http is None:
        return ("connect", _INTERRUPTED) if fetched or scheme == "http" else (None, None)
    if http.failure:
        failure = failure_of(http.failure)
        if tls is None and scheme == "https" and (tcp is not None or failure.startswith("ssl_")):
            return "tls", failure
        if tcp is None and failure.startswith(("dns_", "android_dns")):
            return "resolve", failure
        return ("body" if http.response and (http.response.code or 0) > 0 else "answer"), failure
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


def host_of(url: str) -> str:
    """The host of a URL, lower case; empty for what is none."""
    return place_of(url)[1]


def is_literal(host: str) -> bool:
    """Whether a host is an address."""
    return bool(host) and (host[-1].isdigit() or ":" in host) and is_ip(host)

"""What a measurement shows of one target: its dials, the addresses that are believed, and what the control saw.

Of a chain of redirects the last hop that was reached is what is judged: the hops before it did their work.

The rows of the observatory and the evidence of :func:`rozaneh.diagnosis.judge` are both made from sights, so that one
measurement has one meaning.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import msgspec

from rozaneh.diagnosis import signatures
from rozaneh.ooni.dials import (
    Dial,
    Names,
    Records,
    dials_of,
    failure_of,
    is_literal,
    names_of,
    place_of,
    quic_dials_of,
)
from rozaneh.ooni.records import Handshake, HttpTransaction, Query, TcpConnect
from rozaneh.ooni.values import depth
from rozaneh.ooni.webkeys import ControlEndpoint, HelperAnswer, WebKeys

_HOPS = {f"depth={hop}": hop for hop in range(32)}
"""What tags nearly always say."""
_CONTROL_DENIES = frozenset(("dns_nxdomain_error", "dns_name_error", "dns_no_answer"))


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
        if self.asked:
            for step in (self.http, self.quic, self.tls, self.tcp, self.dns):
                if step is not None:
                    return step
        return None


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


def sights_of_web(url: str, keys: WebKeys) -> list[Sight]:
    """The targets of a Web Connectivity measurement: the page and, where that was tried, the same over QUIC."""
    page = page_of_web(url, keys)
    return [page, *_over_quic(page, keys)] if keys.quic_handshakes else [page]


def _over_quic(page: Sight, keys: WebKeys) -> list[Sight]:
    shakes = [x for x in keys.quic_handshakes or () if (x.server_name or page.host).lower() == page.host]
    names = names_of(x for x in keys.queries or () if not x.hostname or x.hostname.lower() == page.host)
    dials = quic_dials_of(names, shakes, _of_transactions(keys.requests or (), shakes), 0)
    if not dials:
        return []
    seen = _helped(keys.control, same_host=True, scheme="https", dials=())
    helped = Helped(asked=seen.asked, dns=seen.dns, quic=seen.quic, addresses=seen.addresses)
    trusted = _believed(names, helped, keys.control)
    for dial in dials:
        if dial.role == "resolver" and dial.ip in trusted:
            dial.role = "trusted"
    return [
        Sight(
            url=page.url,
            host=page.host,
            kind="quic",
            dials=dials,
            trusted=trusted,
            trusted_failure=names.denied if not trusted else None,
            control=helped,
        )
    ]


def _of_transactions(requests: Sequence[HttpTransaction], shakes: Sequence[Handshake]) -> list[HttpTransaction]:
    numbers = {x.transaction_id for x in shakes if x.transaction_id}
    return [x for x in requests if x.transaction_id in numbers]


def page_of_web(url: str, keys: WebKeys) -> Sight:
    """The page of a Web Connectivity measurement, as it was asked for over TCP."""
    queries, connects = keys.queries or [], keys.tcp_connect or []
    shakes, requests = keys.tls_handshakes or [], keys.requests or []
    hop = 0
    tagged: tuple[Query | TcpConnect | HttpTransaction, ...] = (*queries, *connects, *requests)
    for record in tagged:
        tags = record.tags
        if tags and "depth=0" not in tags:
            hop = max(hop, _hop(record))
    if hop:
        queries = [x for x in queries if _hop(x) == hop]
        connects = [x for x in connects if _hop(x) == hop]
        shakes = [x for x in shakes if _hop(x) == hop]
        requests = [x for x in requests if _hop(x) == hop]
    last = requests[0].request.url if requests and requests[0].request else None
    scheme, host = place_of(url)
    here, there = place_of(last) if last else (scheme, host)
    if hop and not last:
        there = next((x.hostname.lower() for x in queries if x.hostname), there)
        here = "https" if shakes or any(x.port == 443 for x in connects) else here
    names = names_of(queries)
    dials = dials_of(names, Records(connects, shakes, requests), hop, here)
    helped = _helped(keys.control, same_host=there == host, scheme=here, dials=dials)
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
    for tag in reversed(tags):
        if tag in _HOPS:
            return _HOPS[tag]
        if tag.startswith("depth="):
            return max(depth(tags) or 0, 0)
    return 0


def _believed(names: Names, helped: Helped, control: HelperAnswer | None) -> frozenset[str]:
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


def _helped(control: HelperAnswer | None, *, same_host: bool, scheme: str, dials: Sequence[Dial]) -> Helped:
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
    port = ":443" if scheme == "https" else ":80"
    here = None if same_host else {dial.ip for dial in dials}
    helped.tcp = _any(control.tcp_connect, port, here)
    helped.tls = _any(control.tls_handshake, port, here) if scheme == "https" else None
    helped.quic = _any(control.quic_handshake, port, here)
    page = control.http_request
    if page is not None:
        helped.http = page.failure is None and (page.status_code or 0) > 0
        helped.status = page.status_code if helped.http and page.status_code and page.status_code < 1000 else 0
        helped.failure = failure_of(page.failure) if page.failure else None
    return helped


def _any(places: Mapping[str, ControlEndpoint] | None, port: str, here: Container[str] | None) -> bool | None:
    """Whether one of the places worked; of those at our addresses only, where the control knows another host."""
    if not places:
        return None
    seen = None
    for place, told in places.items():
        if place.endswith(port) and (here is None or place[: -len(port)].strip("[]") in here):
            if told.status or (told.status is None and not told.failure):
                return True
            seen = False
    return seen


def targets_of(keys: WebKeys) -> list[Sight]:
    """The targets of a test without a control: one for each name, and one for all addresses that have none."""
    names = {
        address: query.hostname.lower()
        for query in keys.queries or ()
        if query.hostname
        for answer in query.answers or ()
        if (address := answer.ipv4 or answer.ipv6)
    }
    shakes = keys.tls_handshakes or ()
    # OONI's urlgetter keeps handshakes of both kinds in one list.
    quic = [*(keys.quic_handshakes or ()), *(x for x in shakes if x.network in _OVER_QUIC)]
    found = []
    for name in dict.fromkeys((*(q.hostname.lower() for q in keys.queries or () if q.hostname), "")):
        part = WebKeys(
            queries=[x for x in keys.queries or () if (x.hostname or "").lower() == name],
            tcp_connect=[x for x in keys.tcp_connect or () if names.get(x.ip or "", "") == name],
            tls_handshakes=[x for x in shakes if x.network not in _OVER_QUIC and _of_address(x.address, names) == name],
            quic_handshakes=[x for x in quic if _of_address(x.address, names) == name],
            requests=[x for x in keys.requests or () if x.request and _named(x.request.url or "", names) == name],
        )
        found += _of_part(name, part)
    return found


_OVER_QUIC = frozenset(("udp", "quic"))


def _of_part(name: str, part: WebKeys) -> list[Sight]:
    """What was tried of one name: over TCP, over QUIC, or both."""
    looked = names_of(part.queries or ())
    requests, shakes = part.requests or [], part.quic_handshakes or []
    over_quic = _of_transactions(requests, shakes) if part.tcp_connect else requests if shakes else []
    found = []
    dials = quic_dials_of(looked, shakes, over_quic if name else (), 0)
    if dials:
        found.append(_sight(name, "quic", dials, looked))
    requests = [x for x in requests if x not in over_quic] if over_quic else requests
    if part.tcp_connect or requests or (part.queries and not shakes):
        scheme, _ = place_of((requests[0].request.url if requests and requests[0].request else "") or "")
        kind = scheme if scheme in ("https", "http") and name else "tls" if part.tls_handshakes else "tcp"
        records = Records(part.tcp_connect or (), part.tls_handshakes or (), requests if name else ())
        if dials := dials_of(looked, records, 0, kind):
            found.append(_sight(name, kind, dials, looked))
    return found


def _sight(name: str, kind: str, dials: list[Dial], looked: Names) -> Sight:
    url = f"{'https' if kind == 'quic' else kind}://{name}/" if name else ""
    trusted = frozenset(looked.trusted)
    return Sight(url=url, host=name, kind=kind, dials=dials, trusted=trusted, trusted_failure=looked.denied)


def _of_address(place: str | None, names: dict[str, str]) -> str:
    return names.get((place or "").rpartition(":")[0].strip("[]"), "")


def _named(url: str, names: dict[str, str]) -> str:
    _, host = place_of(url)
    return names.get(host, "") if is_literal(host) else host

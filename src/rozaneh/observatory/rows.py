"""Measurements become rows: facts of each dial beside those of its target, its measurement and the control.

Theory of operation. What all rows of a measurement share is kept once, and so is what rows share of a target, a lookup,
a certificate and an answer (:mod:`rozaneh.observatory.columns`). That costs a third of building every row in full.
"""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import pyarrow as pa
from msgspec import Raw

from rozaneh.diagnosis import signatures
from rozaneh.observatory import ours, pages, schema
from rozaneh.observatory.certificates import NO_CERTIFICATE, certificate_of
from rozaneh.observatory.columns import Batch, Shared, table_of
from rozaneh.observatory.simulated import BEHIND_SOFTWARE, ENGINE
from rozaneh.observatory.subjects import is_domestic, service_of
from rozaneh.ooni.dials import Dial, bogon, host_of, is_literal
from rozaneh.ooni.own import Own
from rozaneh.ooni.records import Envelope, Handshake, HttpTransaction, Query, TcpConnect, asn_of
from rozaneh.ooni.targets import Sight
from rozaneh.ooni.values import annotations

EARLIEST = dt.datetime(2012, 1, 1)  # noqa: DTZ001 - times of a store are UTC and say no zone
"""Before OONI there was nothing to read."""

_LONGEST_ANNOTATIONS = 1 << 14


class Refused(Exception):
    """A measurement that cannot stand in the table; reason and detail are for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class NotYet(Refused):
    """It says that it began later than it is now: its clock is wrong, or the one of here."""


Key = tuple[int, str, dt.date]
"""What names a measurement: its key, and the country and day that it lies in."""


class Rows:
    """A batch of rows on its way to becoming a table."""

    def __init__(self) -> None:
        self._measurements = Shared(schema.MEASUREMENT)
        self._targets = Shared(schema.TARGET)
        self._lookups = Shared(_LOOKUP)
        self._certificates = Shared(_CERTIFICATE)
        self._answers = Shared(pages.KIND)
        self._dials: list[tuple[object, ...]] = []
        self.bodies = 0
        """Bytes of bodies that were looked into and are not held."""
        self._lookups.add(_NO_LOOKUP)
        self._certificates.add(NO_CERTIFICATE)
        self._answers.add(pages.NO_ANSWER)
        self._by_certificate: dict[bytes, int] = {b"null": 0, b"[]": 0, b"": 0}
        self._shown = (Raw(b"null"), 0)

    def __len__(self) -> int:
        return len(self._dials)

    @property
    def measurements(self) -> int:
        """How many measurements the batch holds."""
        return len(self._measurements.values)

    def keys(self) -> list[Key]:
        """Key, country and day of each measurement."""
        return [(head[0], head[2], head[3]) for head in self._measurements.values]  # type: ignore[misc]  # as the schema says

    def add(self, measurement: Envelope, sights: Sequence[Sight], head: tuple[object, ...]) -> None:
        """Take one measurement.

        Args:
            measurement: the envelope.
            sights: its targets; without any the measurement has one empty row, so that it is counted.
            head: what :func:`head_of` made, with OONI's verdict.
        """
        number = self._measurements.add((*head, ""))
        country = str(head[2])
        for index, sight in enumerate(sights or (_NOTHING,)):
            of_target = self._targets.add(_target_row(index, sight, measurement.test_name, country))
            dials = sight.dials or _NO_DIALS
            self._measurements.of += [number] * len(dials)
            self._targets.of += [of_target] * len(dials)
            self._add_dials(dials, sight.trusted)

    def _add_dials(self, dials: Sequence[Dial], trusted: frozenset[str]) -> None:
        lookups: dict[int, tuple[int, dict[str, int]]] = {}
        of_lookups, of_certificates, of_answers = self._lookups.of, self._certificates.of, self._answers.of
        for order, dial in enumerate(dials):
            ip, lookup, tcp, over_tcp, http = dial.ip, dial.lookup, dial.tcp, dial.tls, dial.http
            tls = dial.quic if over_tcp is None else over_tcp
            of_lookup, networks = (
                _NOT_ASKED if lookup is None else lookups.get(id(lookup)) or self._lookup(lookup, trusted, lookups)
            )
            of_lookups.append(of_lookup)
            of_answers.append(0 if http is None else self._answer(http))
            if tls is not None:
                shown, known = self._shown  # all addresses of a site show the same, and comparing needs no copy
                of_certificates.append(known if tls.peer_certificates == shown else self._certificate(tls))
                sni, tls_failure, version, tls_took = tls.server_name, tls.failure, tls.tls_version, _took(tls)
                answered = tls_failure is None or tls_failure in _OWN_WORD
                verified = tls_failure is None and not tls.no_tls_verify
                if over_tcp is None:  # QUIC: what ended it stands in ``ended``; rules ask for TLS over TCP
                    answered, verified, tls_failure = False, False, None
            else:
                of_certificates.append(0)
                answered = verified = http is not None and _verified_by_request(dial)
                tls_failure = dial.failure if dial.ended == "tls" else None
                sni = version = tls_took = None
            if tcp is not None:
                tcp_failure, tcp_took = tcp.failure, _took(tcp)
                connected = tcp_failure is None
            else:
                tcp_failure = tcp_took = None
                connected = http is not None and http.failure is None
            self._dials.append((
                order, dial.role, dial.ended, dial.failure, None, dial.hop,
                ip, networks.get(ip, 0), bogon(ip), ip in trusted, dial.port, connected, tcp_failure, tcp_took,
                sni, answered, verified, tls_failure, tls_took, version,
            ))  # fmt: skip

    def _lookup(
        self, lookup: Query, trusted: frozenset[str], known: dict[int, tuple[int, dict[str, int]]]
    ) -> tuple[int, dict[str, int]]:
        """The number of a lookup that is new in its target, and the networks of its answers."""
        values, networks = _lookup_of(lookup, trusted)
        found = known[id(lookup)] = self._lookups.add(values), networks
        return found

    def _answer(self, http: HttpTransaction) -> int:
        values = pages.answer_of(http)
        self.bodies += values[_BODY_LENGTH] or 0  # type: ignore[operator]  # a number, as the schema says
        return self._answers.add(values)

    def _certificate(self, tls: Handshake) -> int:
        shown = bytes(tls.peer_certificates)
        known = self._by_certificate.get(shown)
        if known is None:
            known = self._by_certificate[shown] = self._certificates.add(certificate_of(shown))
        self._shown = Raw(shown), known
        return known

    def add_ours(self, measurement: Envelope, told: Own, head: tuple[object, ...]) -> None:
        """Take one measurement of our own probe, whose evidence says more than OONI's records.

        Args:
            measurement: the envelope.
            told: what the probe wrote into it.
            head: what :func:`head_of` made, with OONI's verdict.
        """
        url = measurement.address
        host = host_of(url)
        named = {"target": 0, "url": url[:2048], "domain": host[:253], **ours.target_of(told.evidence)}
        named["service"] = told.service or service_of(measurement.test_name, host)
        number = self._measurements.add((*head, ours.network_of(told.evidence)))
        target = self._targets.add(ours.in_order(named, schema.TARGET.names))
        for dial in ours.dials_of(told.evidence) or [ours.no_dial()]:
            self._measurements.of.append(number)
            self._targets.of.append(target)
            for part in (self._lookups, self._certificates, self._answers):
                part.of.append(part.add(ours.in_order(dial, part.kind.names)))
            self._dials.append(ours.in_order(dial, _ALONE.names))

    def batch(self) -> Batch:
        """The rows as columns, in the order in which they came."""
        return Batch(
            self._measurements.part(),
            self._targets.part(),
            tuple(part.part() for part in (self._lookups, self._certificates, self._answers)),
            table_of(self._dials, _ALONE),
        )


_LOOKUP = pa.schema([
    schema.DIAL.field(name)
    for name in (
        "dns_asked", "dns_engine", "dns_resolver", "dns_failure", "dns_answers", "dns_took", "answered_bogon",
        "answered_trusted", "answered_block", "answered_substitute", "answered_twice",
    )
])  # fmt: skip
_CERTIFICATE = pa.schema([
    schema.DIAL.field(name)
    for name in ("certificate", "certificate_issuer", "certificate_subject", "certificate_until", "issuer_known")
])  # fmt: skip
_ELSEWHERE = {*_LOOKUP.names, *_CERTIFICATE.names, *pages.COLUMNS}
_ALONE = pa.schema([field for field in schema.DIAL if field.name not in _ELSEWHERE])
_NO_LOOKUP: tuple[object, ...] = (False, None, None, None, [], None, False, False, False, False, False)
_BODY_LENGTH = pages.COLUMNS.index("body_length")
_NOT_ASKED: tuple[int, dict[str, int]] = (0, {})
_NOTHING = Sight(url="", host="", kind="tcp", dials=[])
_NO_DIALS = (Dial(role="none"),)


def _lookup_of(lookup: Query, trusted: frozenset[str]) -> tuple[tuple[object, ...], dict[str, int]]:
    """The columns of a lookup, and in which network each of its answers lies, as far as it says."""
    answers: list[str] = []
    networks: dict[str, int] = {}
    for answer in lookup.answers or ():
        if address := answer.ipv4 or answer.ipv6:
            answers.append(address)
            if answer.asn:
                networks[address] = answer.asn
    believed = trusted.issuperset(answers)  # as nearly all are
    kinds = () if believed else {_address_kind(address) for address in answers if address not in trusted}
    return (
        True, lookup.engine or "system", lookup.resolver_address, lookup.failure, answers, _took(lookup),
        any(map(bogon, answers)), not trusted.isdisjoint(answers), "block" in kinds, "substitute" in kinds, False,
    ), networks  # fmt: skip


def head_of(
    measurement: Envelope, line: bytes | memoryview, place: tuple[str, int], latest: dt.datetime
) -> tuple[object, ...]:
    """What all rows of a measurement share, but for OONI's verdict and the canaries.

    Args:
        measurement: the envelope.
        line: its bytes, which name it where no collector did.
        place: file and line.
        latest: a measurement that says it began after this is refused.

    Raises:
        Refused: it has no time, or an impossible one.
    """
    began = _time(measurement.measurement_start_time) or _time(measurement.test_start_time)
    if began is None:
        raise Refused("no time", "neither measurement_start_time nor test_start_time can be read")
    if not EARLIEST <= began <= latest:
        wrong = NotYet if began > latest else Refused
        raise wrong("impossible time", f"{began:%Y-%m-%d} is not between {EARLIEST:%Y-%m-%d} and {latest:%Y-%m-%d}")
    uid = measurement.measurement_uid or f"content-{blake2b(line, digest_size=16).hexdigest()}"
    network_type, platform, uploader, simulated = _annotated(bytes(measurement.annotations)[:_LONGEST_ANNOTATIONS])
    software = _software(measurement.software_name or "", measurement.software_version or "", platform)
    country = measurement.country
    asn = measurement.asn
    return (
        int.from_bytes(
            blake2b(f"{uid}\0{country}\0{began.toordinal()}".encode(errors="replace"), digest_size=8).digest(),
            "big",
            signed=True,
        ),
        uid,
        country,
        began.date(),
        asn,
        network_type,
        began,
        _received(measurement.measurement_uid or ""),
        measurement.test_name[:80],
        software + BEHIND_SOFTWARE if simulated else software,
        _source(asn, software, uploader),
        asn_of(measurement.resolver_asn),
        *place,
    )


@lru_cache(maxsize=4096)
def _annotated(raw: bytes) -> tuple[str, str, str, bool]:
    """Kind of network, platform, uploader, and whether it is simulated; the same few annotations come over and over."""
    told = annotations(Raw(raw))
    network_type, platform, uploader = (told.get(name, "") for name in ("network_type", "platform", "uploader"))
    return network_type[:40], platform[:40], uploader[:128], told.get("engine_name") == ENGINE


@lru_cache(maxsize=4096)
def _software(name: str, version: str, platform: str) -> str:
    return f"{name} {version} {platform}".strip()[:120]


@lru_cache(maxsize=16384)
def _source(asn: int, software: str, uploader: str) -> int:
    told = f"{asn}\0{software}\0{uploader}".encode(errors="replace")
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big", signed=True)


def _time(told: str | None) -> dt.datetime | None:
    if not told or len(told) < 19:
        return None
    try:
        found = dt.datetime.fromisoformat(told[:19])
    except ValueError:
        return None
    return found if found.tzinfo is None else None  # cut off, a zone may be another one


def _received(uid: str) -> dt.datetime | None:
    """The collector's ids begin with its own time, as in ``20221005120000.123456_IR_webconnectivity_0123``."""
    if len(uid) < 15 or uid[14] != "." or not uid[:14].isdigit() or not uid.isascii():
        return None
    try:
        when = dt.datetime.fromisoformat(f"{uid[:8]}T{uid[8:14]}")
    except ValueError:
        return None
    return when if when >= EARLIEST else None


@lru_cache(maxsize=16384)
def _host_columns(host: str, test_name: str, country: str) -> tuple[str, str, bool, bool]:
    """Name, service, whether it is an address, and whether it stands in the country."""
    return host, service_of(test_name, host), is_literal(host), is_domestic(host, country)


def _target_row(index: int, sight: Sight, test_name: str, country: str) -> tuple[object, ...]:
    control = sight.control
    host, service, literal, domestic = _host_columns(sight.host[:253], test_name, country)
    return (
        index,
        sight.url[:2048],
        host,
        service,
        sight.kind,
        literal,
        domestic,
        False,
        bool(sight.trusted),
        any(map(bogon, sight.trusted)),
        sight.trusted_failure,
        control.asked,
        control.works,
        False,
        False,
        control.dns,
        control.tcp,
        control.tls,
        control.quic,
        control.status,
        control.failure,
        "",
    )


_OWN_WORD = frozenset(("ssl_invalid_hostname", "ssl_unknown_authority", "ssl_invalid_certificate"))


def _verified_by_request(dial: Dial) -> bool:
    """Old probes kept no handshake of a request that worked; their client checked certificates."""
    http = dial.http
    return bool(
        http and not dial.failure and http.response and http.request and (http.request.url or "").startswith("https:")
    )


@lru_cache(maxsize=65536)
def _address_kind(address: str) -> str:
    return signatures().address_kind(address)


def _took(record: Query | TcpConnect | Handshake) -> float | None:
    since, until = record.t0, record.t
    return None if since is None or until is None else until - since

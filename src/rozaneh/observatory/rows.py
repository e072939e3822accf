"""Measurements become rows: facts of each dial beside those of its target, its measurement and the control.

Theory of operation. What all rows of a measurement share is kept once, and so is what the rows of a target share; a
batch of them becomes columns, and the shared columns are spread by index. That costs a third of building every row in
full. Bodies are looked through by batch too: their heads are laid into one buffer and searched for all signatures in
one pass of a compiled automaton; only the few that hit are looked at closely.
"""

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from itertools import repeat

import numpy as np
import pyarrow as pa
from msgspec import Raw

from rozaneh.diagnosis import signatures
from rozaneh.diagnosis.signatures import page_text
from rozaneh.observatory import ours, pages, schema
from rozaneh.observatory.certificates import NO_CERTIFICATE, certificate_of
from rozaneh.observatory.subjects import is_domestic, service_of
from rozaneh.ooni import Measurement
from rozaneh.ooni.dials import Dial, Sight, bogon, host_of, is_literal
from rozaneh.ooni.own import Own
from rozaneh.ooni.records import asn_of
from rozaneh.ooni.values import annotations

EARLIEST = dt.datetime(2012, 1, 1)  # noqa: DTZ001 - times of a store are UTC and say no zone
"""Before OONI there was nothing to read."""

_LONGEST_ANNOTATIONS = 1 << 14
_NO_ANSWER = (0, None, None, None, None)


class Refused(Exception):
    """A measurement that cannot stand in the table; reason and detail are for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Rows:
    """A batch of rows on its way to becoming a table."""

    def __init__(self) -> None:
        self._measurements: list[tuple[object, ...]] = []
        self._targets: list[tuple[object, ...]] = []
        self._of_target: list[int] = []
        self._dials: list[tuple[object, ...]] = []
        self._of_dial: list[int] = []
        self._heads: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self._dials)

    @property
    def measurements(self) -> int:
        """How many measurements the batch holds."""
        return len(self._measurements)

    def keys(self) -> list[tuple[int, str, dt.date]]:
        """Key, country and day of each measurement."""
        return [(head[0], head[2], head[3]) for head in self._measurements]  # type: ignore[misc]  # as the schema says

    def owners(self) -> np.ndarray:
        """For each row the number of its measurement in the batch."""
        return np.asarray(self._of_target, np.int64)[np.asarray(self._of_dial, np.int64)]

    def add(self, measurement: Measurement, sights: Sequence[Sight], head: tuple[object, ...]) -> None:
        """Take one measurement.

        Args:
            measurement: the envelope.
            sights: its targets; without any the measurement has one empty row, so that it is counted.
            head: what :func:`head_of` made.
        """
        number = len(self._measurements)
        self._measurements.append(head)
        country = measurement.country
        for index, sight in enumerate(sights or (_NOTHING,)):
            of_target = len(self._targets)
            self._targets.append(_target_row(index, sight, measurement.test_name, country))
            self._of_target.append(number)
            trusted = sight.trusted
            for order, dial in enumerate(sight.dials or _NO_DIALS):
                self._of_dial.append(of_target)
                row, page = _dial_row(order, dial, trusted)
                if page:
                    self._heads.append((len(self._dials), page))
                self._dials.append(row)

    def add_ours(self, measurement: Measurement, told: Own, head: tuple[object, ...]) -> None:
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
        self._of_target.append(len(self._measurements))
        self._measurements.append((*head, ours.network_of(told.evidence)))
        attempts = [tried.attempt for tried in told.evidence.tried]
        for row, dial in enumerate(ours.dials_of(told.evidence) or [ours.no_dial()], len(self._dials)):
            self._of_dial.append(len(self._targets))
            self._dials.append(ours.in_order(dial, _TOLD.names))
            if attempts and (page := page_text(attempts[dial["dial"]])):
                self._heads.append((row, page[: pages.HEAD].encode(errors="replace")))
        self._targets.append(ours.in_order(named, schema.TARGET.names))

    def table(self) -> pa.Table:
        """The rows as a table of observations, in the order in which they came."""
        of_dial = pa.array(self._of_dial, pa.int32())
        of_target = pa.array(self._of_target, pa.int32()).take(of_dial)
        shared = _columns(self._measurements, schema.MEASUREMENT).take(of_target)
        targets = _columns(self._targets, schema.TARGET).take(of_dial)
        dials = _columns(self._dials, _TOLD)
        found = pages.look(self._heads, len(self._dials))
        return pa.Table.from_arrays(
            [*shared.columns, *targets.columns, *dials.columns, *found.columns], schema=schema.OBSERVATION
        )


_TOLD = pa.schema(list(schema.DIAL)[: -len(pages.COLUMNS)])
_NOTHING = Sight(url="", host="", kind="tcp", dials=[])
_NO_DIALS = (Dial(role="none"),)


def _columns(rows: list[tuple[object, ...]], kind: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else repeat((), len(kind))
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, kind, strict=True)], schema=kind
    )


def head_of(
    measurement: Measurement, line: bytes | memoryview, place: tuple[str, int], latest: dt.datetime
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
        raise Refused("impossible time", f"{began:%Y-%m-%d} is not between {EARLIEST:%Y-%m-%d} and {latest:%Y-%m-%d}")
    uid = measurement.measurement_uid or f"content-{blake2b(line, digest_size=16).hexdigest()}"
    network_type, platform, uploader = _annotated(bytes(measurement.annotations)[:_LONGEST_ANNOTATIONS])
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
        software,
        _source(asn, software, uploader),
        asn_of(measurement.resolver_asn),
        *place,
    )


@lru_cache(maxsize=4096)
def _annotated(raw: bytes) -> tuple[str, str, str]:
    """Kind of network, platform and uploader; the same few annotations come over and over."""
    told = annotations(Raw(raw))
    return told.get("network_type", "")[:40], told.get("platform", "")[:40], told.get("uploader", "")[:128]


@lru_cache(maxsize=4096)
def _software(name: str, version: str, platform: str) -> str:
    return f"{name} {version} {platform}".strip()[:120]


@lru_cache(maxsize=16384)
def _source(asn: int, software: str, uploader: str) -> str:
    return blake2b(f"{asn}\0{software}\0{uploader}".encode(errors="replace"), digest_size=8).hexdigest()


def _time(told: str | None) -> dt.datetime | None:
    if not told or len(told) < 19:
        return None
    try:
        return dt.datetime.fromisoformat(told[:19])
    except ValueError:
        return None


def _received(uid: str) -> dt.datetime | None:
    """The collector's ids begin with its own time, as in ``20221005120000.123456_IR_webconnectivity_0123``."""
    if len(uid) < 15 or uid[14] != "." or not uid[:14].isdigit() or not uid.isascii():
        return None
    with suppress(ValueError):
        when = dt.datetime.fromisoformat(f"{uid[:8]}T{uid[8:14]}")
        return when if when >= EARLIEST else None
    return None


def _target_row(index: int, sight: Sight, test_name: str, country: str) -> tuple[object, ...]:
    control = sight.control
    host = sight.host[:253]
    return (
        index,
        sight.url[:2048],
        host,
        service_of(test_name, host),
        sight.kind,
        is_literal(host),
        is_domestic(host, country),
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


def _dial_row(order: int, dial: Dial, trusted: frozenset[str]) -> tuple[tuple[object, ...], bytes]:
    """The row without its page's columns, and the text in which signatures are looked for."""
    lookup, tcp, tls, http = dial.lookup, dial.tcp, dial.tls or dial.quic, dial.http
    ip = dial.ip
    answers = [x for a in lookup.answers or () if (x := a.ipv4 or a.ipv6)] if lookup else []
    asn = 0
    if lookup:
        for answer in lookup.answers or ():
            if answer.asn and ip in (answer.ipv4, answer.ipv6):
                asn = answer.asn
    kinds = {_address_kind(x) for x in answers if x not in trusted}
    certificate = certificate_of(bytes(tls.peer_certificates)) if tls else NO_CERTIFICATE
    tls_failure = tls.failure if tls else dial.failure if dial.ended == "tls" else None
    verified = tls.failure is None and not tls.no_tls_verify if tls else _verified_by_request(dial)
    page, text_of_page = pages.page_of(http) if http and http.response else (_NO_ANSWER, b"")
    return (
        order, dial.role, dial.ended, dial.failure, None, dial.hop,
        lookup is not None,
        (lookup.engine or "system") if lookup else None,
        lookup.resolver_address if lookup else None,
        lookup.failure if lookup else None,
        answers,
        _took(lookup.t0, lookup.t) if lookup else None,
        any(map(bogon, answers)),
        any(x in trusted for x in answers),
        "block" in kinds,
        "substitute" in kinds,
        False,
        ip, asn, bogon(ip), ip in trusted, dial.port,
        tcp.failure is None if tcp else http is not None and http.failure is None,
        tcp.failure if tcp else None,
        _took(tcp.t0, tcp.t) if tcp else None,
        tls.server_name if tls else None,
        (tls is not None and (tls.failure is None or tls.failure in _OWN_WORD)) or verified,
        verified,
        tls_failure,
        _took(tls.t0, tls.t) if tls else None,
        tls.tls_version if tls else None,
        *certificate,
        http.failure if http else None,
        *page,
    ), text_of_page  # fmt: skip


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


def _took(since: float | None, until: float | None) -> float | None:
    return until - since if since is not None and until is not None else None

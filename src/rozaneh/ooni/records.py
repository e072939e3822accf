"""The records that OONI's tests share, and the envelope around them.

Names are OONI's. A field that OONI may leave out, or set to null, has a default; a field that nobody here needs is not
listed and is skipped unread. ``Raw`` fields hold bytes of the line that are decoded only when somebody asks
(:mod:`rozaneh.ooni.values`). Old measurements are read too: ``probe_asn`` may be a number, ``input`` a list, ports and
times texts, ``failure`` of a TCP connection a boolean.

All structs are ``gc=False``: what is decoded from JSON holds no cycles, and a garbage collector that walks millions of
records costs more than decoding them.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

_Name = Annotated[str, Meta(max_length=4096)]
_Text = Annotated[str, Meta(max_length=1 << 16)]
_Count = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
_Id = Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
_Asn = Annotated[int, Meta(ge=-1, le=(1 << 32) - 1)]
_Port = Annotated[int, Meta(ge=0, le=65535)]
_Status = Annotated[int, Meta(ge=-1, le=9999)]
_Seconds = Annotated[float, Meta(ge=-1e10, le=1e10)]
_Tags = Annotated[list[_Name], Meta(max_length=1000)]
MOST_RECORDS = 20_000
"""The most records of one kind that a measurement may hold."""
_Many = Meta(max_length=MOST_RECORDS)

NOTHING = Raw(b"null")
"""The default of a raw part: absent and null mean the same everywhere in the format."""


class Record(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every record has.

    Attributes:
        failure: OONI's name of the failure, or none.
        t0: seconds from the start of the measurement to the start of the operation.
        t: seconds from the start of the measurement to its end.
        tags: texts such as ``depth=0`` and ``fetch_body=true``.
        transaction_id: joins the records of one lookup, or of one connection and what was done on it.
    """

    failure: _Text | None = None
    t0: _Seconds | None = None
    t: _Seconds | None = None
    tags: _Tags | None = None
    transaction_id: _Id | None = None


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One answer to a DNS query (df-002)."""

    answer_type: _Name | None = None
    ipv4: _Name | None = None
    ipv6: _Name | None = None
    hostname: _Name | None = None
    asn: _Asn | None = None


class Query(Record, frozen=True, gc=False, kw_only=True):
    """One DNS lookup (df-002)."""

    answers: Annotated[list[Answer], _Many] | None = None
    engine: _Name | None = None
    hostname: _Name | None = None
    query_type: _Name | None = None
    resolver_address: _Name | None = None


class TcpStatus(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a TCP connection ended; ``failure`` was a boolean in some old versions (ooni/spec#277)."""

    failure: _Text | bool | None = None
    success: bool | None = None


class TcpConnect(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One attempt to connect by TCP (df-005)."""

    ip: _Name | None = None
    port: _Port | _Name | None = None
    status: TcpStatus = TcpStatus()
    t0: _Seconds | None = None
    t: _Seconds | None = None
    tags: _Tags | None = None
    transaction_id: _Id | None = None

    @property
    def failure(self) -> str | None:
        """OONI's name of the failure, or none."""
        status = self.status
        told = status.failure
        if told is None and status.success is not False:  # nearly all are
            return None
        if isinstance(told, str):
            return told
        return None if told is False else "unknown_failure"


class Handshake(Record, frozen=True, gc=False, kw_only=True):
    """One TLS or QUIC handshake (df-006).

    Attributes:
        network: ``tcp`` or, for QUIC, ``udp``; older probes wrote ``quic``.
        peer_certificates: raw; see :func:`rozaneh.ooni.values.certificates`.
    """

    network: _Name | None = None
    address: _Name | None = None
    server_name: _Name | None = None
    tls_version: _Name | None = None
    no_tls_verify: bool | None = None
    peer_certificates: Raw = NOTHING


class HttpRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was asked (df-001)."""

    url: _Text | None = None
    headers: Raw = NOTHING
    headers_list: Raw = NOTHING


class HttpResponse(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What came back (df-001).

    Attributes:
        body: raw; see :func:`rozaneh.ooni.values.content`.
        headers: raw; see :func:`rozaneh.ooni.values.header_pairs`.
        headers_list: the same.
    """

    code: _Status | None = None
    body: Raw = NOTHING
    body_is_truncated: bool | None = None
    headers: Raw = NOTHING
    headers_list: Raw = NOTHING


class HttpTransaction(Record, frozen=True, gc=False, kw_only=True):
    """One request and its answer (df-001). A measurement lists the newest first."""

    address: _Name | None = None
    request: HttpRequest | None = None
    response: HttpResponse | None = None


class NetworkEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One operation on a socket (df-008)."""

    operation: _Name | None = None
    address: _Name | None = None
    failure: _Text | None = None
    num_bytes: _Count | None = None
    proto: _Name | None = None
    t0: _Seconds | None = None
    t: _Seconds | None = None
    tags: _Tags | None = None
    transaction_id: _Id | None = None


Queries = Annotated[list[Query], _Many]
TcpConnects = Annotated[list[TcpConnect], _Many]
Handshakes = Annotated[list[Handshake], _Many]
Transactions = Annotated[list[HttpTransaction], _Many]
NetworkEvents = Annotated[list[NetworkEvent], Meta(max_length=10 * MOST_RECORDS)]


class Envelope(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every measurement says of itself (df-000), whatever the test.

    Attributes:
        input: what was measured, usually a URL; some tests take a list, most of the others nothing.
        annotations: raw; see :func:`rozaneh.ooni.values.annotations`.
    """

    test_name: _Name = ""
    test_version: _Name | None = None
    test_runtime: _Seconds | None = None
    test_start_time: _Name | None = None
    measurement_start_time: _Name | None = None
    measurement_uid: _Name | None = None
    report_id: _Name | None = None
    id: _Name | None = None
    input: _Text | Annotated[list[_Text | None], _Many] | None = None
    annotations: Raw = NOTHING
    data_format_version: _Name | _Seconds | None = None
    probe_asn: _Name | _Asn | None = None
    probe_cc: _Name | None = None
    probe_network_name: _Name | None = None
    resolver_asn: _Name | _Asn | None = None
    resolver_ip: _Name | None = None
    resolver_network_name: _Name | None = None
    software_name: _Name | None = None
    software_version: _Name | None = None

    @property
    def asn(self) -> int:
        """The number of the network that was measured from; 0 when unknown."""
        return asn_of(self.probe_asn)

    @property
    def country(self) -> str:
        """Two capitals; ``ZZ`` when unknown."""
        return _country_of(self.probe_cc or "")

    @property
    def started(self) -> datetime | None:
        """When the measurement began (UTC); none where no readable time is given."""
        for text in (self.measurement_start_time, self.test_start_time):
            try:
                return datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            except ValueError:
                continue
        return None

    @property
    def address(self) -> str:
        """The input as one text; empty where there is none."""
        told = self.input
        return (told[0] or "" if told else "") if isinstance(told, list) else told or ""


class Measurement(Envelope, frozen=True, gc=False, kw_only=True):
    """One measurement, whatever the test.

    Attributes:
        test_keys: raw; see :func:`rozaneh.ooni.decode.web_keys` and :func:`rozaneh.ooni.decode.keys_of`.
    """

    test_keys: Raw = NOTHING


@lru_cache(maxsize=1024)
def _country_of(told: str) -> str:
    code = told.strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else "ZZ"


@lru_cache(maxsize=16384)
def asn_of(told: str | int | None) -> int:
    """The number in ``AS123``; a number stays what it is; 0 for everything else."""
    if isinstance(told, int):
        return max(told, 0)
    digits = (told or "").upper().removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0

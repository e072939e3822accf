"""The test keys of Web Connectivity, and of every test that keeps its records under the same names."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from rozaneh.ooni.records import (
    MOST_RECORDS,
    NOTHING,
    Handshakes,
    Queries,
    TcpConnects,
    Transactions,
)

_Name = Annotated[str, Meta(max_length=4096)]
_Text = Annotated[str, Meta(max_length=1 << 16)]
_Asn = Annotated[int, Meta(ge=-1, le=(1 << 32) - 1)]
_Count = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
_Many = Meta(max_length=MOST_RECORDS)


class ControlEndpoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the test helper saw at one ``ip:port``; ``server_name`` for TLS and QUIC."""

    failure: _Text | None = None
    status: bool | None = None
    server_name: _Name | None = None


class ControlHttp(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the test helper got from the site. ``status_code`` and ``body_length`` are -1 where nothing came."""

    failure: _Text | None = None
    status_code: _Count | None = None
    body_length: _Count | None = None
    title: _Text | None = None
    headers: Raw = NOTHING


class ControlDns(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the name resolved to at the test helper."""

    failure: _Text | None = None
    addrs: Annotated[list[_Name | None], _Many] | None = None


class AddressInfo(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the test helper knows of one address; flags: 1 the probe's, 2 the helper's, 4 bogon, 8 valid by TLS."""

    asn: _Asn | None = None
    flags: _Count | None = None


_Endpoints = dict[_Name, ControlEndpoint]


class HelperAnswer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer of the test helper."""

    dns: ControlDns | None = None
    tcp_connect: _Endpoints | None = None
    tls_handshake: _Endpoints | None = None
    quic_handshake: _Endpoints | None = None
    http_request: ControlHttp | None = None
    http3_request: ControlHttp | None = None
    ip_info: dict[_Name, AddressInfo | None] | None = None


class ControlRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the test helper was asked."""

    http_request: _Text | None = None


class WebKeys(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The raw records of a measurement.

    OONI's own verdict is not among them, so that no rule can rest on it.

    Attributes:
        network_events: raw; see :func:`rozaneh.ooni.values.network_events`.
        x_dns_duplicate_responses: raw; lookups, as ``queries``, for answers that came after the first.
    """

    queries: Queries | None = None
    tcp_connect: TcpConnects | None = None
    tls_handshakes: Handshakes | None = None
    quic_handshakes: Handshakes | None = None
    requests: Transactions | None = None
    network_events: Raw = NOTHING
    x_dns_duplicate_responses: Raw = NOTHING
    control: HelperAnswer | None = None
    control_failure: _Text | None = None
    x_control_request: ControlRequest | None = None
    client_resolver: _Name | None = None

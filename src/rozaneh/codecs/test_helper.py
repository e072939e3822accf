"""What a probe asks a control vantage, and what that answers: OONI's test helper protocol, as JSON.

Sources: ooni/spec ``backends/bk-003-web-connectivity.md``; the field names of ooni/probe-cli ``internal/model/th.go``.
Decoding is bounded in both directions, because neither side trusts the other.
"""

from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import msgspec

from rozaneh.core import RemoteFault

LONGEST_QUESTION = 16_384
"""Bytes of a question."""

LONGEST_ANSWER = 1 << 18
"""Bytes of an answer."""

MOST_ENDPOINTS = 16
"""Endpoints that one question may name."""

RESOLVED_BY_PROBE, RESOLVED_BY_HELPER, IS_BOGON, VALID_BY_TLS = 1, 2, 4, 8
"""The flags of :class:`IpInfo`."""

_T = TypeVar("_T")

_Text = Annotated[str, msgspec.Meta(max_length=2048)]
_Short = Annotated[str, msgspec.Meta(max_length=300)]
_Count = Annotated[int, msgspec.Meta(ge=-1, le=1 << 40)]
_Few = msgspec.Meta(max_length=64)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe asks. Keys that are not known are passed over, as the original does.

    Attributes:
        http_request: the URL to fetch; empty for endpoints alone.
        http_request_headers: headers to send with it, each with its values.
        tcp_connect: the endpoints that the probe found, ``ip:port``.
        x_quic_enabled: whether QUIC is to be tried as well.
    """

    http_request: _Text = ""
    http_request_headers: Annotated[dict[_Short, list[_Text]], _Few] = {}
    tcp_connect: Annotated[list[_Short], _Few] = []
    x_quic_enabled: bool = False


class Tcp(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to one endpoint."""

    status: bool = False
    failure: _Short | None = None


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """A handshake with one endpoint, over TCP or QUIC."""

    server_name: _Short = ""
    status: bool = False
    failure: _Short | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the URL gave, after its redirects; -1 stands for what is not known."""

    body_length: _Count = -1
    discovered_h3_endpoint: _Short = ""
    failure: _Short | None = None
    title: _Text = ""
    headers: Annotated[dict[_Short, _Text], msgspec.Meta(max_length=200)] = {}
    status_code: _Count = -1


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the name resolves to."""

    failure: _Short | None = None
    addrs: Annotated[list[_Short], _Few] | None = None


class IpInfo(msgspec.Struct, frozen=True, kw_only=True):
    """About one address; an AS number of 0 is not known."""

    asn: _Count = 0
    flags: _Count = 0


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Where the asker stands, as coarse as measurements have it; its address is no part of it.

    Attributes:
        asn: number of its network; 0 when unknown.
        cc: its country in two capitals; ``ZZ`` when unknown.
    """

    asn: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    cc: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")] = "ZZ"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a helper answers.

    Attributes:
        tcp_connect: by endpoint.
        tls_handshake: by endpoint.
        quic_handshake: by endpoint.
        http_request: the page.
        http3_request: the page over QUIC, where the site offers that and it was asked for.
        dns: what the name resolves to.
        ip_info: by address.
        x_client: where the asker stands, from helpers of ours whose operator gave them a table of networks; OONI's
            format has no such key, and its probes pass over it.
    """

    tcp_connect: Annotated[dict[_Short, Tcp], _Few] | None = None
    tls_handshake: Annotated[dict[_Short, Tls], _Few] | None = None
    quic_handshake: Annotated[dict[_Short, Tls], _Few] | None = None
    http_request: Page = Page()
    http3_request: Page | None = None
    dns: Names = Names()
    ip_info: Annotated[dict[_Short, IpInfo | None], _Few] | None = None
    x_client: Client | msgspec.UnsetType = msgspec.UNSET


def read_question(data: bytes) -> Question:
    """Read a question.

    Raises:
        RemoteFault: it is none, or too long.
    """
    if len(data) > LONGEST_QUESTION:
        raise RemoteFault("the question is too long")
    question = _decoded(data, Question)
    if question.http_request and _scheme(question.http_request) not in ("http", "https"):
        raise RemoteFault("http_request is no http or https URL")
    if len(question.tcp_connect) > MOST_ENDPOINTS:
        raise RemoteFault(f"more than {MOST_ENDPOINTS} endpoints")
    return question


def read_answer(data: bytes) -> Answer:
    """Read an answer.

    Raises:
        RemoteFault: it is none, or too long.
    """
    if len(data) > LONGEST_ANSWER:
        raise RemoteFault("the answer is too long")
    return _decoded(data, Answer)


def _scheme(url: str) -> str:
    """The scheme of a URL in lower case; empty for a text that is no URL."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _decoded(data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteFault(f"not the test helper's protocol: {str(error)[:200]}") from error

"""Anybody's measurement as evidence, so that :func:`rozaneh.diagnosis.judge` can say what it means by our rules.

A measurement that we wrote carries its whole evidence (:mod:`rozaneh.ooni.own`) and is read from there. Of any other,
the dials that :mod:`rozaneh.ooni.dials` puts together become attempts, and what the test helper saw becomes the
control. Whatever verdict the measurement carries is not looked at.

What others do not record stays unknown: OONI's probe dials no harmless name at the same address, and no canaries. Rules
that need those do not fit, and the verdict is less sure, or ``cannot_tell``.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from rozaneh.codecs.certificate import certificate
from rozaneh.core import Attempt, Failure, Observation, Op, TagValue, Target
from rozaneh.core.target import Speaks
from rozaneh.diagnosis import Control, Evidence, Role, Tried
from rozaneh.diagnosis.evidence import Kind
from rozaneh.ooni.decode import web_keys
from rozaneh.ooni.dials import Dial
from rozaneh.ooni.httpdiff import compare
from rozaneh.ooni.observations import control_page, page_of, title_of
from rozaneh.ooni.own import Own, own
from rozaneh.ooni.records import Handshake, HttpTransaction, Measurement
from rozaneh.ooni.sights import WEB, sights
from rozaneh.ooni.targets import Helped, Sight, sights_of_web
from rozaneh.ooni.values import certificates, head, header_pairs
from rozaneh.ooni.webkeys import HelperAnswer, WebKeys

VANTAGE = "test helper"
"""What the control of a measurement is called that does not name it."""

_HEAD = 8192
"""Characters of a page that are kept: as many as signatures are looked for in."""

_LONGEST_NAME = 300
_ROLES = {"system": Role.SYSTEM, "trusted": Role.TRUSTED}
_SPEAKS: dict[str, Speaks] = {"https": "https", "http": "http"}
_PORTS = {"https": 443, "http": 80}


def evidence_of(measurement: Measurement, keys: WebKeys | None = None) -> tuple[Evidence, ...]:
    """What a measurement shows, target by target. Web Connectivity has one target; a messenger's test has several.

    Args:
        measurement: anybody's.
        keys: the raw records of a Web Connectivity measurement, where they were decoded already.

    Raises:
        BadMeasurement: its records are not what OONI's format says.
    """
    carried: Own | None = own(measurement)
    if carried is not None:
        return (carried.evidence,)
    started = measurement.started.timestamp() if measurement.started else 0.0
    if keys is None and measurement.test_name == WEB:
        keys = web_keys(measurement)
    if keys is None:
        return tuple(_of_sight(sight, started) for sight in sights(measurement))
    return tuple(_of_sight(sight, started, keys.control) for sight in sights_of_web(measurement.address, keys))


def _of_sight(sight: Sight, started: float, helper: HelperAnswer | None = None) -> Evidence:
    return Evidence(
        tried=tuple(
            Tried(_ROLES[dial.role], _attempt(dial, sight, started, helper))
            for dial in sight.dials
            if dial.role in _ROLES
        ),
        trusted_answers=tuple(sorted(sight.trusted)),
        trusted_failure=Failure(sight.trusted_failure) if sight.trusted_failure else None,
        control=(_control(sight.control),) if sight.control.asked else (),
        kind=msgspec.convert(sight.kind, Kind),
    )


def _control(helped: Helped) -> Control:
    return Control(
        vantage=VANTAGE,
        addresses=tuple(helped.addresses),
        dns=helped.dns,
        tcp=helped.tcp,
        tls=helped.tls,
        http=helped.http,
        quic=helped.quic,
        status=helped.status,
        failure=Failure(helped.failure) if helped.failure else None,
    )


def _attempt(dial: Dial, sight: Sight, started: float, helper: HelperAnswer | None) -> Attempt:
    observations = tuple(_steps(dial, sight, helper))
    return Attempt(
        target=_target(dial, sight),
        spec="tcp",
        started=started + (observations[0].t0 if observations else 0.0),
        took=max((step.t0 + step.took for step in observations), default=0.0),
        failure=Failure(dial.failure) if dial.failure else None,
        observations=observations,
    )


def _target(dial: Dial, sight: Sight) -> Target:
    try:
        parts = urlsplit(sight.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    except ValueError:
        path = "/"
    return Target(
        host=sight.host or dial.ip,
        port=dial.port or _PORTS.get(sight.kind, 0),
        speaks=_SPEAKS.get(sight.kind, "raw"),
        path=path,
    )


def _steps(dial: Dial, sight: Sight, helper: HelperAnswer | None) -> Iterator[Observation]:
    """The steps that the records show, with the failure where the dial ended."""
    peer = f"[{dial.ip}]:{dial.port}" if ":" in dial.ip else f"{dial.ip}:{dial.port}"
    ended = Failure(dial.failure) if dial.failure else None
    lookup, tcp, tls, http = dial.lookup, dial.tcp, dial.tls, dial.http
    if lookup is not None:
        found = tuple(x for answer in lookup.answers or () if (x := answer.ipv4 or answer.ipv6))
        yield _step(
            Op.RESOLVE,
            (lookup.t0, lookup.t),
            ended if dial.ended == "resolve" else None,
            "",
            engine="system",
            query=lookup.hostname or sight.host,
            answers=found,
        )
    elif dial.ended == "resolve":
        yield _step(Op.RESOLVE, (None, None), ended, "", engine="system", query=sight.host)
    if tcp is not None or dial.ended == "connect":
        times = (tcp.t0, tcp.t) if tcp else (None, None)
        yield _step(Op.CONNECT, times, ended if dial.ended == "connect" else None, peer)
    if dial.ended in ("resolve", "connect"):
        return
    if tls is not None:
        yield _step(
            Op.TLS, (tls.t0, tls.t), ended if dial.ended == "tls" else None, peer, **_of_certificate(tls),
            sni=tls.server_name or "", verified=tls.failure is None and not tls.no_tls_verify,
        )  # fmt: skip
    elif dial.ended == "tls" or (sight.kind == "https" and http is not None and http.failure is None):
        # Old probes kept no handshake of their requests; their client checked certificates.
        yield _step(Op.TLS, (None, None), ended if dial.ended == "tls" else None, peer, verified=ended is None)
    if dial.quic is not None:
        yield _step(Op.QUIC, (dial.quic.t0, dial.quic.t), ended if dial.ended == "quic" else None, peer)
    if http is not None and dial.ended not in ("tls", "quic"):
        yield from _answer(http, dial, peer, differs=sight.kind == "http" and _differs(http, helper))


def _differs(http: HttpTransaction, helper: HelperAnswer | None) -> bool:
    """Whether a final page in the clear is another than the helper got; over TLS the certificate vouches for it."""
    told = helper.http_request if helper else None
    if told is None or told.failure is not None or http.failure is not None:
        return False
    page = page_of(http)
    return page.final and compare(page, control_page(told)).differs


def _answer(http: HttpTransaction, dial: Dial, peer: str, *, differs: bool) -> Iterator[Observation]:
    ended = Failure(dial.failure) if dial.failure else None
    tags = _page(http) | ({"differs": True} if differs else {})
    times = (http.t0, http.t)
    yield _step(Op.REQUEST, (http.t0, http.t0), None, peer)
    if dial.ended == "answer":
        yield _step(Op.FIRST_BYTE, times, ended, peer)
        return
    yield _step(Op.THROUGHPUT, times, ended if dial.ended == "body" else None, peer, **tags)


def _page(http: HttpTransaction) -> dict[str, TagValue]:
    response = http.response
    if response is None:
        return {}
    headers = {name.lower(): value for name, value in header_pairs(response.headers_list, response.headers)}
    shown = head(response.body, _HEAD)
    tags: dict[str, TagValue] = {
        "status": max(response.code or 0, 0),
        "location": headers.get("location", "")[:_HEAD],
        "server": headers.get("server", "")[:_LONGEST_NAME],
        "title": title_of(shown.encode()),
        "body_head": shown,
    }
    return tags


def _of_certificate(handshake: Handshake) -> dict[str, TagValue]:
    """Whose certificate was refused. One that was accepted needs no looking at, and parsing is dear."""
    if not (handshake.failure or "").startswith("ssl_"):
        return {}
    for der in certificates(handshake.peer_certificates)[:1]:
        read = certificate(der)
        return {"issuer": read.issuer[:_LONGEST_NAME]} if read is not None else {}
    return {}


def _step(
    op: Op, times: tuple[float | None, float | None], failure: Failure | None, peer: str, **tags: TagValue
) -> Observation:
    begun, ended = times
    took = max(ended - begun, 0.0) if begun is not None and ended is not None else 0.0
    return Observation(op=op, t0=begun or 0.0, took=took, failure=failure, peer=peer, tags=tags)

"""OONI's own verdict, from raw observations alone: ``blocking``, ``accessible`` and what stands beside them.

The rules are those of Web Connectivity 0.5 (ooni/probe-cli, ``internal/experiment/webconnectivitylte`` and
``internal/minipipeline``, commit 7cb2241), written anew from their description. Two analyses run side by side. The
*classic* one sees only what the system's resolver led to, and only connections that were to fetch the page; it gives
``blocking``, ``accessible``, ``dns_consistency`` and the comparison of pages. The *extended* one sees everything and
gives the flags.

The classic walk looks at the last redirect first, there at the furthest step first, there at successes before failures;
the first observation that a rule fits ends it.
"""

from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

from rozaneh.ooni.flags import Lookups, diff_of, final_of, flags
from rozaneh.ooni.httpdiff import HttpDiff
from rozaneh.ooni.observations import SYSTEM_ENGINES, Flat, Kind, Seen

_NO_ANSWER = "dns_no_answer"


class Classic(msgspec.Struct, frozen=True, kw_only=True):
    """OONI's verdict under OONI's names.

    Attributes:
        rule: which rule of the walk decided, numbered as in the documentation; empty where none fitted.
    """

    blocking: bool | str | None = None
    accessible: bool | None = None
    dns_consistency: str | None = None
    dns_experiment_failure: str | None = None
    http_experiment_failure: str | None = None
    x_blocking_flags: int = 0
    x_dns_flags: int = 0
    x_null_null_flags: int = 0
    body_proportion: float = 0.0
    body_length_match: bool | None = None
    headers_match: bool | None = None
    status_code_match: bool | None = None
    title_match: bool | None = None
    rule: str = ""


def classic(flat: Flat) -> Classic:
    """OONI's verdict on the observations of one measurement."""
    kept = _filtered(flat)
    lookups = Lookups(kept, tls_rescues=False)
    consistency = lookups.consistency()
    final = final_of(kept)
    diff = HttpDiff() if final is None else diff_of(final)
    decided = _walk(kept, diff)
    if consistency == "inconsistent" and decided.rule and not (decided.blocking is False and decided.accessible):
        decided = msgspec.structs.replace(decided, blocking="dns", accessible=False)
    blocking, dns_flags, null_flags = flags(flat)
    return Classic(
        blocking=decided.blocking,
        accessible=decided.accessible,
        rule=decided.rule,
        http_experiment_failure=decided.failure,
        dns_consistency=consistency,
        dns_experiment_failure=lookups.first_failure,
        x_blocking_flags=int(blocking),
        x_dns_flags=int(dns_flags),
        x_null_null_flags=int(null_flags),
        **msgspec.structs.asdict(diff),
    )


def _filtered(flat: Flat) -> Flat:
    """What version 0.4 would have measured: the system's resolver, its addresses, and fetches from them."""
    failed = [seen for seen in flat.failed if seen.engine in SYSTEM_ENGINES]
    resolved = [seen for seen in flat.resolved if seen.engine in SYSTEM_ENGINES]
    known = {seen.address for seen in resolved}
    endpoints = {
        transaction: seen
        for transaction, seen in flat.endpoints.items()
        # An address that nobody looked up stood in the URL, or in a redirect.
        if seen.fetches and not seen.from_helper and (seen.lookup is None or seen.address in known)
    }
    return msgspec.structs.replace(flat, failed=failed, resolved=resolved, endpoints=endpoints)


class _Decided(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    rule: str = ""
    blocking: bool | str | None = None
    accessible: bool | None = None
    failure: str | None = None


def _blocked(rule: str, blocking: str, failure: str | None = None) -> _Decided:
    return _Decided(rule=rule, blocking=blocking, accessible=False, failure=failure)


def _down(rule: str, failure: str | None = None) -> _Decided:
    return _Decided(rule=rule, blocking=False, accessible=False, failure=failure)


def _fine(rule: str, failure: str | None = None) -> _Decided:
    return _Decided(rule=rule, blocking=False, accessible=True, failure=failure)


def _unknown(rule: str, failure: str | None = None) -> _Decided:
    return _Decided(rule=rule, failure=failure)


def _walk(kept: Flat, diff: HttpDiff) -> _Decided:
    ordered = sorted(
        kept.everything(),
        key=lambda seen: (-(-1 if seen.depth is None else seen.depth), -seen.kind, seen.failure, -seen.transaction),
    )
    return next((decided for seen in ordered if (decided := _decide(seen, diff))), _Decided())


def _decide(seen: Seen, diff: HttpDiff) -> _Decided | None:
    """The first rule that fits one observation."""
    if seen.page is not None and seen.page.final:
        return _final_answer(seen, diff)
    if seen.failure:
        return _FAILURES[seen.kind](seen)
    return _only_loopback(seen) if seen.kind is Kind.DNS else None


def _final_answer(seen: Seen, diff: HttpDiff) -> _Decided:
    if seen.tls == "":
        return _fine("1.1")
    if seen.control_http is None:
        return _unknown("1.2")
    return _blocked("1.4", "http-diff") if diff.differs else _fine("1.3")


def _http_failure(seen: Seen) -> _Decided:
    if seen.control_http is None:
        return _unknown("2.1", seen.failure)
    return _down("2.2", seen.failure) if seen.control_http else _blocked("2.3", "http-failure", seen.failure)


def _tls_failure(seen: Seen) -> _Decided:
    if seen.control_tls is None:
        return _after_a_redirect("3.1", "http-failure", seen)
    return _down("3.2", seen.failure) if seen.control_tls else _blocked("3.3", "http-failure", seen.failure)


def _tcp_failure(seen: Seen) -> _Decided:
    if seen.control_tcp is None:
        return _after_a_redirect("4.1", "http-failure", seen)
    return _down("4.2", seen.failure) if seen.control_tcp else _blocked("4.3", "tcp_ip", seen.failure)


def _after_a_redirect(rule: str, blocking: str, seen: Seen) -> _Decided:
    """The helper tells of the first request alone; of the others only how the whole ended."""
    if seen.control_http is None:
        return _unknown(f"{rule}.1", seen.failure)
    return _blocked(f"{rule}.2", blocking, seen.failure)


def _dns_failure(seen: Seen) -> _Decided:
    if seen.control_dns is None:
        if seen.control_http is None:
            return _fine("5.1.1", seen.failure)
        return _blocked("5.1.2", "dns", seen.failure)
    if seen.control_dns:
        return _down("5.2", seen.failure)
    if seen.failure == _NO_ANSWER and seen.control_resolved is not None and not seen.control_resolved:
        return _down("5.3")
    return _blocked("5.4", "dns", seen.failure)


_FAILURES = {Kind.HTTP: _http_failure, Kind.TLS: _tls_failure, Kind.TCP: _tcp_failure, Kind.DNS: _dns_failure}


def _only_loopback(seen: Seen) -> _Decided | None:
    if seen.control_dns != "" or seen.resolved is None or seen.control_resolved is None:
        return None
    if not _all_loopback(seen.resolved):
        return None
    return _down("7") if _all_loopback(seen.control_resolved) else _blocked("6", "dns")


def _all_loopback(addresses: Iterable[str]) -> bool:
    return all(map(_loopback, addresses))


def _loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return True

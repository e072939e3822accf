"""Evidence of Rozaneh's own probe as rows: roles, canaries and paired transfers, which OONI's records do not have."""

from typing import Any

from rozaneh.core import Attempt, Failure, Op
from rozaneh.core.target import is_ip
from rozaneh.diagnosis import readings, signatures
from rozaneh.diagnosis.controls import FORBIDDEN, control_facts
from rozaneh.diagnosis.evidence import Control, Evidence
from rozaneh.diagnosis.network import network_facts
from rozaneh.diagnosis.speed import speed_facts
from rozaneh.ooni.dials import MOST_DIALS, bogon

_LAST_PORT, _LAST_STATUS = 65535, 999
_ENDED = {
    Op.RESOLVE: "resolve",
    Op.CONNECT: "connect",
    Op.PROXY: "connect",
    Op.TLS: "tls",
    Op.QUIC: "quic",
    Op.REQUEST: "answer",
    Op.FIRST_BYTE: "answer",
    Op.THROUGHPUT: "body",
    Op.CLOSE: "body",
}


def network_of(evidence: Evidence) -> str:
    """What the canaries showed, as the column ``network`` has it."""
    return _spaced(sorted(network_facts(evidence.canaries)))


def target_of(evidence: Evidence) -> dict[str, Any]:
    """The columns of a target, but for its name."""
    trusted = evidence.trusted_answers
    return {
        "kind": evidence.kind,
        "literal": any(is_ip(tried.attempt.target.host) for tried in evidence.tried),
        "domestic": evidence.domestic,
        "tainted": evidence.tainted,
        "trusted_known": bool(trusted),
        "trusted_bogon": any(map(bogon, trusted)),
        "trusted_failure": evidence.trusted_failure.value if evidence.trusted_failure else None,
        **_control_of(evidence.control),
        "speed": _spaced(sorted(speed_facts(evidence.slowness))),
    }


def _control_of(control: tuple[Control, ...]) -> dict[str, Any]:
    """What several vantages say together, by the facts that hold; where they stand equal, nothing."""
    known = frozenset(control_facts(control))
    return {
        "control_asked": "control.asked" in known,
        "control_works": _either(known, "control.works", "control.down"),
        "control_disagrees": "control.disagrees" in known,
        "control_remembered": "control.remembered" in known,
        "control_dns": _either(known, "control.dns.ok", "control.dns.denies"),
        "control_tcp": _either(known, "control.tcp.ok", "control.tcp.failed"),
        "control_tls": _either(known, "control.tls.ok", "control.tls.failed"),
        "control_quic": True if "control.quic.ok" in known else None,
        "control_status": _number(
            next((c.status for c in control if c.status and not c.age and _fits(c.status, known)), 0), _LAST_STATUS
        ),
        "control_failure": next((c.failure.value for c in control if c.failure), None),
    }


def _either(known: frozenset[str], yes: str, no: str) -> bool | None:
    return True if yes in known else False if no in known else None


def _fits(status: int, known: frozenset[str]) -> bool:
    """Whether a status is one of those that the fact about them rests on."""
    if "control.fine" in known:
        return 200 <= status < 400
    return status in FORBIDDEN if "control.forbidden" in known else True


def dials_of(evidence: Evidence) -> list[dict[str, Any]]:
    """The columns of each dial, in order."""
    return [
        {"dial": order, "role": tried.role.value, **dial_of(tried.attempt, evidence)}
        for order, tried in enumerate(evidence.tried[:MOST_DIALS])
    ]


def no_dial() -> dict[str, Any]:
    """The row of a target that was not dialled, so that it is counted."""
    return {"dial": 0, "role": "none", "failure": Failure.INTERRUPTED.value}


def dial_of(attempt: Attempt, evidence: Evidence) -> dict[str, Any]:
    """The columns of one dial, but for its order and role; those that are not told stay null."""
    trusted = set(evidence.trusted_answers)
    answers = readings.answers(attempt)
    kinds = {signatures().address_kind(address) for address in answers if address not in trusted}
    resolved = next(attempt.steps(Op.RESOLVE), None)
    connects, shakes = list(attempt.steps(Op.CONNECT)), list(attempt.steps(Op.TLS))
    went = [step.peer.rpartition(":")[0].strip("[]") for step in (*connects, *attempt.steps(Op.QUIC))]
    end = readings.ending(attempt)
    issuer = next((str(step.tag("issuer")) for step in shakes if step.tag("issuer")), None)
    pages = signatures().page_matches(attempt)
    failed_shake = next((step for step in shakes if step.failure), None)
    return {
        "ended": None if attempt.failure is None else _ENDED[end.op] if end else "connect",
        "failure": _failure(attempt),
        "alert": readings.manner(failed_shake) == "alert" if failed_shake else None,
        "hop": 0,
        "dns_asked": resolved is not None,
        "dns_failure": next((step.failure.value for step in attempt.steps(Op.RESOLVE) if step.failure), None),
        "dns_answers": list(answers),
        "dns_took": resolved.took if resolved else None,
        "answered_bogon": any(map(bogon, answers)),
        "answered_trusted": not trusted.isdisjoint(answers),
        "answered_block": "block" in kinds,
        "answered_substitute": "substitute" in kinds,
        "answered_twice": bool(answers and set(readings.late_answers(attempt)) - set(answers)),
        "ip": went[-1] if went else "",
        "ip_asn": 0,
        "ip_bogon": any(map(bogon, went)),
        "ip_trusted": not trusted.isdisjoint(went),
        "port": _number(attempt.target.port, _LAST_PORT),
        "connected": readings.connected(attempt),
        "tcp_failure": next((step.failure.value for step in connects if step.failure), None),
        "tcp_took": min((step.took for step in connects if step.failure is None), default=None),
        "sni": next((str(step.tag("sni")) for step in shakes if step.tag("sni")), None),
        "answered": readings.tls_answered(attempt),
        "verified": readings.verified(attempt, evidence.issuer),
        "tls_failure": failed_shake.failure.value if failed_shake and failed_shake.failure else None,
        "tls_took": failed_shake.took if failed_shake else shakes[-1].took if shakes else None,
        "certificate_issuer": issuer,
        "issuer_known": bool(issuer) and signatures().known_issuer(issuer or ""),
        "status": _number(readings.status(attempt), _LAST_STATUS),
        "location": readings.location(attempt) or None,
        "page_block": any(page.kind == "block" for page in pages),
        "page_refusal": any(page.kind == "refusal" for page in pages),
        "page_challenge": any(page.kind == "challenge" for page in pages),
        "signatures": [page.id for page in pages],
    }


def _number(told: int, last: int) -> int:
    """A number that a stranger may have written; one that cannot be is none."""
    return int(told) if 0 <= told <= last else 0


def _failure(attempt: Attempt) -> str | None:
    """Of the step that ended it; an interrupted attempt stays that, whatever its steps saw."""
    end = readings.ending(attempt)
    if attempt.failure in (None, Failure.INTERRUPTED) or end is None or end.failure is None:
        return attempt.failure.value if attempt.failure else None
    return end.failure.value


def in_order(columns: dict[str, Any], names: list[str]) -> tuple[object, ...]:
    """Columns as a row; what is not told is null."""
    return tuple(columns.get(name) for name in names)


def _spaced(facts: list[str]) -> str:
    return f" {' '.join(facts)} " if facts else ""

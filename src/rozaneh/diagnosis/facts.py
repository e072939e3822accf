"""From evidence to named facts. Pure: predicates about what was seen, no judgement.

Facts of a role are named after it: ``neutral_name.tried``, ``.ok`` (an attempt worked), ``.failed`` (none did),
``.unsteady`` (some did), ``.repeated`` (failed alike at least twice), ``.connected``, ``.answered`` (TLS came back, be
it an alert), ``.verified`` (a valid certificate) and ``.stage.manner`` for how it failed, as in
``neutral_name.tls.reset``. ``path`` is no role of its own: it holds the attempts that went to addresses that are
believed right, whoever named them.

All facts that exist are in :data:`FACTS`. A rule that names another one is refused, so that a misspelt rule cannot stay
silent; the observatory asks its tables for them by the same names.
"""

from collections.abc import Iterator

from rozaneh.core import Attempt, Failure, Op
from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip
from rozaneh.diagnosis import readings
from rozaneh.diagnosis.controls import CONTROL_FACTS, FORBIDDEN, control_facts
from rozaneh.diagnosis.evidence import Evidence, Role
from rozaneh.diagnosis.network import NETWORK_FACTS, network_facts
from rozaneh.diagnosis.signatures import Signatures, signatures
from rozaneh.diagnosis.speed import SPEED_FACTS, speed_facts
from rozaneh.diagnosis.views import View, view_facts
from rozaneh.diagnosis.worked import LAYER_FACTS, Dial, layer_facts

_KINDS = ("https", "http", "tls", "tcp", "udp", "quic")
_TARGET_FACTS = (
    "target.ok",
    "target.literal",
    "target.domestic",
    "target.tainted",
    *(f"target.{kind}" for kind in _KINDS),
)
_DNS_FACTS = (
    "dns.asked", "dns.answered", "dns.bogon", "dns.signature", "dns.substitute", "dns.two_answers", "dns.disjoint",
    "dns.trusted", "dns.trusted_denies",
)  # fmt: skip
_PAGE_FACTS = (
    "page.block", "page.refusal", "page.challenge", "page.forbidden", "page.legal", "page.fine", "page.issuer",
    "page.differs",
)  # fmt: skip
_RESET_FACTS = ("reset.from_far", "reset.from_midway")

FACTS = frozenset(
    (
        *_TARGET_FACTS, *_DNS_FACTS, *_PAGE_FACTS, *_RESET_FACTS, *CONTROL_FACTS, *NETWORK_FACTS, *SPEED_FACTS,
        *LAYER_FACTS, *view_facts("path"), *(fact for role in Role for fact in view_facts(role.value)),
    )
)  # fmt: skip
"""Every fact that there is."""


def facts(evidence: Evidence, known: Signatures | None = None) -> frozenset[str]:
    """The facts that hold.

    Args:
        evidence: what was seen.
        known: signatures; by default those that come with Rozaneh.
    """
    known = known or signatures()
    return frozenset(
        (
            *_target_facts(evidence),
            *_dns_facts(evidence, known),
            *_page_facts(evidence, known),
            *_reset_facts((*path(evidence), *evidence.of(Role.NEUTRAL_NAME))),
            *control_facts(evidence.control),
            *network_facts(evidence.canaries),
            *speed_facts(evidence.slowness),
            *layer_facts(evidence.kind, _dials(evidence), evidence.issuer),
            *View("path", path(evidence), evidence.issuer).facts(),
            *(fact for role in Role for fact in View(role.value, evidence.of(role), evidence.issuer).facts()),
        )
    )


def path(evidence: Evidence) -> tuple[Attempt, ...]:
    """The attempts that went to addresses believed to be the target's own."""
    return tuple(dial.attempt for dial in _dials(evidence) if dial.right and dial.role is not Role.QUIC)


def _dials(evidence: Evidence) -> Iterator[Dial]:
    """The attempts at the target itself, by its own name and at its own addresses as far as that is known."""
    trusted = set(evidence.trusted_answers)
    for role, attempt in ((tried.role, tried.attempt) for tried in evidence.tried):
        if attempt.failure is not Failure.INTERRUPTED and role in (Role.SYSTEM, Role.TRUSTED, Role.QUIC):
            yield Dial(role, attempt, role is not Role.SYSTEM or _went_right(attempt, trusted, evidence))


def _went_right(attempt: Attempt, trusted: set[str], evidence: Evidence) -> bool:
    if readings.verified(attempt, evidence.issuer) or is_ip(attempt.target.host):
        return True
    if any(step.failure is not None for step in attempt.steps(Op.RESOLVE)):
        return False
    went = {_host(step.peer) for op in (Op.CONNECT, Op.QUIC) for step in attempt.steps(op)} | set(
        readings.answers(attempt)
    )
    if any(map(_bogon, went)):
        return False
    return not trusted or bool(went & trusted)


def _target_facts(evidence: Evidence) -> Iterator[str]:
    yield f"target.{evidence.kind}"
    if any(is_ip(tried.attempt.target.host) for tried in evidence.tried):
        yield "target.literal"
    if evidence.domestic:
        yield "target.domestic"
    if evidence.tainted:
        yield "target.tainted"
    if any(attempt.ok for attempt in evidence.of(Role.SYSTEM)):
        yield "target.ok"


def _dns_facts(evidence: Evidence, known: Signatures) -> Iterator[str]:
    system = evidence.of(Role.SYSTEM)
    trusted = set(evidence.trusted_answers)
    answers = {address for attempt in system for address in readings.answers(attempt)}
    if any(True for attempt in system for _ in attempt.steps(Op.RESOLVE)):
        yield "dns.asked"
    if answers:
        yield "dns.answered"
    if trusted:
        yield "dns.trusted"
    if evidence.trusted_failure in (Failure.DNS_NXDOMAIN_ERROR, Failure.DNS_NO_ANSWER):
        yield "dns.trusted_denies"
    if any(map(_bogon, answers)) and not any(map(_bogon, trusted)):
        yield "dns.bogon"
    kinds = {known.address_kind(address) for address in answers - trusted}
    if "block" in kinds:
        yield "dns.signature"
    if "substitute" in kinds:
        yield "dns.substitute"
    if answers and trusted and not answers & trusted:
        yield "dns.disjoint"
    if any(_two_answers(attempt) for attempt in system):
        yield "dns.two_answers"


def _two_answers(attempt: Attempt) -> bool:
    """One question was answered twice, and differently: somebody on the path answers too."""
    first, late = set(readings.answers(attempt)), set(readings.late_answers(attempt))
    return bool(first and late - first)


def _page_facts(evidence: Evidence, known: Signatures) -> Iterator[str]:
    attempts = (*evidence.of(Role.SYSTEM), *evidence.of(Role.TRUSTED))
    yield from sorted({f"page.{kind}" for attempt in attempts for kind in known.page_kinds(attempt)})
    if any(step.tag("differs", default=False) is True for attempt in path(evidence) for step in attempt.observations):
        yield "page.differs"
    statuses = {readings.status(attempt) for attempt in path(evidence)}
    if not statuses.isdisjoint(FORBIDDEN):
        yield "page.forbidden"
    if 451 in statuses:
        yield "page.legal"
    if any(200 <= status < 400 for status in statuses):
        yield "page.fine"
    shown = (*attempts, *evidence.of(Role.UNVERIFIED))
    issuers = {str(step.tag("issuer")) for attempt in shown for step in attempt.steps(Op.TLS)}
    if any(known.known_issuer(issuer) for issuer in issuers):
        yield "page.issuer"


_FAR, _MIDWAY = 0.85, 0.7


def _reset_facts(attempts: tuple[Attempt, ...]) -> Iterator[str]:
    """How far away resets came from, by their time against that of the TCP handshake with the server itself.

    A box between cannot answer later than the server unless it waits; the server cannot answer sooner than it can. The
    shortest times of all attempts are compared, because a busy machine makes times longer and never shorter.
    """
    round_trips = [step.took for attempt in attempts for step in attempt.steps(Op.CONNECT) if step.failure is None]
    resets = [
        step.took for attempt in attempts for step in attempt.steps(Op.TLS) if readings.manner(step) == "reset"
    ]  # fmt: skip
    if len(resets) < 2 or not round_trips:
        return
    if min(resets) >= _FAR * min(round_trips):
        yield "reset.from_far"
    elif min(resets) <= _MIDWAY * min(round_trips):
        yield "reset.from_midway"


def _host(peer: str) -> str:
    return peer.rpartition(":")[0].strip("[]")


def _bogon(address: str) -> bool:
    return bool(address) and is_ip(address) and is_bogon(address)

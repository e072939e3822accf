"""Evidence in, verdict out."""

from collections.abc import Sequence

from rozaneh.diagnosis.evidence import Evidence
from rozaneh.diagnosis.facts import facts
from rozaneh.diagnosis.rules import Rule, rules
from rozaneh.diagnosis.verdict import Layer, Mechanism, Outcome, Verdict, Who

EACH_MISSING = 0.1
"""What each absent one of a rule's wants takes off its confidence."""
LEAST = 0.3
"""Below this no confidence falls, but that of a verdict that cannot tell."""
AGREEMENT = "control.agreement"
"""What is missing where vantages say opposite things."""


def judge(evidence: Evidence, known_rules: Sequence[Rule] | None = None) -> Verdict:
    """What the evidence says: the first rule that fits decides; those that fit too and agree are named after it.

    Args:
        evidence: what was seen.
        known_rules: by default those that come with Rozaneh.
    """
    known = facts(evidence)
    return verdict_of([rule for rule in (rules() if known_rules is None else known_rules) if rule.fits(known)], known)


def verdict_of(fitting: Sequence[Rule], known: frozenset[str], where: Layer | None = None) -> Verdict:
    """The verdict of rules that fit.

    Args:
        fitting: in their order; the first decides.
        known: the facts.
        where: of what it is the verdict, where that is not for the rule to say.
    """
    if not fitting:
        return Verdict(
            verdict=Outcome.CANNOT_TELL,
            mechanism=Mechanism.UNKNOWN,
            where=where or Layer.NOWHERE,
            who=Who.UNKNOWN,
            missing=missing_evidence(known),
        )
    first, *others = fitting
    absent = tuple(fact for fact in first.wants if fact not in known)
    unsure = first.verdict is Outcome.CANNOT_TELL
    return Verdict(
        verdict=first.verdict,
        mechanism=first.mechanism,
        where=where or first.where,
        who=first.who,
        confidence=round(max(LEAST if not unsure else 0.0, first.confidence - EACH_MISSING * len(absent)), 2),
        rules=(first.id, *(rule.id for rule in others if rule.mechanism is first.mechanism)),
        missing=tuple(dict.fromkeys((*absent, *(missing_evidence(known) if unsure else ())))),
        also=_behind(first, others),
    )


def _behind(first: Rule, others: Sequence[Rule]) -> tuple[Mechanism, ...]:
    """The obstacles of other rules that fit, where the first says that something is blocked."""
    if first.verdict is not Outcome.BLOCKED:
        return ()
    found = (rule.mechanism for rule in others if rule.verdict in (Outcome.BLOCKED, Outcome.THROTTLED))
    return tuple(dict.fromkeys(mechanism for mechanism in found if mechanism is not first.mechanism))


_COULD_TELL_MORE: tuple[tuple[str, frozenset[str]], ...] = (
    ("attempt", frozenset(("system.tried", "path.tried", "shaped.tried"))),
    ("control.asked", frozenset(("control.asked", "target.domestic", "target.ok"))),
    ("dns.trusted", frozenset(("dns.trusted", "dns.trusted_denies", "target.literal", "target.ok"))),
    ("network.foreign.alive", frozenset(("network.foreign.alive", "network.foreign.dead", "target.ok"))),
    ("path.repeated", frozenset(("path.repeated", "system.repeated", "target.ok"))),
)
"""Evidence by the name under which it is reported missing, with the facts of which one shows that it is not."""


def missing_evidence(known: frozenset[str]) -> tuple[str, ...]:
    """What was not tried, or not often enough, that could have told more."""
    disputed = (AGREEMENT,) if "control.disagrees" in known else ()
    return (*(name for name, instead in _COULD_TELL_MORE if known.isdisjoint(instead)), *disputed)

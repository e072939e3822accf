"""The rules of :mod:`rozaneh.diagnosis` as one table expression: the first that fits decides, as on one measurement."""

from collections.abc import Sequence
from functools import reduce
from hashlib import blake2b
from operator import and_
from typing import Final

import ibis
import msgspec

from rozaneh.diagnosis import Mechanism, Outcome, Rule, Who, rules
from rozaneh.diagnosis.judge import EACH_MISSING, LEAST
from rozaneh.diagnosis.verdict import Layer
from rozaneh.observatory import schema
from rozaneh.observatory.facts import Column, Table, any_of, column, with_facts

_HUNDRED: Final = 100


def rules_version(asked: Sequence[Rule] | None = None) -> str:
    """A digest of the rules: verdicts with the same one were made by the same rules."""
    return blake2b(msgspec.json.encode(rules() if asked is None else asked), digest_size=6).hexdigest()


def judged(observations: Table, asked: Sequence[Rule] | None = None) -> Table:
    """Verdicts, one row for each measurement and target, with the columns of :data:`schema.VERDICT`.

    Args:
        observations: a table of observations.
        asked: the rules; by default those that come with Rozaneh.
    """
    known = tuple(rules() if asked is None else asked)
    facts = with_facts(observations, {fact for rule in known for fact in rule.named})
    facts = facts.mutate(compared=facts.speed.contains(" speed.compared ").fill_null(ibis.literal(value=False)))
    return concluded(facts, known).select(*schema.VERDICT.names)


def concluded(facts: Table, known: Sequence[Rule]) -> Table:
    """A table with a boolean column for each fact that rules name, and with what the first rule that fits says."""
    chosen = facts.mutate(chosen=_first(facts, known))
    told = {
        "verdict": _told(chosen, [rule.verdict.value for rule in known], Outcome.CANNOT_TELL.value),
        "mechanism": _told(chosen, [rule.mechanism.value for rule in known], Mechanism.UNKNOWN.value),
        "layer": _told(chosen, [rule.where.value for rule in known], Layer.NOWHERE.value),
        "who": _told(chosen, [rule.who.value for rule in known], Who.UNKNOWN.value),
        "rule": _told(chosen, [rule.id for rule in known], ""),
        "level": _told(chosen, [rule.level for rule in known], ""),
        "confidence": _confidence(chosen, known),
        "rules_version": ibis.literal(rules_version(known)),
    }
    return chosen.mutate(**told)


def _first(facts: Table, known: Sequence[Rule]) -> Column:
    """The number of the first rule that fits; -1 where none does."""
    return ibis.cases(*((_fits(facts, rule), number) for number, rule in enumerate(known)), else_=-1).cast("int64")


def _fits(facts: Table, rule: Rule) -> Column:
    parts = [facts[column(fact)] for fact in rule.needs]
    parts += [any_of(facts[column(fact)] for fact in group) for group in rule.any]
    parts += [~facts[column(fact)] for fact in rule.unless]
    return reduce(and_, parts, ibis.literal(value=True))


def _told(chosen: Table, texts: Sequence[str], otherwise: str) -> Column:
    by_text: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        by_text.setdefault(text, []).append(number)
    branches = [(chosen.chosen.isin(numbers), text) for text, numbers in by_text.items() if text != otherwise]
    return ibis.cases(*branches, else_=otherwise) if branches else ibis.literal(otherwise)


def _confidence(chosen: Table, known: Sequence[Rule]) -> Column:
    """In hundredths until the end, so that every engine rounds alike."""
    branches = []
    for number, rule in enumerate(known):
        least = 0 if rule.verdict is Outcome.CANNOT_TELL else round(LEAST * _HUNDRED)
        each = round(EACH_MISSING * _HUNDRED)
        absent = sum((~chosen[column(fact)]).cast("int64") for fact in rule.wants)
        found = ibis.literal(round(rule.confidence * _HUNDRED), "int64") - absent * each
        branches.append((chosen.chosen == number, ibis.greatest(found, least) if rule.wants else found))
    hundredths = ibis.cases(*branches, else_=ibis.literal(0, "int64"))
    return hundredths.cast("float64") / _HUNDRED


def hourly(verdicts: Table) -> Table:
    """Verdicts counted by hour, with the columns of :data:`schema.HOUR`."""
    is_failed = ~verdicts.verdict.isin([outcome.value for outcome in _COUNTED]) & ~verdicts.reading.isin(["", "ok"])
    counted = {outcome.value: (verdicts.verdict == outcome.value) for outcome in _COUNTED}
    known = any_of([*counted.values(), is_failed])
    named = ibis.ifelse(verdicts.service == "", verdicts.domain, verdicts.service)
    v = verdicts.mutate(
        subject=ibis.ifelse(verdicts.kind == "quic", ibis.literal("quic.").concat(named), named),
        hour=verdicts.time.truncate("h"),
        reading=ibis.ifelse(is_failed, verdicts.reading, ""),
        is_failed=is_failed.cast("int64"),
        is_void=(~known).cast("int64"),
        **{f"is_{name}": flag.cast("int64") for name, flag in counted.items()},
    )
    sums = {name: v[f"is_{name}"].sum() for name in schema.COUNTS if name != "n"}
    grouped = v.group_by(_HOUR_KEYS).aggregate(
        n=v.count(), **sums, compared=v.compared.cast("int64").sum(), received=v.received.max()
    )
    return grouped.select(*schema.HOUR.names)


def summed(hours: Table) -> Table:
    """Hours that were counted in pieces, put together."""
    sums = {name: hours[name].sum() for name in (*schema.COUNTS, "compared")}
    return hours.group_by(_HOUR_KEYS).aggregate(**sums, received=hours.received.max()).select(*schema.HOUR.names)


_HOUR_KEYS: Final = (
    "country", "day", "asn", "network_type", "subject", "test_name", "mechanism", "reading", "hour", "source",
)  # fmt: skip

_COUNTED: Final = (
    Outcome.OK, Outcome.BLOCKED, Outcome.THROTTLED, Outcome.REFUSED, Outcome.DOWN, Outcome.OUTAGE,
    Outcome.DOMESTIC_ONLY,
)  # fmt: skip

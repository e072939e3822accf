"""The rules of :mod:`rozaneh.diagnosis` as one table expression: the first that fits decides, as on one measurement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from hashlib import blake2b
from operator import add
from typing import Any, Final, Protocol

import ibis
import msgspec

from rozaneh.diagnosis import Mechanism, Outcome, Rule, Who, rules
from rozaneh.diagnosis.judge import EACH_MISSING, LEAST
from rozaneh.diagnosis.verdict import Layer
from rozaneh.observatory import schema
from rozaneh.observatory.facts import Facts, any_of, ending_of, reading_of
from rozaneh.observatory.gathered import KEY, Column, Table
from rozaneh.observatory.subjects import QUIC

HUNDRED: Final = 100
"""Of how many parts a confidence is."""
_OK: Final = "target.ok"
WORDS: Final[Mapping[str, tuple[Callable[[Rule], str], str]]] = {
    "verdict": (lambda rule: rule.verdict.value, Outcome.CANNOT_TELL.value),
    "mechanism": (lambda rule: rule.mechanism.value, Mechanism.UNKNOWN.value),
    "layer": (lambda rule: rule.where.value, Layer.NOWHERE.value),
    "who": (lambda rule: rule.who.value, Who.UNKNOWN.value),
    "rule": (lambda rule: rule.id, ""),
    "level": (lambda rule: rule.level, ""),
}
"""What a rule says, by column, and what is said where none fits."""


def rules_version(asked: Sequence[Rule]) -> str:
    """A digest of rules: verdicts with the same one were made by the same rules."""
    return blake2b(msgspec.json.encode(asked), digest_size=6).hexdigest()


def judged(observations: Table) -> Table:
    """Verdicts, one row for each measurement and target, with the columns of :data:`schema.VERDICT`.

    Args:
        observations: a table of observations.
    """
    known = rules()
    facts = _facts_of(known)
    rows = facts.of(observations)
    told = concluded(rows.mutate(reading=reading_of(rows), compared=_compared(rows)), known, facts)
    return told.select(*schema.VERDICT.names)


def decided(observations: Table) -> Table:
    """The same in numbers alone, for whoever has the rows and looks up the words (:mod:`rozaneh.observatory.wording`).

    A row for each measurement and target, by its key: ``chosen``, the number of the rule that decides, or -1;
    ``hundredths``, how sure it is; ``ended``, as :func:`rozaneh.observatory.facts.ending_of` says; and ``compared``.
    """
    known = rules()
    facts = _facts_of(known)
    rows = facts.of(observations)
    rows = rows.mutate(chosen=_first(rows, known, facts), ended=ending_of(rows), compared=_compared(rows))
    return rows.mutate(hundredths=_hundredths(rows, known, facts)).select(
        *KEY, "chosen", "hundredths", "ended", "compared"
    )


def _facts_of(known: Sequence[Rule]) -> Facts:
    return Facts({_OK, *(fact for rule in known for fact in rule.named)})


def _compared(rows: Table) -> Column:
    return rows.speed.contains(" speed.compared ").fill_null(ibis.literal(value=False))


class Reader(Protocol):
    """How facts are read from a table; null is never what it gives."""

    def holds(self, t: Table, fact: str) -> Column:
        """Whether a fact holds."""

    def fits(self, t: Table, rule: Rule) -> Column:
        """Whether a rule fits."""


def concluded(rows: Table, known: Sequence[Rule], facts: Reader) -> Table:
    """A table with what the first rule that fits says.

    Args:
        rows: what facts are read from.
        known: the rules.
        facts: reads them.
    """
    return said(rows.mutate(chosen=_first(rows, known, facts)), known, facts)


def said(chosen: Table, known: Sequence[Rule], facts: Reader) -> Table:
    """A table with what rules say.

    Args:
        chosen: which rule decides, by its number, in the column ``chosen``; -1 where none does.
        known: the rules.
        facts: reads facts of it.
    """
    told = {name: _told(chosen, known, word, otherwise) for name, (word, otherwise) in WORDS.items()}
    told["confidence"] = _hundredths(chosen, known, facts).cast("float64") / HUNDRED
    told["rules_version"] = ibis.literal(rules_version(known))
    return chosen.mutate(**told)


def _first(t: Table, known: Sequence[Rule], facts: Reader) -> Column:
    """The number of the first rule that fits; -1 where none does.

    What works is most of what there is, and few rules can say anything of it. So it is asked once whether it does, and
    of either kind only those rules that can fit there.
    """
    numbered = list(enumerate(known))
    working = [(n, rule) for n, rule in numbered if _OK not in rule.unless]
    plain = next((i for i, (_, rule) in enumerate(working) if _is_plain(rule)), len(working))
    failing = [(n, rule) for n, rule in numbered if _OK not in rule.needs and (_OK,) not in rule.any]
    return ibis.ifelse(facts.holds(t, _OK), first_of(t, working[: plain + 1], facts), first_of(t, failing, facts))


def _is_plain(rule: Rule) -> bool:
    """Whether a rule fits whatever works."""
    return not rule.unless and all(_OK in group for group in rule.any) and set(rule.needs) <= {_OK}


def first_of(t: Table, known: Iterable[tuple[int, Rule]], facts: Reader) -> Column:
    """The number of the first of some rules that fits; -1 where none does."""
    return ibis.cases(*((facts.fits(t, rule), n) for n, rule in known), else_=-1).cast("int64")


def _told(chosen: Table, known: Sequence[Rule], word: Callable[[Rule], str], otherwise: str) -> Column:
    by_word = _alike(known, word)
    branches = [(_is_one_of(chosen.chosen, numbers), said) for said, numbers in by_word.items() if said != otherwise]
    return ibis.cases(*branches, else_=otherwise) if branches else ibis.literal(otherwise)


def _is_one_of(chosen: Column, numbers: Sequence[int]) -> Column:
    return chosen == numbers[0] if len(numbers) == 1 else chosen.isin(numbers)


def _alike(known: Sequence[Rule], key: Callable[[Rule], Any]) -> dict[Any, list[int]]:
    """The numbers of rules that have the same of something, that of what works first: most of what there is works."""
    found: dict[Any, list[int]] = {}
    for number, rule in sorted(enumerate(known), key=lambda numbered: not _is_plain(numbered[1])):
        found.setdefault(key(rule), []).append(number)
    return found


def _hundredths(chosen: Table, known: Sequence[Rule], facts: Reader) -> Column:
    """How sure what is told is: in hundredths until the end, so that every engine rounds alike."""
    branches = []
    for (confidence, wants, verdict), numbers in _alike(known, lambda r: (r.confidence, r.wants, r.verdict)).items():
        hundredths: Column = ibis.literal(round(confidence * HUNDRED), "int64")
        if wants:
            absent = reduce(add, ((~facts.holds(chosen, name)).cast("int64") for name in wants))
            least = 0 if verdict is Outcome.CANNOT_TELL else round(LEAST * HUNDRED)
            hundredths = ibis.greatest(hundredths - absent * round(EACH_MISSING * HUNDRED), least)
        branches.append((_is_one_of(chosen.chosen, numbers), hundredths))
    return ibis.cases(*branches, else_=ibis.literal(0, "int64"))


def hourly(verdicts: Table) -> Table:
    """Verdicts counted by hour, with the columns of :data:`schema.HOUR`."""
    is_failed = ~verdicts.verdict.isin([outcome.value for outcome in _COUNTED]) & ~verdicts.reading.isin(["", "ok"])
    counted = {outcome.value: (verdicts.verdict == outcome.value) for outcome in _COUNTED}
    known = any_of([*counted.values(), is_failed])
    named = ibis.ifelse(verdicts.service == "", verdicts.domain, verdicts.service)
    v = verdicts.mutate(
        subject=ibis.ifelse(verdicts.kind == "quic", ibis.literal(QUIC).concat(named), named),
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

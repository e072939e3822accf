"""The rules of verdicts, as frozen data: which facts they need, and what they conclude.

An id is permanent. A rule whose meaning changes gets a new one, so that a stored verdict always says what it was made
by.
"""

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec

from rozaneh.core import LocalFault
from rozaneh.diagnosis.facts import FACTS
from rozaneh.diagnosis.verdict import Layer, Mechanism, Outcome, Who

_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{2,60}$")]
_Share = Annotated[float, msgspec.Meta(gt=0, le=1)]

Level = Literal["signature", "paired", "controlled", "single"]
"""What a rule rests on: a known page or address; two attempts that differ in one thing; a control; one reading."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. It fits when all of ``needs``, at least one of each group in ``any``, and none of ``unless`` hold.

    Attributes:
        id: permanent name.
        needs: facts that must all hold.
        any: groups of facts, of each of which at least one must hold.
        unless: facts of which none may hold.
        wants: facts that would make it surer; each that is absent lowers the confidence and is named as missing.
        verdict: what it concludes.
        mechanism: how.
        where: in which step.
        who: by whom.
        confidence: 0 to 1, with all of ``wants``.
        level: what it rests on.
        source: the document or thread that justifies it.
        because: the reasoning in a sentence, for those who read verdicts closely.
    """

    id: _Id
    needs: tuple[str, ...] = ()
    any: tuple[tuple[str, ...], ...] = ()
    unless: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    verdict: Outcome
    mechanism: Mechanism
    where: Layer = Layer.NOWHERE
    who: Who
    confidence: _Share
    level: Level
    source: Annotated[str, msgspec.Meta(min_length=3)]
    because: Annotated[str, msgspec.Meta(min_length=10)]

    def fits(self, known: frozenset[str]) -> bool:
        """Whether the rule fits these facts."""
        return (
            known.issuperset(self.needs)
            and known.isdisjoint(self.unless)
            and all(not known.isdisjoint(group) for group in self.any)
        )

    @property
    def named(self) -> frozenset[str]:
        """Every fact that the rule names."""
        return frozenset((*self.needs, *self.unless, *self.wants, *(fact for group in self.any for fact in group)))


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


def parse_rules(data: bytes, place: str) -> tuple[Rule, ...]:
    """Read rules in their order.

    Raises:
        LocalFault: the file is wrong, an id stands twice, or a rule names a fact that does not exist.
    """
    try:
        read = msgspec.toml.decode(data, type=_File).rule
    except (msgspec.MsgspecError, ValueError) as error:
        raise LocalFault(f"{place}: {error}") from error
    seen: set[str] = set()
    for rule in read:
        if rule.id in seen:
            raise LocalFault(f"{place}: the id {rule.id!r} stands twice")
        seen.add(rule.id)
        if unknown := sorted(rule.named - FACTS):
            raise LocalFault(f"{place}: rule {rule.id!r} names a fact that does not exist: {unknown[0]!r}")
    return read


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that come with Rozaneh, in the order in which they are asked."""
    name = "rules.toml"
    return parse_rules((files("rozaneh.diagnosis") / name).read_bytes(), name)

"""What an experiment found: a verdict, sentences for a person, and the result in a form of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rozaneh.core import Attempt, Op
from rozaneh.diagnosis import Evidence, Verdict, judge
from rozaneh.probe.results import attempt_as_json

Value = str | int | float


class Line(msgspec.Struct, frozen=True):
    """A sentence to be translated, with its values; ``spoken`` are those that are to be translated themselves."""

    message: str
    values: Mapping[str, Value] = {}
    spoken: Mapping[str, str] = {}


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was tried.

    Attributes:
        group: what kind of question it answers: ``name``, ``address``, ``port``, ``protocol``, ``size`` ...
        name: what was tried.
        target: where.
        ok: whether an answer came.
        failure: how it failed, if it did.
        seconds: until the answer or the failure.
        sent: payload bytes.
        received: payload bytes.
    """

    group: str
    name: str
    target: str
    ok: bool
    failure: str = ""
    seconds: float = 0.0
    sent: int = 0
    received: int = 0

    @classmethod
    def of(cls, group: str, name: str, attempt: Attempt) -> "Trial":
        """What an attempt says."""
        return cls(
            group=group,
            name=name,
            target=str(attempt.target),
            ok=attempt.ok,
            failure=attempt.failure.value if attempt.failure else "",
            seconds=round(attempt.took, 3),
            sent=sum(step.sent for step in attempt.observations),
            received=sum(step.received for step in attempt.observations),
        )


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is a list of things tried; ``untried`` are those for which the budget did not suffice."""

    trials: tuple[Trial, ...]
    untried: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one experiment on one target.

    Attributes:
        experiment: its name.
        target: what was examined.
        verdict: what that means.
        evidence: what the verdict rests on.
        said: sentences that say more than the verdict, for a person.
        keys: the result in the experiment's own form.
        seconds: how long it took.
    """

    experiment: str
    target: str
    verdict: Verdict
    evidence: Evidence
    keys: msgspec.Struct
    said: tuple[Line, ...] = ()
    seconds: float = 0.0

    def as_json(self, sentences: Sequence[str]) -> dict[str, Any]:
        """For other programs; its keys are an interface.

        Args:
            sentences: what a person was told.
        """
        verdict = self.verdict
        return {
            "experiment": self.experiment,
            "target": self.target,
            "verdict": verdict.verdict.value,
            "mechanism": verdict.mechanism.value,
            "where": verdict.where.value,
            "who": verdict.who.value,
            "confidence": verdict.confidence,
            "seconds": round(self.seconds, 3),
            "sentences": [str(each) for each in sentences],
            "keys": msgspec.to_builtins(self.keys),
            "evidence": {
                "rules": list(verdict.rules),
                "missing": list(verdict.missing),
                "attempts": [{"role": t.role.value, **attempt_as_json(t.attempt)} for t in self.evidence.tried],
            },
        }


def found(experiment: str, target: str, evidence: Evidence, keys: msgspec.Struct, *said: Line) -> Finding:
    """A finding whose verdict the rules give."""
    return Finding(
        experiment=experiment, target=target, verdict=judge(evidence), evidence=evidence, keys=keys, said=said
    )


def handshake_seconds(attempt: Attempt) -> float:
    """Seconds of the TCP handshake; 0 where there was none."""
    return next((step.took for step in attempt.steps(Op.CONNECT) if step.failure is None), 0.0)

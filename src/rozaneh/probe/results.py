"""From the verdicts of endpoints to one result for each service, and to JSON."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from rozaneh.core import Attempt
from rozaneh.diagnosis import Evidence, Layer, Mechanism, Outcome, Verdict, Who
from rozaneh.probe.services import Endpoint, Service

_LONGEST_BODY_HEAD = 300

_WEIGHT = {
    Outcome.OUTAGE: 0,
    Outcome.CAPTIVE_PORTAL: 1,
    Outcome.DOMESTIC_ONLY: 2,
    Outcome.BLOCKED: 3,
    Outcome.REFUSED: 4,
    Outcome.DOWN: 5,
    Outcome.THROTTLED: 6,
    Outcome.CANNOT_TELL: 7,
    Outcome.OK: 8,
}
"""Which verdict speaks for a service when several of its endpoints fail: the lower, the more it explains."""

_USABLE = (Outcome.OK, Outcome.THROTTLED)


class EndpointResult(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint: what was seen and what it means."""

    endpoint: Endpoint
    verdict: Verdict
    evidence: Evidence
    seconds: float


class ServiceResult(msgspec.Struct, frozen=True, kw_only=True):
    """One service.

    Attributes:
        service: which.
        deciding: the endpoint whose verdict stands for the whole.
        endpoints: all of them, in the order of the catalogue.
        ended: when, in the user's zone.
        seconds: how long it took from the start of its first attempt to the end of its last.
    """

    service: Service
    deciding: EndpointResult
    endpoints: tuple[EndpointResult, ...]
    ended: dt.datetime
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The verdict on the service."""
        return self.deciding.verdict

    def as_json(self, sentence: str = "") -> dict[str, Any]:
        """The result for other programs. Its keys are an interface.

        Args:
            sentence: what a person was told.
        """
        verdict = self.verdict
        return {
            "service": self.service.id,
            "target": self.deciding.endpoint.url,
            "verdict": verdict.verdict.value,
            "mechanism": verdict.mechanism.value,
            "where": verdict.where.value,
            "who": verdict.who.value,
            "confidence": verdict.confidence,
            "seconds": round(self.seconds, 3),
            "time": self.ended.isoformat(timespec="seconds"),
            "sentence": sentence,
            "evidence": {
                "rules": list(verdict.rules),
                "missing": list(verdict.missing),
                "control_age": control_age(self.deciding.evidence),
                "also": [mechanism.value for mechanism in verdict.also],
                "endpoints": [_endpoint(result) for result in self.endpoints],
            },
        }


def control_age(evidence: Evidence) -> int | None:
    """Seconds since the oldest answer of a control, where nothing but earlier answers was there; else none."""
    ages = [control.age for control in evidence.control]
    return max(ages) if ages and all(ages) else None


def together(service: Service, results: Sequence[EndpointResult], ended: dt.datetime, seconds: float) -> ServiceResult:
    """What the endpoints of a service say together, by what the service needs."""
    by_id = {result.endpoint.id: result for result in results}
    needed = [by_id[name] for name in service.needs.all]
    any_of = [by_id[name] for name in service.needs.any]
    failing = [result for result in needed if result.verdict.verdict not in _USABLE]
    if any_of and not any(result.verdict.verdict in _USABLE for result in any_of):
        failing += any_of
    slow = [result for result in (*needed, *any_of) if result.verdict.verdict is Outcome.THROTTLED]
    fine = [result for result in (*needed, *any_of) if result.verdict.verdict in _USABLE]
    deciding = min(failing or slow or fine, key=lambda result: (_weight(result.verdict), -result.verdict.confidence))
    return ServiceResult(service=service, deciding=deciding, endpoints=tuple(results), ended=ended, seconds=seconds)


def _weight(verdict: Verdict) -> int:
    # Of endpoints that all work, the one with something to tell speaks for the service.
    return _WEIGHT[verdict.verdict] * 2 + (verdict.mechanism is Mechanism.NONE)


def unfinished(endpoint: Endpoint, evidence: Evidence, seconds: float) -> EndpointResult:
    """An endpoint for which there was no time left."""
    verdict = Verdict(
        verdict=Outcome.CANNOT_TELL,
        mechanism=Mechanism.UNKNOWN,
        where=Layer.NOWHERE,
        who=Who.UNKNOWN,
        missing=("time", "attempt"),
    )
    return EndpointResult(endpoint=endpoint, verdict=verdict, evidence=evidence, seconds=seconds)


def _endpoint(result: EndpointResult) -> dict[str, Any]:
    evidence, verdict = result.evidence, result.verdict
    return {
        "endpoint": result.endpoint.id,
        "target": result.endpoint.url,
        "verdict": verdict.verdict.value,
        "mechanism": verdict.mechanism.value,
        "who": verdict.who.value,
        "confidence": verdict.confidence,
        "seconds": round(result.seconds, 3),
        "rules": list(verdict.rules),
        "missing": list(verdict.missing),
        "trusted_answers": list(evidence.trusted_answers),
        "control": [msgspec.to_builtins(msgspec.structs.replace(control, answer="")) for control in evidence.control],
        "attempts": [{"role": tried.role.value, **attempt_as_json(tried.attempt)} for tried in evidence.tried],
        "canaries": [
            {"name": canary.name, "zone": canary.zone.value, "failure": canary.attempt.failure}
            for canary in evidence.canaries
        ],
        "slowness": msgspec.to_builtins(evidence.slowness) if evidence.slowness else None,
    }


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    """One attempt with all its steps, for other programs."""
    made: dict[str, Any] = msgspec.to_builtins(attempt)
    made["target"] = str(attempt.target)
    for step in made["observations"]:
        tags = step.get("tags", {})
        if "body_head" in tags:
            tags["body_head"] = tags["body_head"][:_LONGEST_BODY_HEAD]
    return made

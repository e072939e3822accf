"""One verdict for a service from those of its places."""

import datetime as dt

import msgspec
import pytest

from rozaneh.diagnosis import Evidence, Mechanism, Outcome, Verdict
from rozaneh.probe.results import EndpointResult, ServiceResult, together, unfinished
from rozaneh.probe.services import Endpoint, LocalName, Needs, Service
from tests.diagnosis.seen import evidence, seen, tried

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
KEYS = {"service", "target", "verdict", "mechanism", "who", "confidence", "seconds", "evidence"}
_MECHANISM = {
    Outcome.OK: Mechanism.NONE, Outcome.BLOCKED: Mechanism.TLS_NAME_RESET, Outcome.THROTTLED: Mechanism.THROTTLING,
    Outcome.DOWN: Mechanism.SITE_DOWN, Outcome.CANNOT_TELL: Mechanism.UNKNOWN, Outcome.OUTAGE: Mechanism.WHOLE_OUTAGE,
}  # fmt: skip


def result(needs: Needs, **places: str) -> ServiceResult:
    endpoints = tuple(Endpoint(id=name, url=f"https://{name}.example/") for name in places)
    service = Service(
        id="it", name=LocalName("It", "آن"), category="social", reason="because", reviewer="other", date=NOW.date(),
        source="https://example.org/", needs=needs, endpoint=endpoints,
    )  # fmt: skip
    ended = [
        EndpointResult(
            endpoint=endpoint,
            verdict=Verdict(verdict=Outcome(said), mechanism=_MECHANISM[Outcome(said)], confidence=0.9),
            evidence=Evidence(),
            seconds=1.0,
        )
        for endpoint, said in zip(endpoints, places.values(), strict=True)
    ]
    return together(service, ended, NOW, 1.0)


@pytest.mark.parametrize(
    ("needs", "places", "said"),
    [
        (Needs(all=("a", "b")), {"a": "ok", "b": "ok"}, "ok"),
        (Needs(all=("a", "b")), {"a": "ok", "b": "blocked"}, "blocked"),
        (Needs(all=("a",)), {"a": "ok", "b": "blocked"}, "ok"),
        (Needs(any=("a", "b")), {"a": "blocked", "b": "ok"}, "ok"),
        (Needs(any=("a", "b")), {"a": "blocked", "b": "cannot_tell"}, "blocked"),
        (Needs(all=("a",), any=("b", "c")), {"a": "ok", "b": "down", "c": "blocked"}, "blocked"),
        (Needs(all=("a", "b")), {"a": "throttled", "b": "ok"}, "throttled"),
        (Needs(all=("a", "b")), {"a": "cannot_tell", "b": "ok"}, "cannot_tell"),
        (Needs(all=("a", "b")), {"a": "outage", "b": "blocked"}, "outage"),
    ],
)
def test_what_a_service_needs_decides(needs: Needs, places: dict[str, str], said: str) -> None:
    assert result(needs, **places).verdict.verdict == said


def test_the_keys_for_other_programs() -> None:
    made = result(Needs(all=("a",)), a="blocked").as_json("It is blocked.")
    assert made.keys() >= KEYS
    assert made["service"] == "it"
    assert made["target"] == "https://a.example/"
    assert msgspec.json.decode(msgspec.json.encode(made)) == made


def test_what_was_not_finished_is_not_judged() -> None:
    half = evidence(tried=tried(system=seen("tls.reset")))
    place = unfinished(Endpoint(id="a", url="https://a.example/"), half, 0.0)
    assert place.verdict.verdict is Outcome.CANNOT_TELL
    assert "time" in place.verdict.missing

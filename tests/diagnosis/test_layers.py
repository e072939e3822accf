"""Each layer has a verdict by the same rules as the whole, and never one that says the opposite."""

import pytest

from rozaneh.core import Attempt
from rozaneh.diagnosis import Evidence, Layer, Outcome, judge, judge_layers, layer_rules
from tests.diagnosis.cases import CASES, Case
from tests.diagnosis.seen import FORGED, SITE, control, evidence, seen, tried, twice


def told(given: Evidence) -> dict[str, str]:
    """Of each layer the rule that decides, or the verdict where none does."""
    return {str(layer): next(iter(said.rules), str(said.verdict)) for layer, said in judge_layers(given).items()}


def own(*attempts: Attempt, **more: object) -> Evidence:
    return evidence(tried=tried(system=attempts), **more)


WORKS = own(seen())
FOUND = [
    (
        WORKS,
        {"dns": "dns-answer-verified", "tcp": "tcp-connects", "tls": "tls-certificate-valid", "http": "http-answers"},
    ),
    (
        own(seen(kind="http"), kind="http", trusted_answers=()),
        {"dns": "dns-answer-alone", "tcp": "tcp-connects", "http": "http-answers"},
    ),
    (
        own(seen(kind="quic"), kind="quic", trusted_answers=()),
        {"dns": "dns-answer-alone", "quic": "quic-answers", "http": "http-answers"},
    ),
    (own(seen(kind="udp", literal=True), kind="udp"), {"udp": "udp-answers"}),
    # The name and the address are right, the handshake is not, and nothing is said of what was not reached.
    (
        own(*twice("tls.reset"), control=(control(),), trusted_answers=(SITE,)),
        {"dns": "dns-answer-agrees", "tcp": "tcp-connects", "tls": "tls-reset-unpaired"},
    ),
    # What lies behind a forged answer is no work of anybody's, and not held against the address.
    (
        own(*twice("connect.silence", at=FORGED), trusted_answers=(SITE,), control=(control(),)),
        {"dns": "dns-known-forgery", "tcp": "cannot_tell"},
    ),
    # A page that the service refuses: every layer below works.
    (
        own(seen(status=403, title="Not available in your country"), control=(control(),)),
        {"dns": "dns-answer-verified", "tcp": "tcp-connects", "tls": "tls-certificate-valid"},
    ),
    # What is down is down in the layer that fails, not in those that it was reached by.
    (
        own(*twice("connect.refused"), trusted_answers=(SITE,), control=(control(fails="tcp"),)),
        {"dns": "dns-answer-agrees", "tcp": "down-everywhere"},
    ),
]


@pytest.mark.parametrize(("given", "expected"), FOUND)
def test_each_layer_that_was_seen_has_its_own(given: Evidence, expected: dict[str, str]) -> None:
    found = told(given)
    assert {layer: found.get(layer) for layer in expected} == expected
    assert "http" in expected or found.get("http") in (None, "refusal-signature", "refusal-against-control")


def test_every_rule_of_a_layer_decides_somewhere() -> None:
    decided = {rule for given, _ in FOUND for rule in told(given).values()}
    assert {rule.id for rule in layer_rules()} <= decided
    assert all(rule.verdict is Outcome.OK for rule in layer_rules())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_layer_says_what_the_whole_says_of_it(case: Case) -> None:
    for given in (case.shown, case.like_it):
        whole, layers = judge(given), judge_layers(given)
        if whole.where in layers:
            said = layers[whole.where]
            assert (said.verdict, said.rules[0], said.confidence) == (whole.verdict, whole.rules[0], whole.confidence)
        if whole.verdict is Outcome.OK:
            assert {said.verdict for said in layers.values()} <= {Outcome.OK, Outcome.CANNOT_TELL}
        assert all(said.where is layer for layer, said in layers.items())


def test_an_interrupted_attempt_shows_no_layer() -> None:
    assert judge_layers(own(seen("tls.interrupted"))) == {}


def test_http3_beside_a_page_is_a_layer_of_its_own() -> None:
    beside = evidence(tried=tried(system=seen(), quic=seen("quic.silence", kind="quic")))
    assert judge_layers(beside)[Layer.QUIC].verdict is Outcome.CANNOT_TELL
    working = evidence(tried=tried(system=seen(), quic=seen(kind="quic")))
    assert judge_layers(working)[Layer.QUIC].rules == ("quic-answers",)

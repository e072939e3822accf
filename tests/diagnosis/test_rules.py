"""Each rule: evidence for which it decides, the nearest that means something else, and the same without its control."""

import msgspec
import pytest

from rozaneh.core import LocalFault
from rozaneh.diagnosis import Evidence, Mechanism, Outcome, Role, Verdict, Who, judge, rules
from rozaneh.diagnosis.rules import parse_rules
from tests.diagnosis.cases import CASES, UNKNOWN, Case
from tests.diagnosis.seen import evidence, portal, seen, tried

by_rule = pytest.mark.parametrize("case", CASES, ids=[case.rule for case in CASES])
_BY_ID = {rule.id: rule for rule in rules()}


def _decided(verdict: Verdict) -> str:
    return verdict.rules[0] if verdict.rules else UNKNOWN


def test_every_rule_has_its_case_and_no_case_is_of_a_rule_that_is_gone() -> None:
    assert sorted(case.rule for case in CASES) == sorted(_BY_ID)


@by_rule
def test_it_decides_what_it_is_for(case: Case) -> None:
    verdict = judge(case.shown)
    rule = _BY_ID[case.rule]
    assert _decided(verdict) == case.rule
    assert (verdict.verdict, verdict.mechanism, verdict.who) == (rule.verdict, rule.mechanism, rule.who)


@by_rule
def test_it_does_not_decide_what_is_most_like_it(case: Case) -> None:
    verdict = judge(case.like_it)
    assert _decided(verdict) == case.means
    if case.means == UNKNOWN:
        assert (verdict.verdict, verdict.who) == (Outcome.CANNOT_TELL, Who.UNKNOWN)


@pytest.mark.parametrize("location", ["http://[", "http://a\u2100b/", "//[::1", "\x1b[2J"])
def test_a_portal_that_leads_nowhere_is_no_portal(location: str) -> None:
    full = next(case.shown for case in CASES if case.rule == "captive-portal-redirect")
    canaries = tuple(each for each in full.canaries if each not in portal())
    nowhere = judge(msgspec.structs.replace(full, canaries=(*canaries, *portal(location))))
    assert _decided(nowhere) != "captive-portal-redirect"


def _bare(full: Evidence) -> Evidence:
    """What a probe has that saw its own attempts and nothing to compare them with."""
    own = tuple(each for each in full.tried if each.role is Role.SYSTEM)
    return msgspec.structs.replace(full, tried=own, trusted_answers=(), control=(), canaries=(), trusted_failure=None)


@pytest.mark.parametrize(
    "case", [case for case in CASES if _BY_ID[case.rule].level == "controlled"], ids=lambda case: case.rule
)
def test_what_rests_on_a_control_is_not_said_without_one(case: Case) -> None:
    verdict = judge(msgspec.structs.replace(case.shown, control=()))
    assert _decided(verdict) != case.rule
    assert verdict.verdict in (Outcome.CANNOT_TELL, Outcome.OK)


@pytest.mark.parametrize(
    "case", [case for case in CASES if _BY_ID[case.rule].level in ("paired", "controlled")], ids=lambda case: case.rule
)
def test_nothing_is_guessed_from_own_attempts_alone(case: Case) -> None:
    bare = _bare(case.shown)
    if case.shown.slowness is not None:
        bare = msgspec.structs.replace(bare, slowness=None)
    verdict = judge(bare)
    assert verdict.verdict in (Outcome.CANNOT_TELL, Outcome.OK)
    if verdict.verdict is Outcome.CANNOT_TELL and bare.tried:
        assert "control.asked" in verdict.missing


@by_rule
def test_interrupted_attempts_say_nothing(case: Case) -> None:
    given_up = tried(system=seen("tls.interrupted"), neutral_name=seen("connect.interrupted"))
    assert judge(msgspec.structs.replace(case.shown, tried=(*case.shown.tried, *given_up))) == judge(case.shown)


def test_absent_wants_cost_confidence_and_are_named() -> None:
    case = next(case for case in CASES if case.rule == "tls-reset-by-name")
    sure, less = judge(case.shown), judge(msgspec.structs.replace(case.shown, control=()))
    assert less.rules[0] == "tls-reset-by-name"
    assert less.confidence == pytest.approx(sure.confidence - 0.1)
    assert "control.works" in less.missing


def test_no_evidence_at_all_is_no_verdict() -> None:
    verdict = judge(Evidence())
    assert (verdict.verdict, verdict.mechanism) == (Outcome.CANNOT_TELL, Mechanism.UNKNOWN)
    assert "attempt" in verdict.missing


def test_a_domestic_site_is_judged_in_a_curfew_too() -> None:
    case = next(case for case in CASES if case.rule == "domestic-only")
    assert (
        judge(evidence(tried=tried(system=seen()), canaries=case.shown.canaries, domestic=True)).verdict is Outcome.OK
    )


class TestReading:
    RULE = (
        '[[rule]]\nid = "one"\nneeds = ["target.ok"]\nverdict = "ok"\nmechanism = "none"\nwho = "nobody"\n'
        'confidence = 0.9\nlevel = "single"\nsource = "here"\nbecause = "it works, that is why"\n'
    )

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (RULE + RULE, "the id 'one' stands twice"),
            (RULE.replace("target.ok", "target.okay"), "names a fact that does not exist: 'target.okay'"),
            (RULE.replace('"nobody"', '"somebody"'), "Invalid enum value 'somebody'"),
            (RULE + "sure = true\n", "unknown field `sure`"),
            (RULE.replace("0.9", "1.9"), "confidence"),
            ("rule", "rules.toml"),
        ],
    )
    def test_a_wrong_file_is_one_line(self, text: str, says: str) -> None:
        with pytest.raises(LocalFault) as fault:
            parse_rules(text.encode(), "rules.toml")
        assert says in str(fault.value)
        assert "\n" not in str(fault.value)

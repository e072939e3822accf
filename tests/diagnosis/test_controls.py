"""Vantages that disagree, lie, or spoke long ago."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import Attempt, Failure, Observation, Op, Target
from rozaneh.diagnosis import Control, Evidence, Outcome, Role, Tried, judge
from rozaneh.diagnosis.controls import control_facts, majority
from rozaneh.diagnosis.judge import AGREEMENT

SITE = "93.184.216.34"
WORKS = {"dns": True, "tcp": True, "tls": True, "http": True, "status": 200}
DOWN = {"dns": True, "tcp": False, "http": False}


def vantage(name: str, **seen: object) -> Control:
    return Control(vantage=name, **seen)  # type: ignore[arg-type]  # a table of cases


def silent(control: tuple[Control, ...]) -> Evidence:
    """A site at a right address whose packets vanish, tried twice."""
    target = Target(host="site.example", port=443, speaks="https").at(SITE)
    seen = Observation(op=Op.CONNECT, t0=0, took=3.6, failure=Failure.GENERIC_TIMEOUT_ERROR, peer=f"{SITE}:443")
    attempt = Attempt(
        target=target, spec="tcp", started=0, took=3.6, failure=Failure.GENERIC_TIMEOUT_ERROR, observations=(seen,)
    )
    tried = (Tried(Role.SYSTEM, attempt), Tried(Role.SYSTEM, attempt))
    return Evidence(tried=tried, trusted_answers=(SITE,), control=control)


def facts(*controls: Control) -> set[str]:
    return set(control_facts(controls))


def test_one_of_three_is_outvoted() -> None:
    said = facts(vantage("a", **WORKS), vantage("b", **DOWN), vantage("liar", **WORKS))
    assert {"control.works", "control.tcp.ok"} <= said
    said = facts(vantage("a", **DOWN), vantage("b", **DOWN), vantage("liar", **WORKS))
    assert {"control.down", "control.tcp.failed"} <= said
    assert "control.works" not in said


def test_two_that_say_opposite_things_say_nothing() -> None:
    said = facts(vantage("a", **DOWN), vantage("liar", **WORKS))
    assert not {"control.works", "control.down", "control.tcp.ok", "control.tcp.failed"} & said
    assert {"control.asked", "control.disagrees"} <= said


@pytest.mark.parametrize("honest", [1, 2, 3])
def test_a_vantage_that_lies_about_a_site_that_is_down_makes_no_blocking(honest: int) -> None:
    down = [vantage(f"honest-{number}", **DOWN) for number in range(honest)]
    verdict = judge(silent((vantage("liar", **WORKS), *down)))
    assert verdict.verdict is not Outcome.BLOCKED
    if honest == 1:
        assert AGREEMENT in verdict.missing


def test_with_agreement_the_same_evidence_is_blocking() -> None:
    verdict = judge(silent((vantage("a", **WORKS), vantage("b", **WORKS))))
    assert verdict.verdict is Outcome.BLOCKED
    assert AGREEMENT not in verdict.missing


def test_what_was_said_earlier_shows_that_the_name_exists_and_not_that_it_works() -> None:
    said = facts(vantage("a", **WORKS, age=3600))
    assert said == {"control.remembered", "control.dns.ok"}


@given(st.lists(st.sampled_from([True, False, None]), max_size=9))
def test_a_majority_is_never_made_by_a_minority(said: list[bool | None]) -> None:
    most = majority(said)
    if most is not None:
        assert said.count(most) > said.count(not most)
    else:
        assert said.count(True) == said.count(False)

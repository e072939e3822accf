"""The diagnosis against every scenario that ships: what is the matter must be named rightly, and nothing else."""

import anyio
import pytest

from rozaneh.diagnosis import Outcome, Who
from rozaneh.lab import Lab, world_for
from tests.probe.lab.judging import Judging, cases, scenarios

pytestmark = pytest.mark.namespaces

NO_CENSOR = (
    "clear", "site-down", "slow-site", "loss-5", "wrong-certificate", "sanctions-refusal", "no-network",
    "captive-portal",
)  # fmt: skip


@pytest.mark.timeout(300)
def test_every_scenario_is_named_rightly_and_no_control_is_called_blocked() -> None:
    every = scenarios()
    wanted = cases(every)
    assert {case.scenario.id for case in wanted} == {scenario.id for scenario in every}, "each says what to conclude"
    with Lab(world=world_for(every)) as lab:
        judging = Judging(lab)
        wrong = anyio.run(judging.all, wanted)
    assert not wrong, "\n".join(wrong)
    controls = [case for case in wanted if case.scenario.id in NO_CENSOR or case.expected.who in ("nobody", "service")]
    assert {case.scenario.id for case in controls}.issuperset(NO_CENSOR)
    for case in controls:
        verdict = judging.results[case.name].verdict
        assert verdict.verdict not in (Outcome.BLOCKED, Outcome.THROTTLED), case.name
        assert verdict.who is not Who.STATE, case.name

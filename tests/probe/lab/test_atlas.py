"""The diagnosis against every scenario that ships: what is the matter must be named rightly, and nothing else."""

import anyio
import pytest

from rozaneh.diagnosis import Mechanism, Outcome, Who
from rozaneh.lab import Lab, world_for
from rozaneh.lab.scenario import parse_scenario
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


FORGED = """
[[rule]]
at = "operator"
mode = "in-path"
match = { direction = "out", protocol = "udp", destination.port = 53, dns.qname.suffix = ["blocked.example"] }
action = { dns = { a = ["10.10.34.35"] } }
"""
RESET = """
[[rule]]
at = "border"
mode = "on-path"
match = { direction = "out", protocol = "tcp", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow" }
action = { reset = { to = ["client"] } }
"""
DROPPED = """
[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", destination.address = ["93.184.216.35", "2606:2800:220:1::35"] }
action = "drop"
"""
COMPOSITES: tuple[tuple[str, str, Mechanism, set[Mechanism]], ...] = (
    (FORGED + RESET, "https://blocked.example/", Mechanism.DNS_FORGERY, {Mechanism.TLS_NAME_RESET}),
    (FORGED + DROPPED, "https://blocked.example/", Mechanism.DNS_FORGERY, {Mechanism.ADDRESS_BLACK_HOLE}),
    (RESET + DROPPED, "https://blocked.example/", Mechanism.ADDRESS_BLACK_HOLE, set()),
    (FORGED + RESET + DROPPED, "https://blocked.example/", Mechanism.DNS_FORGERY, {Mechanism.ADDRESS_BLACK_HOLE}),
    (FORGED + RESET + DROPPED, "https://example.org/", Mechanism.NONE, set()),
)


def test_what_stands_behind_the_first_obstacle_is_named_too() -> None:
    composites = [parse_scenario(text, f"composite-{n}.toml") for n, (text, *_) in enumerate(COMPOSITES)]

    async def every(judging: Judging) -> None:
        async def one(number: int) -> None:
            result = await judging.result(composites[number], COMPOSITES[number][1], "mobile")
            judging.results[str(number)] = result

        async with anyio.create_task_group() as group:
            for number in range(len(COMPOSITES)):
                group.start_soon(one, number)

    with Lab(world=world_for(composites)) as lab:
        judging = Judging(lab)
        anyio.run(every, judging)
    for number, (_, target, mechanism, also) in enumerate(COMPOSITES):
        verdict = judging.results[str(number)].verdict
        assert verdict.mechanism is mechanism, (number, target, verdict)
        assert set(verdict.also) == also, (number, verdict)


WITHOUT_CONTROL = (
    ("site-down", "https://down.example/", Outcome.CANNOT_TELL),
    ("wrong-certificate", "https://badcert.example/", Outcome.CANNOT_TELL),
    ("address-drop", "https://blocked.example/", Outcome.CANNOT_TELL),
    ("sanctions-refusal", "https://resets.refuses.example/", Outcome.CANNOT_TELL),
    ("sanctions-refusal", "https://refuses.example/", Outcome.REFUSED),
    ("sni-reset", "https://blocked.example/", Outcome.BLOCKED),
    ("dns-injection-race", "https://blocked.example/", Outcome.BLOCKED),
    ("shutdown-domestic-stays", "https://blocked.example/", Outcome.DOMESTIC_ONLY),
    ("no-network", "https://blocked.example/", Outcome.OUTAGE),
    ("captive-portal", "https://blocked.example/", Outcome.CAPTIVE_PORTAL),
)
"""What can be told where no control vantage answers: pairs and canaries carry it, or nothing is guessed."""


@pytest.mark.timeout(300)
def test_without_a_control_pairs_and_canaries_tell_and_nothing_is_guessed() -> None:
    known = {scenario.id: scenario for scenario in scenarios()}

    async def every(judging: Judging) -> None:
        async def one(number: int) -> None:
            name, target, _ = WITHOUT_CONTROL[number]
            result = await judging.result(known[name], target, "mobile", control=False)
            judging.results[str(number)] = result

        async with anyio.create_task_group() as group:
            for number in range(len(WITHOUT_CONTROL)):
                group.start_soon(one, number)

    with Lab(world=world_for([known[name] for name, *_ in WITHOUT_CONTROL])) as lab:
        judging = Judging(lab)
        anyio.run(every, judging)
    for number, (name, target, outcome) in enumerate(WITHOUT_CONTROL):
        verdict = judging.results[str(number)].verdict
        assert verdict.verdict is outcome, (name, target, verdict)
        if verdict.verdict is Outcome.CANNOT_TELL:
            assert "control.asked" in verdict.missing, (name, verdict)

"""The diagnosis against every scenario that ships: what is the matter must be named rightly, and nothing else."""

from collections.abc import Iterator
from functools import partial

import anyio
import pytest

from rozaneh.diagnosis import Mechanism, Outcome, Who
from rozaneh.lab import Lab, world_for
from rozaneh.lab.scenario import parse_scenario
from tests.probe.lab.judging import AT_ONCE, SCENARIOS, Judging, cases, scenarios, too_busy

pytestmark = pytest.mark.namespaces

NO_CENSOR = (
    "clear", "site-down", "slow-site", "loss-5", "wrong-certificate", "sanctions-refusal", "no-network",
    "captive-portal",
)  # fmt: skip


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
NO_SUCH_NAME = """
[[rule]]
at = "operator"
mode = "in-path"
match = { direction = "out", protocol = "udp", destination.port = 53, dns.qname.suffix = ["blocked.example"] }
action = { dns = { rcode = "nxdomain" } }
"""
NAME_UNANSWERED = NO_SUCH_NAME.replace('{ dns = { rcode = "nxdomain" } }', '"drop"')
SILENT = """
[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow" }
action = "drop"
"""
UNREACHABLE = DROPPED.replace('"drop"', '{ icmp = "admin-prohibited" }')
INTERCEPTED = """
[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", destination = { address = ["blocked.example"], port = 443 } }
state = { scope = "flow" }
action = { redirect = { to = "mitm", issuer = "Qaznet Trust Network" } }
"""
REQUEST_RESET = """
[[rule]]
at = "border"
mode = "on-path"
match = { direction = "out", protocol = "tcp", http.host.suffix = ["blocked.example"] }
state = { scope = "flow" }
action = { reset = { to = ["client"] } }
"""
BLOCK_PAGE = REQUEST_RESET.replace("on-path", "in-path").replace(
    '{ reset = { to = ["client"] } }', '{ http = { redirect = "http://10.10.34.34/" } }'
)
SLOWED = """
[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow" }
action = { rate = { rate = "128kbit", per = "flow", direction = "both" } }
"""
NO_IPV6 = """
[[rule]]
at = "border"
mode = "in-path"
match = { ip = 6 }
action = { null_route = { direction = "both", icmp = false } }
"""
HTTPS, HTTP = "https://blocked.example/", "http://blocked.example/"
COMPOSITES: tuple[tuple[str, str, Mechanism, set[Mechanism]], ...] = (
    (FORGED + RESET, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.TLS_NAME_RESET}),
    (FORGED + DROPPED, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.ADDRESS_BLACK_HOLE}),
    (FORGED + UNREACHABLE, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.ADDRESS_REFUSED}),
    (FORGED + REQUEST_RESET, HTTP, Mechanism.DNS_FORGERY, {Mechanism.HTTP_RESET}),
    (NO_SUCH_NAME + SILENT, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.TLS_NAME_SILENCE}),
    (NO_SUCH_NAME + INTERCEPTED, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.TLS_INTERCEPTION}),
    (NAME_UNANSWERED + RESET, HTTPS, Mechanism.DNS_SILENCE, {Mechanism.TLS_NAME_RESET}),
    # A known block page is surer than a silence, and is named first.
    (NAME_UNANSWERED + BLOCK_PAGE, HTTP, Mechanism.HTTP_BLOCK_PAGE, {Mechanism.DNS_SILENCE}),
    # The first obstacle hides the second wholly: nothing of it can be seen, and nothing is guessed.
    (RESET + DROPPED, HTTPS, Mechanism.ADDRESS_BLACK_HOLE, set()),
    (SLOWED + NO_IPV6, f"{HTTPS}bytes/60000", Mechanism.THROTTLING, set()),
    # Three on one target.
    (FORGED + RESET + DROPPED, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.ADDRESS_BLACK_HOLE}),
    (FORGED + SILENT + REQUEST_RESET, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.TLS_NAME_SILENCE}),
    (FORGED + SILENT + REQUEST_RESET, HTTP, Mechanism.DNS_FORGERY, {Mechanism.HTTP_RESET}),
    (NO_SUCH_NAME + RESET + NO_IPV6, HTTPS, Mechanism.DNS_FORGERY, {Mechanism.TLS_NAME_RESET}),
    # None on another.
    (FORGED + RESET + DROPPED, "https://example.org/", Mechanism.NONE, set()),
)


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


@pytest.fixture(scope="module")
def judged() -> Iterator[Judging]:
    """Everything that this file judges, side by side in one lab: most of it is waiting."""
    every = scenarios()
    known = {scenario.id: scenario for scenario in every}
    composites = [parse_scenario(text, f"composite-{n}.toml") for n, (text, *_) in enumerate(COMPOSITES)]

    async def others(judging: Judging) -> None:
        result = judging.result
        left = {"wrong clock": partial(result, None, HTTPS, "mobile", right_clock=False)}
        for number, scenario in enumerate(composites):
            left[f"composite {number}"] = partial(result, scenario, COMPOSITES[number][1], "mobile")
        for number, (name, target, _) in enumerate(WITHOUT_CONTROL):
            left[f"without {number}"] = partial(result, known[name], target, "mobile", control=False)
        for at_once in (AT_ONCE[0] // 2, *AT_ONCE[1:]):
            await judging.side_by_side(left, at_once)
            left = {name: asked for name, asked in left.items() if too_busy(judging.results[name])}

    async def all_of_it(judging: Judging) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(judging.all, judging.wanted)
            group.start_soon(others, judging)

    with Lab(world=world_for([*every, *composites])) as lab:
        judging = Judging(lab, wanted=cases(every))
        anyio.run(all_of_it, judging)
        yield judging


@pytest.mark.timeout(300)
def test_every_scenario_is_named_rightly_and_no_control_is_called_blocked(judged: Judging) -> None:
    wanted = judged.wanted
    assert {case.scenario.id for case in wanted} == {path.stem for path in SCENARIOS.glob("*.toml")}, "each concludes"
    wrong = [line for case in wanted if (line := case.wrong(judged.results[case.name]))]
    assert not wrong, "\n".join(wrong)
    controls = [case for case in wanted if case.scenario.id in NO_CENSOR or case.expected.who in ("nobody", "service")]
    assert {case.scenario.id for case in controls}.issuperset(NO_CENSOR)
    for case in controls:
        verdict = judged.results[case.name].verdict
        assert verdict.verdict not in (Outcome.BLOCKED, Outcome.THROTTLED), case.name
        assert verdict.who is not Who.STATE, case.name


@pytest.mark.timeout(300)
def test_what_stands_behind_the_first_obstacle_is_named_too(judged: Judging) -> None:
    found = [judged.results[f"composite {number}"].verdict for number in range(len(COMPOSITES))]
    wrong = [
        (number, target, verdict)
        for number, ((_, target, mechanism, also), verdict) in enumerate(zip(COMPOSITES, found, strict=True))
        if (verdict.mechanism, set(verdict.also)) != (mechanism, also)
    ]
    assert not wrong


@pytest.mark.timeout(300)
def test_a_device_with_a_wrong_clock_accuses_nobody(judged: Judging) -> None:
    verdict = judged.results["wrong clock"].verdict
    assert (verdict.verdict, verdict.who, verdict.rules[0]) == (Outcome.CANNOT_TELL, Who.DEVICE, "device-clock")


@pytest.mark.timeout(300)
def test_without_a_control_pairs_and_canaries_tell_and_nothing_is_guessed(judged: Judging) -> None:
    for number, (name, target, outcome) in enumerate(WITHOUT_CONTROL):
        verdict = judged.results[f"without {number}"].verdict
        assert verdict.verdict is outcome, (name, target, verdict)
        if verdict.verdict is Outcome.CANNOT_TELL:
            assert "control.asked" in verdict.missing, (name, verdict)

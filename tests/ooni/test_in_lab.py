"""From a censor to OONI's verdict: the lab's censors, measured by the probe, written, and read as anybody would."""

from pathlib import Path

import anyio
import pytest

from rozaneh.diagnosis import Outcome, judge
from rozaneh.lab import Lab
from rozaneh.lab.scenario import load_scenario
from rozaneh.ooni import classic, decode, flatten, web_keys
from rozaneh.ooni.own import own
from rozaneh.ooni.write import Made, Place, encode
from rozaneh.probe import ServiceResult, check, choose, vantages

pytestmark = pytest.mark.namespaces

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PAGE, PLAIN = "https://blocked.example/", "http://blocked.example/"

EXPECTED: dict[str, tuple[str, object, object, Outcome]] = {
    "clear": (PAGE, False, True, Outcome.OK),
    "loss-5": (PAGE, False, True, Outcome.OK),
    "dns-nxdomain": (PAGE, "dns", False, Outcome.BLOCKED),
    "dns-drop": (PAGE, "dns", False, Outcome.BLOCKED),
    "dns-static-answer": ("https://www.google.com/", "dns", False, Outcome.BLOCKED),
    "address-drop": (PAGE, "tcp_ip", False, Outcome.BLOCKED),
    "address-reset": (PAGE, "tcp_ip", False, Outcome.BLOCKED),
    "sni-reset": (PAGE, "http-failure", False, Outcome.BLOCKED),
    "interception": (PAGE, "http-failure", False, Outcome.BLOCKED),
    "http-on-443": (PAGE, "http-failure", False, Outcome.BLOCKED),
    "http-403": (PLAIN, "http-diff", False, Outcome.BLOCKED),
    "site-down": ("https://down.example/", False, False, Outcome.DOWN),
    # Here the two differ by design: what OONI's rules call accessible is refused by the service itself.
    "sanctions-refusal": ("https://refuses.example/", False, True, Outcome.REFUSED),
}


async def measured(lab: Lab) -> dict[str, ServiceResult]:
    found = {}

    async def one(name: str) -> None:
        scenario = load_scenario(str(SCENARIOS / f"{name}.toml"))
        with lab.client("mobile", scenario, programs=False) as client:
            asked = vantages(client.environment())
            (found[name],) = await check(choose([EXPECTED[name][0]]), client.network, client.trust, client.clock, asked)

    async with anyio.create_task_group() as group:
        for name in EXPECTED:
            group.start_soon(one, name)
    return found


def test_the_labs_censors_give_oonis_verdict_and_ours() -> None:
    with Lab() as lab:
        results = anyio.run(measured, lab)
    wrong = []
    for name, (_, blocking, accessible, outcome) in EXPECTED.items():
        (result,) = results[name].endpoints
        made = Made(target=result.endpoint.target, evidence=result.evidence, verdict=result.verdict)
        read = decode(encode(made, Place(asn=44244, country="IR"), software_version="0"))
        found = classic(flatten(web_keys(read), read.address))
        carried = own(read)
        assert carried is not None
        again = judge(carried.evidence)
        assert again == result.verdict
        if (found.blocking, found.accessible, again.verdict) != (blocking, accessible, outcome):
            wrong.append((name, found.rule, found.blocking, found.accessible, again.verdict, again.mechanism))
    assert not wrong

"""``check`` of 25 services where a third is dropped: how long it takes, and whether it says what one at a time does.

Both run in the lab, each from a customer of its own with censors of its own.
"""

import time
from functools import partial

import anyio

from rozaneh.lab import Lab, world_for
from rozaneh.lab.scenario import Scenario, load_scenario
from rozaneh.probe import Service, ServiceResult, check, choose, vantages

COMMAND = "python -m benchmarks check_services"
SCENARIO = "third-dropped"
SERVICES = (
    "whatsapp", "signal", "viber", "skype", "instagram", "youtube", "google-play", "app-store", "x", "telegram",
    "gmail", "google-search", "google-maps", "firebase", "google-cloud", "github", "proton-mail", "wikipedia",
    "bbc-persian", "digikala", "shaparak", "aparat", "cloudflare-dns", "google-dns", "quad9-dns",
)  # fmt: skip

Row = dict[str, object]


def main() -> list[Row]:
    services = choose(SERVICES)
    scenario = load_scenario(SCENARIO)
    with Lab(world=world_for([scenario])) as lab:
        began = time.perf_counter()
        together = anyio.run(_checked, lab, scenario, services)
        seconds = time.perf_counter() - began
        apart = anyio.run(partial(_checked, lab, scenario, services, one_at_a_time=True))
    differ = [
        f"{one.service.id}: {_said(one)} together, {_said(other)} alone"
        for one, other in zip(together, apart, strict=True)
        if _said(one) != _said(other)
    ]
    kept_out = sum(result.verdict.verdict == "blocked" for result in together)
    return [
        {
            "name": f"check of {len(services)} services, {kept_out} of them blocked",
            "value": seconds,
            "unit": "s",
            "target": "< 15",
            "command": COMMAND,
        },
        {
            "name": "services of which checking side by side says something else than one at a time"
            + "".join(f"; {line}" for line in differ),
            "value": len(differ),
            "unit": "services",
            "target": "== 0",
            "command": COMMAND,
        },
    ]


async def _checked(
    lab: Lab,
    scenario: Scenario,
    services: tuple[Service, ...],
    *,
    one_at_a_time: bool = False,
) -> list[ServiceResult]:
    with lab.client("mobile", scenario, programs=False) as home:
        return await check(
            services, home.network, home.trust, home.clock, vantages(home.environment()),
            one_at_a_time=one_at_a_time, seconds=600.0,
        )  # fmt: skip


def _said(result: ServiceResult) -> tuple[str, ...]:
    verdict = result.verdict
    return (verdict.verdict.value, verdict.mechanism.value, verdict.who.value)

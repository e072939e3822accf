"""Part of ``make prove``: networks without a censor, checked again and again; not once may the state be blamed.

The scenarios are those in which something fails or is slow for another reason, a device whose clock is wrong, and a
site whose line goes up and down every two seconds. What is said otherwise may differ from run to run, because loss
does; it is counted. Each check has a number, so that the proof can be made in pieces.
"""

from collections import Counter
from collections.abc import Sequence

import anyio

from rozaneh.diagnosis import Outcome, Who
from rozaneh.lab import Lab, world_for
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario
from rozaneh.lab.topology import Link
from rozaneh.probe import ServiceResult
from tests.probe.lab.judging import HOMES, Judging

WRONG_CLOCK = "wrong-clock"
CONTROLS = (
    ("clear", "https://blocked.example/"),
    ("site-down", "https://down.example/"),
    ("slow-site", "https://slow.example/"),
    ("loss-5", "https://blocked.example/"),
    ("wrong-certificate", "https://badcert.example/"),
    ("sanctions-refusal", "https://refuses.example/"),
    ("sanctions-refusal", "https://451.refuses.example/"),
    ("sanctions-refusal", "https://alert.refuses.example/"),
    ("sanctions-refusal", "https://resets.refuses.example/"),
    ("no-network", "https://blocked.example/"),
    ("captive-portal", "https://blocked.example/"),
    ("flapping", "https://flapping.example/"),
    (WRONG_CLOCK, "https://blocked.example/"),
    (WRONG_CLOCK, "https://down.example/"),
)
FLAPPING = """
title = "A site whose line goes up and down"

[world.host.flapping]
zone = "world"
addresses = ["51.75.99.10"]
link = { delay_ms = 15.0 }

[[world.service]]
kind = "web"
names = ["flapping.example"]
addresses = ["51.75.99.10"]
"""
_UP, _GONE, _EVERY = Link(delay_ms=15.0), Link(delay_ms=15.0, loss=1.0), 2.0
_AT_ONCE = 20


def controls(times: int, first: int = 0) -> tuple[list[str], Counter[str]]:
    """Check each in turn until so many checks are done.

    Args:
        times: how many.
        first: the number of the first of them.

    Returns:
        Checks that blamed the state, one line each; and how often each thing was said.
    """
    scenarios = {name: _scenario(name) for name, _ in CONTROLS}
    with Lab(world=world_for(list(scenarios.values()))) as lab:
        return anyio.run(_every, lab, scenarios, range(first, first + times))


def _scenario(name: str) -> Scenario:
    if name == "flapping":
        return parse_scenario(FLAPPING, "flapping.toml")
    return load_scenario("clear" if name == WRONG_CLOCK else name)


async def _every(lab: Lab, scenarios: dict[str, Scenario], numbers: range) -> tuple[list[str], Counter[str]]:
    judging, turns = Judging(lab), anyio.Semaphore(_AT_ONCE)
    blamed: list[str] = []
    said: Counter[str] = Counter()

    async def one(number: int) -> None:
        name, target = CONTROLS[number % len(CONTROLS)]
        async with turns:
            home = HOMES[number // len(CONTROLS) % len(HOMES)]
            result = await judging.result(scenarios[name], target, home, right_clock=name != WRONG_CLOCK, seed=number)
        said[f"{name}: {result.verdict.verdict}, by {result.verdict.who}"] += 1
        if _blames(result):
            blamed.append(f"{name}, {target}: {result.verdict}")

    async with anyio.create_task_group() as flapping:
        flapping.start_soon(_flap, lab)
        async with anyio.create_task_group() as group:
            for number in numbers:
                group.start_soon(one, number)
        flapping.cancel_scope.cancel()
    return blamed, said


async def _flap(lab: Lab) -> None:
    while True:
        for link in (_GONE, _UP):
            lab.set_link("flapping", link)
            await anyio.sleep(_EVERY)


def _blames(result: ServiceResult) -> bool:
    verdict = result.verdict
    return verdict.who is Who.STATE or verdict.verdict in (Outcome.BLOCKED, Outcome.THROTTLED, Outcome.DOMESTIC_ONLY)


def lines(said: Counter[str]) -> Sequence[str]:
    """What was said, for the reader of the proof."""
    return [f"  {what}: {count}" for what, count in sorted(said.items())]

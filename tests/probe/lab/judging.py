"""Checking what scenarios expect: each expectation from a customer of its own with censors of its own, many at once."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import msgspec

from rozaneh.core import Failure
from rozaneh.diagnosis import Mechanism, Outcome, Who
from rozaneh.lab import Lab
from rozaneh.lab.scenario import Scenario, load_scenario
from rozaneh.lab.scenario.model import ExpectedVerdict
from rozaneh.probe import ServiceResult, check, choose, vantages

SCENARIOS = Path(__file__).parents[3] / "scenarios"
HOMES = ("mobile", "fixed")
AT_ONCE = (20, 5, 2)
LEAST_RATES = 2

OUTCOMES = {
    Mechanism.NONE: Outcome.OK,
    Mechanism.THROTTLING: Outcome.THROTTLED,
    Mechanism.SERVICE_REFUSAL: Outcome.REFUSED,
    Mechanism.SITE_DOWN: Outcome.DOWN,
    Mechanism.WHOLE_OUTAGE: Outcome.OUTAGE,
    Mechanism.DOMESTIC_ONLY: Outcome.DOMESTIC_ONLY,
    Mechanism.CAPTIVE_PORTAL: Outcome.CAPTIVE_PORTAL,
}
"""What is said first of a mechanism; of any other, that it blocks."""

_BY_NOBODY = (Outcome.OK, Outcome.DOWN, Outcome.CAPTIVE_PORTAL)


@dataclass(frozen=True)
class Case:
    """One expectation of a scenario, on one home network."""

    scenario: Scenario
    expected: ExpectedVerdict
    home: str

    @property
    def name(self) -> str:
        """What it is called when it goes wrong."""
        return f"{self.scenario.id} on {self.home} at {self.expected.at or 'any time'}: {self.expected.target}"

    def wrong(self, result: ServiceResult) -> str:
        """In what the verdict is not the expected one; empty if it is."""
        verdict = result.verdict
        mechanism = verdict.mechanism
        found = f"{self.name}: {verdict.verdict}, {mechanism}, by {verdict.who}, rules {', '.join(verdict.rules)}"
        if mechanism.value not in self.expected.mechanism:
            return f"{found}; expected {' or '.join(self.expected.mechanism)}"
        if verdict.verdict is not OUTCOMES.get(mechanism, Outcome.BLOCKED):
            return f"{found}; that is not what is said of this mechanism"
        who = self.expected.who or _who(verdict.verdict)
        return "" if verdict.who == who else f"{found}; expected by {who}"


def _who(outcome: Outcome) -> Who:
    if outcome is Outcome.OUTAGE:
        return Who.UNKNOWN
    return Who.NOBODY if outcome in _BY_NOBODY else Who.STATE


def scenarios() -> list[Scenario]:
    """Every scenario that ships."""
    return [load_scenario(path) for path in sorted(SCENARIOS.glob("*.toml"))]


def cases(of: Iterable[Scenario], homes: tuple[str, ...] = HOMES[:1]) -> list[Case]:
    """The expectations of scenarios, on the networks that they name, else on these."""
    return [
        Case(scenario, expected, home)
        for scenario in of
        for expected in scenario.verdict
        for home in expected.network or homes
    ]


@dataclass
class Judging:
    """Checks cases in one lab; what could not be told is asked again, with fewer at once. What was told stays."""

    lab: Lab
    at_once: tuple[int, ...] = AT_ONCE
    wanted: Sequence[Case] = ()
    results: dict[str, ServiceResult] = field(default_factory=dict)

    async def all(self, wanted: Sequence[Case]) -> list[str]:
        """Check the cases side by side.

        Returns:
            What was wrong, one line each.
        """
        left = list(wanted)
        for at_once in self.at_once:
            asked = {case.name: partial(self._asked, case) for case in left}
            await self.side_by_side(asked, at_once)
            left = [case for case in left if _unsure(self.results[case.name])]
        return [line for case in wanted if (line := case.wrong(self.results[case.name]))]

    async def side_by_side(self, asked: Mapping[str, Callable[[], Awaitable[ServiceResult]]], at_once: int) -> None:
        """Keep what each of these finds under its name, so many of them at once."""
        turns = anyio.Semaphore(at_once)

        async def one(name: str, ask: Callable[[], Awaitable[ServiceResult]]) -> None:
            async with turns:
                self.results[name] = await ask()

        async with anyio.create_task_group() as group:
            for name, ask in asked.items():
                group.start_soon(one, name, ask)

    async def _asked(self, case: Case) -> ServiceResult:
        return await self.result(case.scenario, case.expected.target, case.home, case.expected.at)

    async def result(
        self,
        scenario: Scenario | None,
        target: str,
        home: str,
        at: str | None = None,
        *,
        control: bool = True,
        right_clock: bool = True,
        seed: int = 0,
    ) -> ServiceResult:
        """Check one target from a new customer; without a control vantage or with a wrong clock where that is asked."""
        with self.lab.client(home, scenario, at=at, seed=seed, programs=False) as client:
            asked = vantages(client.environment())
            asked = asked if control else msgspec.structs.replace(asked, control=())
            trust = client.trust if right_clock else client.trust_without_clock
            (result,) = await check(choose([target]), client.network, trust, client.clock, asked)
        return result


def too_busy(result: ServiceResult) -> bool:
    """Whether attempts were given up because this process did not get to run: what they would have shown is missing."""
    evidence = [each.evidence for each in result.endpoints]
    rates = [each.slowness for each in evidence if each.slowness is not None]
    return any(tried.attempt.failure is Failure.INTERRUPTED for each in evidence for tried in each.tried) or any(
        min(len(each.target), len(each.neutral)) < LEAST_RATES for each in rates
    )


def _unsure(result: ServiceResult) -> bool:
    """Whether nothing was concluded, or from less than all of it."""
    return result.verdict.verdict is Outcome.CANNOT_TELL or (result.verdict.rules == ("works",) and too_busy(result))

"""Checking services: all of them side by side, each endpoint by its experiment, one verdict for each service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio

from rozaneh.core import Failure
from rozaneh.diagnosis import Outcome, judge
from rozaneh.net import Dialer, Network
from rozaneh.net.clock import Clock
from rozaneh.net.trust import Trust
from rozaneh.probe.dials import reached
from rozaneh.probe.experiment import Experiment, Tools
from rozaneh.probe.pace import AT_ONCE
from rozaneh.probe.remembered import Remembered
from rozaneh.probe.results import EndpointResult, ServiceResult, together, unfinished
from rozaneh.probe.services import Endpoint, Service
from rozaneh.probe.vantages import Vantages
from rozaneh.probe.whereabouts import Whereabouts

Progress = Callable[[Service, ServiceResult | None], None]
"""Told of each service twice: with nothing when it begins, with its result when it has ended."""

SECONDS = 60.0
"""How long a check may take in all, unless the caller says otherwise."""

_AGAIN_AT_ONCE = (8, 2)
"""How many services are examined at once, in turns, of those for which this process did not get to run."""


async def check(
    services: Sequence[Service],
    network: Network,
    trust: Trust,
    clock: Clock,
    vantages: Vantages,
    *,
    progress: Progress | None = None,
    one_at_a_time: bool = False,
    seconds: float = SECONDS,
    at_once: int = AT_ONCE,
    way: Dialer | None = None,
    remembered: Remembered | None = None,
    whereabouts: Whereabouts | None = None,
) -> list[ServiceResult]:
    """Say of each service whether it works here and, if not, what keeps the user from it.

    Args:
        services: which; see :func:`rozaneh.probe.services.choose`.
        network: where sockets come from.
        trust: whom to believe about certificates.
        clock: the time of day, which goes into the results: curfews follow it.
        vantages: whom to ask besides the services; see :func:`rozaneh.probe.vantages.vantages`.
        progress: told as services begin and end.
        one_at_a_time: one service after another instead of side by side.
        seconds: in all; what is unfinished then is judged by what was seen, or said to be unknown.
        at_once: how many attempts may be under way.
        way: another way to a control vantage that does not answer directly.
        remembered: what control vantages said before; what they say now is added to it.
        whereabouts: told where control vantages see this probe.

    Returns:
        The results, in the order of the services.
    """
    tools = Tools.of(network, trust, vantages, at_once=at_once, way=way, remembered=remembered, whereabouts=whereabouts)
    run = _Run(tools, clock, progress or _silent, 1 if one_at_a_time else max(len(services), 1))
    with anyio.move_on_after(seconds) as limit:
        async with anyio.create_task_group() as group:
            group.start_soon(tools.dials.pulse.run)
            group.start_soon(tools.canaries.run)
            await run.every(services)
            group.cancel_scope.cancel()
    if limit.cancelled_caught:
        for service in services:
            run.give_up(service)
    return [run.results[service.id] for service in services]


@dataclass
class _Run:
    tools: Tools
    clock: Clock
    progress: Progress
    at_once: int
    results: dict[str, ServiceResult] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _experiments: dict[tuple[str, str], Experiment] = field(default_factory=dict)
    _ended: dict[tuple[str, str], EndpointResult] = field(default_factory=dict)

    async def every(self, services: Sequence[Service]) -> None:
        """Examine all of them; what this machine was too busy for, again with fewer at once."""
        left = services
        rounds = (self.at_once, *_AGAIN_AT_ONCE)
        for number, at_once in enumerate(rounds, 1):
            turns = anyio.Semaphore(min(at_once, self.at_once))
            async with anyio.create_task_group() as tasks:
                for service in left:
                    tasks.start_soon(partial(self._service, service, turns, last=number == len(rounds)))
            left = [service for service in left if service.id not in self.results]
            if left:
                await self.tools.canaries.again()

    async def _service(self, service: Service, turns: anyio.Semaphore, *, last: bool) -> None:
        async with turns:
            if service.id not in self._began:
                self.progress(service, None)
            began = self._began.setdefault(service.id, anyio.current_time())
            async with anyio.create_task_group() as group:
                for endpoint in service.endpoint:
                    group.start_soon(self._endpoint, service, endpoint)
            ended = [self._ended[service.id, endpoint.id] for endpoint in service.endpoint]
            if last or not any(map(_too_busy, ended)):
                self._conclude(service, anyio.current_time() - began)
                return
            self.tools.dials.spoken_to.update(
                address for each in ended for tried in each.evidence.tried for address in reached(tried.attempt)
            )

    async def _endpoint(self, service: Service, endpoint: Endpoint) -> None:
        began = anyio.current_time()
        experiment = Experiment(
            endpoint, self.tools, domestic=service.domestic, typed_by_hand=service.category == "url"
        )
        key = (service.id, endpoint.id)
        self._experiments[key] = experiment
        await experiment.run()
        evidence = experiment.evidence
        self._ended[key] = EndpointResult(
            endpoint=endpoint, verdict=judge(evidence), evidence=evidence, seconds=anyio.current_time() - began
        )

    def _conclude(self, service: Service, seconds: float) -> None:
        ended = [self._ended[service.id, endpoint.id] for endpoint in service.endpoint]
        result = together(service, ended, self.clock.now(), seconds)
        self.results[service.id] = result
        self.progress(service, result)

    def give_up(self, service: Service) -> None:
        """Judge by what was seen of a service that has no result yet."""
        if service.id in self.results:
            return
        for endpoint in service.endpoint:
            key = (service.id, endpoint.id)
            if key not in self._ended:
                experiment = self._experiments.get(key) or Experiment(endpoint, self.tools)
                self._ended[key] = unfinished(endpoint, experiment.evidence, 0.0)
        self._conclude(service, 0.0)


def _too_busy(ended: EndpointResult) -> bool:
    """Whether nothing could be told, and attempts were given up because this process did not get to run."""
    evidence = ended.evidence
    attempts = [tried.attempt for tried in evidence.tried] + [canary.attempt for canary in evidence.canaries]
    given_up = any(attempt.failure is Failure.INTERRUPTED for attempt in attempts)
    return given_up and ended.verdict.verdict is Outcome.CANNOT_TELL


def _silent(_service: Service, _result: ServiceResult | None) -> None:
    """Nobody watches."""

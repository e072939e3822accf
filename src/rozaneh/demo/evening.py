"""The evening of 21 September 2022, on two lines of one household.

The scenario file holds the censors and their sources. Nothing here knows which service meets which obstacle: they are
picked by what the check measured in this run, so that a demo whose parts do not work cannot succeed.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import anyio
import msgspec

from rozaneh.core import Spec, Target
from rozaneh.demo import proof
from rozaneh.demo.client import Client, Fetch
from rozaneh.demo.proof import Claim
from rozaneh.diagnosis import Mechanism, Outcome
from rozaneh.finder import Finder, Memory
from rozaneh.gateway import Gateway, Opened, Refused
from rozaneh.lab import Lab, LabClient
from rozaneh.lab.scenario import load_scenario
from rozaneh.probe import Service, ServiceResult, check, choose, vantages

__all__ = ["Checked", "Comparison", "Doing", "Ended", "Event", "Setting", "evening"]

SCENARIO = "evening-of-21-september-2022"
SERVICES = (
    "whatsapp", "instagram", "telegram", "signal", "skype", "google-play", "app-store", "bbc-persian", "youtube",
    "google-search", "wikipedia", "github", "digikala", "shaparak",
)  # fmt: skip
FRIENDS_LINK = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388"
"""The link that somebody abroad sent: a Shadowsocks server of the lab's world, where its password is public."""
BEFORE, AFTER = "15:30", "16:01"
_PORT = 1080


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The stage is set."""

    tier: str
    reason: str
    hosts: int
    scenario: str
    program: str
    seconds: float


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """What is under way now, for people who wait; ``what`` is ``start``, ``check`` or ``fetch``."""

    what: str
    network: str = ""
    names: tuple[str, ...] = ()


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """All services have been checked on a line at an hour."""

    network: str
    at: datetime
    results: tuple[ServiceResult, ...]
    seconds: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A program fetched a page directly and through the gateway.

    Attributes:
        way: the way that the gateway found; empty when it found none.
        tried: how many ways it tried.
        refused: what the gateway said stands in the way, when it found none.
    """

    network: str
    at: datetime
    service: Service
    url: str
    mechanism: Mechanism
    command: tuple[str, ...]
    direct: Fetch
    through: Fetch
    way: str
    tried: int
    refused: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What had to happen, and whether it did."""

    claims: tuple[Claim, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all of it happened."""
        return all(claim.holds for claim in self.claims)


Event = Setting | Doing | Checked | Comparison | Ended


async def evening(tier: str = "auto") -> AsyncGenerator[Event, None]:
    """Play it, and yield each scene when it has been measured.

    Raises:
        LocalFault: the lab cannot stand on this machine, and what to do about it.
    """
    began = time.perf_counter()
    yield Doing(what="start")
    scenario = load_scenario(SCENARIO)
    services = choose(SERVICES)
    with Lab(tier) as lab:
        mobile, fixed = (_Line(lab.client(name, scenario, at=BEFORE)) for name in ("mobile", "fixed"))
        yield Setting(
            tier=lab.tier.name,
            reason=lab.tier.reason,
            hosts=len(lab.world.host),
            scenario=scenario.id,
            program=mobile.client.program,
            seconds=_since(began),
        )
        async with mobile.gateway(), fixed.gateway():
            claims: list[Claim] = []
            yield Doing(what="check", network="mobile")
            afternoon = await mobile.check(services)
            yield afternoon
            claims.append(proof.free_stays_free(afternoon.results))
            stopped = _one_of_each(afternoon)
            yield Doing(what="fetch", network="mobile", names=tuple(pick.service.id for pick in stopped.values()))
            seen = await mobile.compare(stopped.values())
            for comparison in seen:
                yield comparison
            claims += [proof.stopped_then_through(mechanism, seen) for mechanism in proof.OBSTACLES]

            for line in (mobile, fixed):
                line.home.set_clock(AFTER)
            yield Doing(what="check", network="mobile")
            curfew = await mobile.check(services)
            yield curfew
            claims.append(proof.curfew_named(curfew.results))
            picks = [_page_of(service, curfew) for service in services if service.id in ("wikipedia", "digikala")]
            yield Doing(what="fetch", network="mobile", names=tuple(pick.service.id for pick in picks))
            for comparison in await mobile.compare(picks):
                yield comparison
                judged = proof.domestic_goes_on if comparison.service.domestic else proof.closed_not_leaking
                claims.append(judged(comparison))

            yield Doing(what="fetch", network="fixed", names=tuple(pick.service.id for pick in stopped.values()))
            seen = await fixed.compare(stopped.values())
            for comparison in seen:
                yield comparison
            claims.append(proof.fixed_line_goes_on(seen))
            yield Ended(claims=tuple(claims), seconds=_since(began))


class _Pick(msgspec.Struct, frozen=True):
    """A page to fetch, and what the check said of it."""

    service: Service
    target: Target
    mechanism: Mechanism


class _Line:
    """One line of the household: its computer, its gateway, and the program that people use."""

    def __init__(self, home: LabClient) -> None:
        self.home = home
        self.client = Client(home, f"127.0.0.1:{_PORT}")
        self._told_of: dict[str, Opened | Refused] = {}

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[None]:
        """Run ``rozaneh up`` of this line, listening on its own loopback."""
        finder = Finder(
            self.home.network,
            ways=[Spec.parse(f"{FRIENDS_LINK}|tcp")],
            memory=Memory(),
            clock=self.home.clock,
            trust=self.home.trust,
            where=lambda: self.home.home_network,
        )
        listener = await self.home.network.listen_tcp("127.0.0.1", _PORT)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(Gateway(finder, tell=self._told, show_hosts=True).serve, listener)
            yield
            tasks.cancel_scope.cancel()

    def _told(self, event: object) -> None:
        if isinstance(event, Opened | Refused):
            self._told_of[event.host] = event

    async def check(self, services: Sequence[Service]) -> Checked:
        """What ``rozaneh check`` finds here now."""
        began = time.perf_counter()
        whom = vantages(self.home.environment())
        results = await check(services, self.home.network, self.home.trust, self.home.clock, whom)
        return Checked(
            network=self.home.home_network,
            at=self.home.clock.now(),
            results=tuple(results),
            seconds=_since(began),
        )

    async def compare(self, picks: Iterable[_Pick]) -> list[Comparison]:
        """Fetch each page directly, then through the gateway; the pages side by side, as the tabs of a browser."""
        found: dict[str, Comparison] = {}

        async def one(pick: _Pick) -> None:
            direct = await self.client.fetch(pick.target, through=False)
            through = await self.client.fetch(pick.target, through=True)
            told = self._told_of.get(pick.target.authority)
            found[pick.service.id] = Comparison(
                network=self.home.home_network,
                at=self.home.clock.now(),
                service=pick.service,
                url=str(pick.target),
                mechanism=pick.mechanism,
                command=tuple(self.client.command(pick.target, through=True)),
                direct=direct,
                through=through,
                way=told.way if isinstance(told, Opened) else "",
                tried=told.tried if told is not None else 0,
                refused=told.obstacle if isinstance(told, Refused) else "",
            )

        wanted = list(picks)
        async with anyio.create_task_group() as tasks:
            for pick in wanted:
                tasks.start_soon(one, pick)
        return [found[pick.service.id] for pick in wanted]


def _one_of_each(checked: Checked) -> dict[Mechanism, _Pick]:
    """For each obstacle the first page that was found behind it, in the order in which they are proven."""
    found: dict[Mechanism, _Pick] = {}
    for result in checked.results:
        for place in result.endpoints:
            verdict = place.verdict
            if verdict.verdict is Outcome.BLOCKED and place.endpoint.shape == "https":
                found.setdefault(verdict.mechanism, _Pick(result.service, place.endpoint.target, verdict.mechanism))
    return {mechanism: found[mechanism] for mechanism in proof.OBSTACLES if mechanism in found}


def _page_of(service: Service, checked: Checked) -> _Pick:
    result = next(result for result in checked.results if result.service == service)
    return _Pick(service, service.endpoint[0].target, result.verdict.mechanism)


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 2)

"""Canaries: what the rest of the network does, tried once in a run, beside the targets."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from rozaneh.core import Failure
from rozaneh.diagnosis import Canary, Zone
from rozaneh.diagnosis.network import network_facts
from rozaneh.net.exchange import http_get, tls_handshake
from rozaneh.probe.dials import Dials
from rozaneh.probe.vantages import CanarySite

_CUT = frozenset(("network.foreign.dead", "network.redirected", "network.certificates.wrong"))


@dataclass
class Canaries:
    """The canaries of a run, and what they show as soon as it can be told.

    Attributes:
        dials: how to try them.
        sites: which.
        seen: those that have ended.
        done: set when all have.
        cut: set as soon as everything abroad is known to be cut off, so that targets need not wait for their own
            timeouts.
    """

    dials: Dials
    sites: Sequence[CanarySite]
    seen: list[Canary] = field(default_factory=list)
    done: anyio.Event = field(default_factory=anyio.Event)
    cut: anyio.Event = field(default_factory=anyio.Event)

    async def run(self) -> None:
        """Try all of them at once; a foreign one that fails is tried once more before it counts."""
        await self._every(self.sites)

    async def again(self) -> None:
        """Try those again that were given up because this process did not get to run."""
        given_up = [canary for canary in self.seen if canary.attempt.failure is Failure.INTERRUPTED]
        self.seen = [canary for canary in self.seen if canary not in given_up]
        names = {(canary.name, canary.attempt.target) for canary in given_up}
        await self._every([site for site in self.sites if (site.name, site.target) in names])

    async def _every(self, sites: Sequence[CanarySite]) -> None:
        async with anyio.create_task_group() as group:
            for site in sites:
                group.start_soon(self._one, site)
        self.done.set()
        if not _CUT.isdisjoint(network_facts(self.seen)):
            self.cut.set()

    async def _one(self, site: CanarySite) -> None:
        target = site.target
        exchange = http_get(target, most_body=4096) if site.plain else tls_handshake(target, self.dials.trust)
        attempt = await self.dials.attempt(target, exchange)
        if not attempt.ok and attempt.took < self.dials.deadlines.connect / 2 and site.zone is Zone.FOREIGN:
            # A fast failure may be an accident, and costs little to repeat.
            attempt = await self.dials.attempt(target, exchange)
        self.seen.append(Canary(name=site.name, network=site.network, zone=site.zone, attempt=attempt))

"""A light round: a few places at home and abroad, one lookup, one datagram, one short transfer. Under 30 kB.

Two domestic places and one abroad shake hands; two more abroad are only connected to, in other networks and at known
addresses, so that neither names nor one network decide. Which of the canaries take part changes from round to round.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from rozaneh.codecs.dns import Lookup
from rozaneh.core import Attempt, DialFailed, Op, Target
from rozaneh.diagnosis import Zone
from rozaneh.net import Deadlines
from rozaneh.net.exchange import https_get, tls_handshake
from rozaneh.net.resolve import DNS_PORT
from rozaneh.probe.dials import Dials
from rozaneh.probe.vantages import CanarySite, Vantages
from rozaneh.probe.watch.deciding import Round

MOST_BODY = 8_000
"""Bytes of the transfer."""

DEADLINES = Deadlines(
    resolve=3.6, connect=3.6, tls_handshake=3.6, request=3.0, first_byte=4.0, throughput=6.0, listen_late=0.0
)
_DOMESTIC, _FOREIGN = 2, 3
_QUICK = 1.0


@dataclass(frozen=True)
class Light:
    """Makes light rounds.

    Attributes:
        dials: how to dial.
        vantages: whom.
        spent: says how many bytes have moved by now.
        chance: which of them take part.
    """

    dials: Dials
    vantages: Vantages
    spent: Callable[[], int]
    chance: random.Random

    async def round(self) -> Round:
        """One round."""
        before = self.spent()
        home = self._choose(Zone.DOMESTIC, _DOMESTIC)
        abroad = self._choose(Zone.FOREIGN, _FOREIGN)
        answered: dict[str, bool] = {}
        found: dict[str, float | bool | None] = {"rate": None, "dns": False, "udp": False}

        async def shakes(site: CanarySite) -> None:
            answered[site.name] = (await self._twice(lambda: self._handshake(site))).ok

        async def connects(site: CanarySite) -> None:
            answered[site.name] = (await self._twice(lambda: self.dials.attempt(site.target, None))).ok

        async def transfers(site: CanarySite) -> None:
            attempt = await self._twice(lambda: self._transfer(site))
            # A certificate or a status that is wrong is still an answer from there; a silence or a reset is none.
            answered[site.name] = attempt.ok
            found["rate"] = _rate(attempt)

        async def looks_up() -> None:
            found["dns"] = await self._resolves()

        async def sends() -> None:
            found["udp"] = await self._datagram()

        async with anyio.create_task_group() as group:
            for site in home:
                group.start_soon(shakes, site)
            for number, site in enumerate(abroad):
                group.start_soon(connects if number else transfers, site)
            group.start_soon(looks_up)
            group.start_soon(sends)
        rate = found["rate"]
        return Round(
            domestic=tuple(answered[site.name] for site in home),
            foreign=tuple(answered[site.name] for site in abroad),
            dns=bool(found["dns"]),
            udp=bool(found["udp"]),
            rate=float(rate) if rate is not None else None,
            cost=self.spent() - before,
        )

    def _choose(self, zone: Zone, count: int) -> list[CanarySite]:
        """Some canaries of a zone, each in another network; abroad those at known addresses, which need no name."""
        usable = [s for s in self.vantages.canary if s.zone is zone and not s.plain]
        if zone is Zone.FOREIGN:
            usable = [site for site in usable if site.address] or usable
        self.chance.shuffle(usable)
        by_network: dict[str, CanarySite] = {}
        for site in usable:
            by_network.setdefault(site.network, site)
        return list(by_network.values())[:count]

    async def _twice(self, dial: Callable[[], Awaitable[Attempt]]) -> Attempt:
        """Once more where it failed quickly, which may be an accident and costs little to repeat."""
        attempt = await dial()
        return attempt if attempt.ok or attempt.took > _QUICK else await dial()

    async def _handshake(self, site: CanarySite) -> Attempt:
        return await self.dials.attempt(site.target, tls_handshake(site.target, self.dials.trust))

    async def _transfer(self, site: CanarySite) -> Attempt:
        path = self.vantages.transfer or site.path
        target = Target(host=site.name, port=443, speaks="https", path=path, addresses=site.target.addresses)
        return await self.dials.attempt(target, https_get(target, self.dials.trust, most_body=MOST_BODY))

    async def _resolves(self) -> bool:
        try:
            with anyio.fail_after(DEADLINES.resolve):
                return bool(await self.dials.network.resolve(self.vantages.neutral))
        except (DialFailed, TimeoutError, OSError):
            return False

    async def _datagram(self) -> bool:
        """Ask a resolver abroad over UDP; whatever comes back shows that datagrams go and come."""
        question = next(iter(Lookup(self.vantages.neutral, (self.chance.getrandbits(16), 0)).questions.values()))
        target = Target(host=self.vantages.datagram, port=DNS_PORT).at(self.vantages.datagram)
        return (await self.dials.datagrams(target, question, "udp")).ok


def _rate(attempt: Attempt) -> float | None:
    """Bytes per second from the end of the request to the last byte that was read; none where none came."""
    steps = [step for op in (Op.FIRST_BYTE, Op.THROUGHPUT) for step in attempt.steps(op)]
    received, took = sum(step.received for step in steps), sum(step.took for step in steps)
    return received / took if received and took > 0 else None

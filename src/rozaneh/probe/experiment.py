"""What to dial for one endpoint, and in which order, so that a verdict can rest on pairs of attempts.

First as the user's programs do. If that works, there is nothing to explain, unless the page came slowly or was a
refusal. If not, everything that can be compared with it runs side by side: once more, a trusted answer of the name, a
harmless name at the same address, a control elsewhere. Only where a name seems to be punished and its address
afterwards with it, the name is sent to a mirror: a server that has nothing to do with it. Nothing is ever pinged,
because there is a censor that punishes pings (net4people/bbs#489).
"""

import os
import zlib
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Self

import anyio

from rozaneh.core import Attempt, Op, Target
from rozaneh.diagnosis import Control, Evidence, Role, Slowness, Tried
from rozaneh.diagnosis import signatures as known_signatures
from rozaneh.diagnosis.controls import FORBIDDEN
from rozaneh.diagnosis.readings import answers, reading, status, tls_answered
from rozaneh.net import Dialer, Network
from rozaneh.net.trust import Trust
from rozaneh.probe import transfers
from rozaneh.probe.canaries import Canaries
from rozaneh.probe.control import Controls
from rozaneh.probe.dials import Dials, first_packet, host_of, reached
from rozaneh.probe.lookups import Lookups, Trusted
from rozaneh.probe.pace import AT_ONCE, Pace
from rozaneh.probe.remembered import Remembered
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import Vantages
from rozaneh.probe.whereabouts import Whereabouts

_SPOKEN = ("tls.", "answer.", "body.")
_DENIED = ("resolve.nxdomain", "resolve.no_answer", "resolve.bogon", "connect.bogon")
_MORE_TIMES = 3
_RANDOM_BYTES = 200
_LIKE_THE_WEB = b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Tools:
    """What the experiments of one run share."""

    dials: Dials
    lookups: Lookups
    controls: Controls
    canaries: Canaries
    vantages: Vantages
    provoked: dict[str, str] = field(default_factory=dict)
    """Addresses at which a name seemed to be punished in this run, each with that name."""
    spoilt: set[str] = field(default_factory=set)
    """Mirrors that no longer answer harmless names either."""

    @classmethod
    def of(
        cls,
        network: Network,
        trust: Trust,
        vantages: Vantages,
        *,
        at_once: int = AT_ONCE,
        way: Dialer | None = None,
        remembered: Remembered | None = None,
        whereabouts: Whereabouts | None = None,
    ) -> Self:
        """Tools for one run.

        Args:
            network: where sockets come from.
            trust: whom to believe about certificates.
            vantages: whom to ask besides the targets.
            at_once: how many attempts may be under way.
            way: another way to a control vantage that does not answer directly.
            remembered: what control vantages said before.
            whereabouts: told where control vantages see this probe.
        """
        dials = Dials(network, trust, Pace(at_once))
        return cls(
            dials=dials,
            lookups=Lookups(dials, vantages.resolvers),
            controls=Controls(dials, vantages.control, way, remembered or Remembered(), whereabouts or Whereabouts()),
            canaries=Canaries(dials, vantages.canary),
            vantages=vantages,
        )


@dataclass
class Experiment:
    """One endpoint being examined: what was tried so far, and what was learnt on the way."""

    endpoint: Endpoint
    tools: Tools
    domestic: bool = False
    typed_by_hand: bool = False
    _tried: list[Tried] = field(default_factory=list)
    _control: tuple[Control, ...] = ()
    _trusted: Trusted = field(default_factory=Trusted)
    _slowness: Slowness | None = None

    @property
    def evidence(self) -> Evidence:
        """What is known so far, canaries included."""
        endpoint = self.endpoint
        return Evidence(
            tried=tuple(self._tried),
            trusted_answers=self._trusted.addresses or endpoint.addresses,
            trusted_failure=self._trusted.failure,
            control=self._control,
            canaries=tuple(self.tools.canaries.seen),
            slowness=self._slowness,
            kind=endpoint.kind,
            issuer=endpoint.issuer,
            domestic=self.domestic,
            tainted=any(map(self._punished, self._addresses())),
        )

    def _punished(self, address: str) -> bool:
        """Whether a penalty may last at an address for what was said there before."""
        host = self.endpoint.target.host
        return self.tools.provoked.get(address, host) != host or address in self.tools.dials.spoken_to

    async def run(self) -> None:
        """Examine the endpoint. Ends early when the canaries show that everything abroad is cut off."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._stop_when_cut, group.cancel_scope)
            await self._examine()
            group.cancel_scope.cancel()

    async def _stop_when_cut(self, scope: anyio.CancelScope) -> None:
        await self.tools.canaries.cut.wait()
        if not self.domestic:
            scope.cancel()

    async def _examine(self) -> None:
        first = await self._try(Role.SYSTEM, self.tools.dials.plain(self.endpoint))
        if first.ok:
            await self._look_closer(first)
            return
        read = reading(first)
        async with anyio.create_task_group() as group:
            if read not in _DENIED and read != "resolve.silence":
                group.start_soon(self._again)
            group.start_soon(self._compare, first)
            group.start_soon(self.tools.canaries.done.wait)
        await self._follow_up()

    # ----------------------------------------------------------------------------------------------- when it works

    async def _look_closer(self, first: Attempt) -> None:
        """Explain what works: a forbidding status, a slow page, a known substitute, a protocol that is let through."""
        if status(first) in FORBIDDEN:
            await self._ask_control()
        known = known_signatures()
        if any(known.address_kind(address) for address in answers(first)):
            await self._look_up()
        if transfers.suspiciously_slow(first, self.tools.vantages.expected_rate):
            await self._compare_rates(first)
        if self.endpoint.kind == "tcp" and self.typed_by_hand:
            await self._try_kinds_of_traffic()

    async def _compare_rates(self, first: Attempt) -> None:
        spent = sum(step.received for step in first.observations)
        target = self.endpoint.target.at(*reached(first)[:1])
        compared = await transfers.compare(
            self.tools.dials, target, self._neutral, spent, self.tools.vantages.expected_rate
        )
        self._slowness = compared.slowness
        self._tried += [Tried(Role.NEUTRAL_NAME, attempt) for attempt in compared.neutral]

    async def _try_kinds_of_traffic(self) -> None:
        """Bytes that look like nothing against bytes that look like the web, twice, over TCP to the same server."""
        target = self.endpoint.target
        neutral = await self._try(Role.SHAPED_NEUTRAL, self.tools.dials.shaped(target, _LIKE_THE_WEB))
        if neutral.ok:
            for _ in range(2):
                await self._try(Role.SHAPED, self.tools.dials.shaped(target, os.urandom(_RANDOM_BYTES)))

    # ------------------------------------------------------------------------------------------------ when it fails

    async def _again(self) -> None:
        await self._try(Role.SYSTEM, self.tools.dials.plain(self.endpoint))

    async def _compare(self, first: Attempt) -> None:
        """Look the name up where nobody can forge it; then dial right addresses, and with a harmless name."""
        await self._look_up()
        async with anyio.create_task_group() as group:
            group.start_soon(self._ask_control)
            group.start_soon(self._at_right_address, first)

    async def _at_right_address(self, first: Attempt) -> None:
        trusted = set(self._trusted.addresses)
        went = {host_of(step.peer) for step in first.steps(Op.CONNECT)}
        right = first
        if trusted and not went & trusted:
            for _ in range(2):
                right = await self._try(Role.TRUSTED, self.tools.dials.plain(self.endpoint, self._trusted.addresses))
                if right.ok:
                    return
        address = next(iter(reached(right)), "")
        if address and reading(right).startswith(_SPOKEN) and self.endpoint.kind in ("https", "http", "tls"):
            await self._under_harmless_name(right, address)

    async def _under_harmless_name(self, failed: Attempt, address: str) -> None:
        self.tools.provoked.setdefault(address, self.endpoint.target.host)
        neutral = await self._try(Role.NEUTRAL_NAME, self.tools.dials.named(self.endpoint, self._neutral, address))
        if reading(failed) == reading(neutral) == "tls.reset":
            # Whatever the name: then it is the times that tell who resets, and single times are noisy.
            for _ in range(_MORE_TIMES):
                await self._try(Role.NEUTRAL_NAME, self.tools.dials.named(self.endpoint, self._neutral, address))
        if reading(failed) == "tls.certificate":
            await self._try(Role.UNVERIFIED, self.tools.dials.unverified(self.endpoint, address))

    async def _follow_up(self) -> None:
        """What the pairs left open."""
        system = self._of(Role.SYSTEM)
        worked = any(attempt.ok for attempt in (*system, *self._of(Role.TRUSTED)))
        spoken = [attempt for attempt in (*system, *self._of(Role.TRUSTED)) if reading(attempt).startswith("tls.")]
        answered = any(tls_answered(attempt) for attempt in self._of(Role.NEUTRAL_NAME))
        if not worked and spoken and not answered and reading(spoken[0]) in ("tls.silence", "tls.reset"):
            await self._at_a_mirror()
        if not worked and self.endpoint.kind == "quic":
            await self._quic_elsewhere()
        if not worked and self.endpoint.kind == "udp" and self.tools.vantages.echo:
            await self._datagrams_elsewhere()

    async def _at_a_mirror(self) -> None:
        """Send the name to a server that has nothing to do with it, right after a harmless name got through there."""
        tools, host = self.tools, self.endpoint.target.host
        own = self._addresses()
        choice = [address for address in tools.vantages.mirrors if address not in own]
        start = zlib.crc32(host.encode()) % max(len(choice), 1)
        for mirror in choice[start:] + choice[:start]:
            async with tools.dials.pace.alone(mirror):
                if mirror in tools.spoilt:
                    continue
                neutral = await self._try(Role.MIRROR_NEUTRAL, tools.dials.named(_MIRRORED, self._neutral, mirror))
                if not tls_answered(neutral):
                    tools.spoilt.add(mirror)
                    continue
                named = await self._try(Role.MIRROR, tools.dials.named(_MIRRORED, host, mirror))
                if not tls_answered(named):
                    tools.spoilt.add(mirror)
                return

    async def _quic_elsewhere(self) -> None:
        addresses = self._trusted.addresses or self._addresses()
        for address in addresses[:1]:
            await self._try(Role.QUIC_NEUTRAL, self.tools.dials.named(self.endpoint, self._neutral, address))

    async def _datagrams_elsewhere(self) -> None:
        """The same kind of packet, and a harmless one, to a server that echoes everything."""
        dials, echo = self.tools.dials, self.tools.vantages.echo
        target = Target(host=echo, port=self.endpoint.target.port).at(echo)
        payload = first_packet(self.endpoint)
        await self._try(Role.SHAPED_NEUTRAL, dials.datagrams(target, os.urandom(len(payload)), "udp"))
        await self._try(Role.SHAPED, dials.datagrams(target, payload, self.endpoint.shape))

    # -------------------------------------------------------------------------------------------------------- parts

    async def _look_up(self) -> None:
        target = self.endpoint.target
        if not target.is_literal and not self.endpoint.addresses and not self._trusted.attempts:
            self._trusted = await self.tools.lookups.of(target.host)

    async def _ask_control(self) -> None:
        if not self.domestic:
            self._control = await self.tools.controls.ask(
                self.endpoint, self._trusted.addresses or self.endpoint.addresses
            )

    async def _try(self, role: Role, attempt: Awaitable[Attempt]) -> Attempt:
        made = await attempt
        self._tried.append(Tried(role, made))
        return made

    def _of(self, role: Role) -> list[Attempt]:
        return [tried.attempt for tried in self._tried if tried.role is role]

    def _addresses(self) -> tuple[str, ...]:
        own = (self._trusted.addresses, self.endpoint.addresses, *map(reached, self._of(Role.SYSTEM)))
        return tuple(dict.fromkeys(address for group in own for address in group))

    @property
    def _neutral(self) -> str:
        return self.endpoint.neutral or self.tools.vantages.neutral


_MIRRORED = Endpoint(id="mirror", url="tls://mirror.invalid:443")

"""Names from encrypted resolvers, each looked up once in a run."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio
import msgspec

from rozaneh.core import Attempt, Failure, Op, Spec, Target
from rozaneh.dialers import dnstcp, dnsudp, doh, dot
from rozaneh.dialers.tcp import Tcp
from rozaneh.probe.dials import Dials, LookupOnly, element_of

if TYPE_CHECKING:
    from rozaneh.net import Dialer

_NEXT_AFTER = 1.2
_CARRIERS = MappingProxyType({"dnstcp": dnstcp.build, "dnsudp": dnsudp.build, "doh": doh.build, "dot": dot.build})
_DENIALS = (Failure.DNS_NXDOMAIN_ERROR, Failure.DNS_NO_ANSWER)


@dataclass(frozen=True)
class Trusted:
    """What encrypted resolvers say about a name.

    Attributes:
        addresses: its addresses.
        failure: why there are none: a denial by a resolver, or how the last of them could not be reached.
        attempts: what was tried.
    """

    addresses: tuple[str, ...] = ()
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass
class Lookups:
    """Asks resolvers in turn: the next one when one failed or is slow; the first answer is remembered."""

    dials: Dials
    resolvers: tuple[str, ...]
    _known: dict[str, Trusted] = field(default_factory=dict)

    async def of(self, host: str) -> Trusted:
        """The addresses of a name. Whoever asks for the same name meanwhile waits for the one answer."""
        async with self.dials.pace.alone(f"lookup {host}"):
            if host not in self._known:
                self._known[host] = await self._ask(host)
            return self._known[host]

    async def _ask(self, host: str) -> Trusted:
        tried: list[Attempt] = []
        found: list[Trusted] = []
        async with anyio.create_task_group() as group:

            async def ask(resolver: str, over: anyio.Event) -> None:
                attempt = await self.by(resolver, host)
                tried.append(attempt)
                answer = _answer(attempt)
                if answer is not None:
                    found.append(answer)
                    group.cancel_scope.cancel()
                over.set()

            for resolver in self.resolvers:
                over = anyio.Event()
                group.start_soon(ask, resolver, over)
                with anyio.move_on_after(_NEXT_AFTER):
                    await over.wait()
        if found:
            return Trusted(found[0].addresses, found[0].failure, tuple(tried))
        last = tried[-1].last_failed() if tried else None
        return Trusted((), last.failure if last else None, tuple(tried))

    async def answered(self, resolver: str, host: str) -> Attempt:
        """As :meth:`by`, with the lookup's own end as the attempt's."""
        attempt = await self.by(resolver, host)
        step = next(iter(attempt.steps(Op.RESOLVE)), None)
        ended = step.failure if step is not None else attempt.failure
        return msgspec.structs.replace(attempt, failure=ended)

    async def by(self, resolver: str, host: str) -> Attempt:
        """Look a name up by one resolver and dial nothing: the attempt ends ``interrupted`` after the lookup.

        Args:
            resolver: as a way has it: ``doh:NAME@IP``, ``dot:NAME@IP``, ``dnstcp:IP`` or ``dnsudp:IP``.
            host: the name.
        """
        element = element_of(resolver)
        tcp = Tcp(self.dials.network, Spec.parse("tcp"))
        address = element.argument.rpartition("@")[2]
        inner = LookupOnly(tcp, address)
        make = _CARRIERS[element.name]
        way: Dialer = make(element, inner, self.dials.network, self.dials.trust)
        return await self.dials.attempt(Target(host=host, port=443, speaks="https"), None, way)


def _answer(attempt: Attempt) -> Trusted | None:
    """What a lookup says, if anything."""
    for step in attempt.steps(Op.RESOLVE):
        if step.failure is None and step.names("answers"):
            return Trusted(addresses=step.names("answers"))
        if step.failure in _DENIALS:
            return Trusted(failure=step.failure)
    return None

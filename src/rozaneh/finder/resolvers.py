"""The trustworthy resolvers, and the connections to them that are kept for the next question.

A handshake with a resolver costs about five kilobytes, and on a blocked network it is most of what a lookup costs. So
while somebody holds :meth:`Resolvers.keeping`, one connection to each resolver stays open between lookups, and whoever
asks while it is being opened waits for it. It is closed when nothing was asked for a while, and on another network.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from rozaneh.codecs.dns import Lookup
from rozaneh.core import DialFailed, Failure, LocalFault
from rozaneh.dialers import build
from rozaneh.dialers.resolver import Conversation, StreamResolving, resolver_faults
from rozaneh.finder.ways import DIRECT
from rozaneh.net import Network, Step, Trace
from rozaneh.net.trace import NETWORK_ERRORS
from rozaneh.net.trust import Trust
from rozaneh.words import later

__all__ = ["Resolvers"]

_IDLE = 120.0
"""Seconds without a question after which a connection is closed; resolvers close theirs at about that time as well."""
_LOOK = 15.0
_LEAST_PATIENCE = 0.6
_PATIENT = 4.0
"""An answer on a kept connection may take this many times what the one before took: it may have died meanwhile."""


@dataclass(slots=True)
class _Kept:
    conversation: Conversation
    used: float
    took: float
    lasts: bool = True


@dataclass(slots=True)
class _Opening:
    over: anyio.Event = field(default_factory=anyio.Event)
    failure: Failure | None = None


class Resolvers:
    """Asks resolvers, each by its own way.

    Args:
        network: where sockets come from.
        trust: whom TLS believes.
    """

    def __init__(self, network: Network, trust: Trust) -> None:
        self._network = network
        self._trust = trust
        self._keeps = 0
        self._forgot = 0
        self._kept: dict[str, _Kept] = {}
        self._opening: dict[str, _Opening] = {}
        self._let_go: list[Conversation] = []
        self._wake = anyio.Event()

    def resolver(self, name: str) -> StreamResolving:
        """The resolver that the table calls so.

        Raises:
            SpecError: it names an element that does not exist, or a wrong argument.
        """
        made = build(f"{name}|{DIRECT}", self._network, trust=self._trust)
        if not isinstance(made, StreamResolving):
            raise LocalFault(later("{name}: not a resolver that is asked over a stream", name=name))
        return made

    def is_open(self, name: str) -> bool:
        """Whether a question to a resolver needs no new connection."""
        return name in self._opening or (name in self._kept and not self._kept[name].conversation.broken)

    async def addresses(self, resolver: StreamResolving, name: str, host: str, trace: Trace) -> list[str]:
        """Resolve a host, as one step; tagged ``kept`` where a connection was there already.

        Args:
            resolver: what :meth:`resolver` made.
            name: what the table calls it.
            host: the name to look up.
            trace: where the step goes.

        Raises:
            DialFailed: the resolver could not be asked, or has no address.
        """
        if not self._keeps:
            return await resolver.addresses(host, trace)

        async def ask(lookup: Lookup, step: Step) -> None:
            with resolver_faults():
                if not await self._asked_again(name, lookup, step):
                    kept = await self._opened(resolver, name, step)
                    try:
                        await self._ask(kept, lookup, step)
                    finally:
                        if not kept.lasts:
                            with anyio.CancelScope(shield=True):
                                await kept.conversation.aclose()

        return await resolver.looked_up(host, trace, ask)

    async def _asked_again(self, name: str, lookup: Lookup, step: Step) -> bool:
        """Ask on the connection that is there; whether there was one and it has answered."""
        kept = self._kept.get(name)
        if kept is None or kept.conversation.broken:
            return False
        try:
            with anyio.move_on_after(max(_LEAST_PATIENCE, _PATIENT * kept.took)):
                await self._ask(kept, lookup, step)
                step.tag(kept=True)
                return True
        except NETWORK_ERRORS as error:
            if isinstance(error, DialFailed) and error.failure is Failure.HTTP_UNEXPECTED_STATUS_CODE:
                raise
        # The other end, or something on the way, has given it up since the last question.
        self._drop(name, kept)
        return bool(lookup.responses)

    async def _ask(self, kept: _Kept, lookup: Lookup, step: Step) -> None:
        began = anyio.current_time()
        await kept.conversation.ask(lookup, step)
        kept.used = anyio.current_time()
        kept.took = kept.used - began

    async def _opened(self, resolver: StreamResolving, name: str, step: Step) -> _Kept:
        while (opening := self._opening.get(name)) is not None:
            await opening.over.wait()
            if opening.failure is not None:
                raise DialFailed(opening.failure, "another lookup could not open a connection to this resolver")
        kept = self._kept.get(name)
        if kept is not None and not kept.conversation.broken:
            return kept
        opening, times = _Opening(), self._forgot
        self._opening[name] = opening
        began = anyio.current_time()
        try:
            conversation = await resolver.converse(step)
        except DialFailed as failed:
            opening.failure = failed.failure
            raise
        finally:
            del self._opening[name]
            opening.over.set()
        now = anyio.current_time()
        fresh = _Kept(conversation, now, now - began, lasts=self._forgot == times)
        if fresh.lasts:
            if kept is not None:  # it is broken, and only what is known here will be closed
                self._drop(name, kept)
            self._kept[name] = fresh
        return fresh

    def _drop(self, name: str, kept: _Kept) -> None:
        if self._kept.get(name) is kept:
            del self._kept[name]
            self._close_soon([kept])

    def _close_soon(self, kept: list[_Kept]) -> None:
        self._let_go += [each.conversation for each in kept]
        self._wake.set()

    def forget(self) -> None:
        """Keep none of the connections that are open, as on another network."""
        self._forgot += 1
        kept, self._kept = list(self._kept.values()), {}
        self._close_soon(kept)

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        """Keep connections between lookups, until this is left."""
        self._keeps += 1
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._tidy)
                yield
                tasks.cancel_scope.cancel()
        finally:
            self._keeps -= 1
            if not self._keeps:
                self.forget()
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _tidy(self) -> None:
        while True:
            self._wake = anyio.Event()
            await self._close()
            with anyio.move_on_after(_LOOK):
                await self._wake.wait()
            now = anyio.current_time()
            idle = [name for name, kept in self._kept.items() if now - kept.used > _IDLE or kept.conversation.broken]
            self._close_soon([self._kept.pop(name) for name in idle])

    async def _close(self) -> None:
        while self._let_go:
            await self._let_go.pop().aclose()

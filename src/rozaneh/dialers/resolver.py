"""What the strategies that bring their own resolver have in common."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import anyio

from rozaneh.codecs.dns import Lookup
from rozaneh.core import DialFailed, Failure, Op, RemoteFault, Spec, SpecError, Target, TargetError
from rozaneh.core.target import clean_host
from rozaneh.net import ByteStream, Dialer, Step, Trace
from rozaneh.net.resolve import ask_stream, conclude, new_lookup
from rozaneh.net.streams import ClosedOnFailure, forsake
from rozaneh.words import later


@dataclass(frozen=True)
class Resolver:
    """Where a resolver is.

    Attributes:
        address: its IP address.
        port: its port.
        name: the name in its certificate; empty for one without TLS.
    """

    address: str
    port: int
    name: str = ""

    @property
    def target(self) -> Target:
        """The resolver as something to dial. It is a literal: nothing has to be resolved for it."""
        return Target(host=self.address, port=self.port, speaks="https" if self.name else "dns")

    def __str__(self) -> str:
        return f"{self.name}@{self.address}" if self.name else self.address


class Conversation(Protocol):
    """A connection to a resolver on which one lookup may follow another, and some may overlap."""

    @property
    def broken(self) -> bool:
        """Whether nothing may be asked on it any more."""

    async def ask(self, lookup: Lookup, step: Step) -> None:
        """Put the questions of a lookup, and feed it the answers. Raises what a network may raise."""

    async def aclose(self) -> None:
        """Close the connection."""


Begin = Callable[[ByteStream, Step], Awaitable[Conversation]]
"""Makes a conversation of a stream to a resolver, shaking hands where that has to be."""


@contextmanager
def unless_done(spoil: Callable[[], None]) -> Iterator[None]:
    """Call ``spoil`` unless what stands within is done to its end."""
    with ExitStack() as undo:
        undo.callback(spoil)
        yield
        undo.pop_all()


class OneByOne:
    """A conversation in which each lookup waits until the one before it is over.

    Args:
        stream: to the resolver.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.broken = False
        self._stream = stream
        self._turn = anyio.Lock()

    async def ask(self, lookup: Lookup, step: Step) -> None:
        """Put the questions of a lookup, and feed it the answers."""
        async with self._turn:
            if self.broken:
                raise anyio.ClosedResourceError
            # Whatever is cut short leaves an answer behind that the next one would take for its own.
            with unless_done(self._spoil):
                await ask_stream(self._stream, lookup, step)
            self.broken = not lookup.complete

    def _spoil(self) -> None:
        self.broken = True

    async def aclose(self) -> None:
        """Close the connection."""
        self.broken = True
        await forsake(self._stream)


@dataclass(frozen=True)
class StreamResolving:
    """Resolves over a stream that the way below opens, then dials the addresses by the same way.

    Both questions share one connection. The lookup is one step; connecting and the handshake are its children.

    Attributes:
        engine: ``tcp``, ``dot`` or ``doh``, for the record.
        resolver: whom to ask.
        begin: how.
        inner: the way below.
        spec: the whole way.
    """

    engine: str
    resolver: Resolver
    begin: Begin
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Resolve unless the addresses are known, then dial."""
        if target.addresses or target.is_literal:
            return await self.inner.dial(target, trace)
        return await self.inner.dial(target.at(*await self.addresses(target.host, trace)), trace)

    async def addresses(self, host: str, trace: Trace) -> list[str]:
        """Resolve a name on a connection of its own, as one step.

        Raises:
            DialFailed: the resolver could not be asked, or has no address.
        """

        async def ask(lookup: Lookup, step: Step) -> None:
            conversation = await self.converse(step)
            try:
                with resolver_faults():
                    await conversation.ask(lookup, step)
            finally:
                await conversation.aclose()

        return await self.looked_up(host, trace, ask)

    async def looked_up(self, host: str, trace: Trace, ask: Callable[[Lookup, Step], Awaitable[None]]) -> list[str]:
        """Resolve a name as one step, asking in a given manner.

        Raises:
            DialFailed: the resolver could not be asked, or has no address.
        """
        # The connection is made within the step, and a black hole should show as a connect that took its whole time.
        deadline = trace.deadlines.resolve + trace.deadlines.connect
        asked = str(self.resolver)
        async with trace.step(Op.RESOLVE, deadline=deadline, engine=self.engine, resolver=asked, query=host) as step:
            lookup = new_lookup(host, encrypted=bool(self.resolver.name))
            await ask(lookup, step)
            return conclude(lookup, step)

    async def converse(self, step: Step) -> Conversation:
        """Open a connection to the resolver, as children of a step. Whoever takes it closes it.

        Raises:
            DialFailed: it could not be opened.
        """
        stream = await self.inner.dial(self.resolver.target, step.under)
        async with ClosedOnFailure(stream):
            return await self.begin(stream, step)


@contextmanager
def resolver_faults() -> Iterator[None]:
    """What a resolver sends that is no answer is ``dns_server_misbehaving``."""
    try:
        yield
    except RemoteFault as fault:
        raise DialFailed(Failure.DNS_SERVER_MISBEHAVING, str(fault)) from fault


def parse_resolver(argument: str, *, port: int, named: bool) -> Resolver:
    """Read ``NAME@IP[:port]`` or, for a resolver without TLS, ``IP[:port]``. IPv6 with a port stands in brackets.

    Args:
        argument: the text.
        port: what to take where it names none.
        named: whether a name for the certificate is needed.

    Raises:
        SpecError: it is something else.
    """
    shape = "NAME@IP[:port], as in dns.google@8.8.8.8" if named else "IP[:port], as in 8.8.8.8"
    name, at, place = argument.rpartition("@")
    if bool(at) != named:
        raise SpecError(later("expected {shape}, found {argument!r}", shape=shape, argument=argument[:60]))
    address, given = _split_port(place)
    try:
        clean = str(ipaddress.ip_address(address))
        chosen = int(given) if given else port
        host = clean_host(name) if named else ""
    except (ValueError, TargetError):
        raise SpecError(later("expected {shape}, found {argument!r}", shape=shape, argument=argument[:60])) from None
    if not 1 <= chosen <= 65535:
        raise SpecError(later("expected a port from 1 to 65535, found {given!r}", given=given[:10]))
    return Resolver(clean, chosen, host)


def _split_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        address, _, rest = place[1:].partition("]")
        return address, rest.removeprefix(":")
    if place.count(":") > 1:
        return place, ""
    address, _, port = place.partition(":")
    return address, port

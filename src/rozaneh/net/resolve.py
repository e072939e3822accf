"""Names to addresses, over any carrier.

The questions and answers are those of :mod:`rozaneh.codecs.dns`; here is how they travel: in datagrams as a stub
resolver does it (:func:`ask_udp`) and with a length in front over a stream (:func:`ask_stream`, for TCP and TLS).
Both tag the step they are given as they learn, so that a lookup that fails or is cut short still shows what came.
"""

import errno
import secrets
from collections.abc import Sequence

import anyio

from rozaneh.codecs.dns import Lookup
from rozaneh.core import DialFailed, Failure, Op, RemoteFault, Target
from rozaneh.core.addresses import is_bogon
from rozaneh.net.api import ByteStream, Network
from rozaneh.net.streams import receive_exactly
from rozaneh.net.trace import Step, Trace

DNS_PORT = 53

_TRIES = 3
_RETRY_AFTER = 1.5
# RFC 8305 section 3 waits 50 ms for the other family; a little more keeps slow lines with two families complete.
_WAIT_FOR_OTHER_FAMILY = 0.3


async def resolve_target(network: Network, target: Target, trace: Trace) -> Target:
    """The target with addresses: its own, or those that the system's resolver gives, as one step.

    Raises:
        DialFailed: the lookup failed, or gave nothing but addresses that no public site can have.
    """
    if target.addresses:
        return target
    if target.is_literal:
        return target.at(target.host)
    async with trace.step(Op.RESOLVE, engine="system", query=target.host) as step:
        addresses = await network.resolve(target.host, step, listen_late=trace.deadlines.listen_late)
        step.tag(answers=tuple(addresses))
        if all(is_bogon(address) for address in addresses):
            raise DialFailed(Failure.DNS_BOGON_ERROR, f"{target.host} resolves to {', '.join(addresses[:3])}")
    return target.at(*addresses)


def new_lookup(host: str, *, encrypted: bool = False) -> Lookup:
    """The two questions for a name: unpredictable identifiers in the clear, identifier 0 and padding under encryption.

    Raises:
        DialFailed: the name cannot be asked for.
    """
    identifiers = (0, 0) if encrypted else (secrets.randbits(16), secrets.randbits(16))
    try:
        return Lookup(host, identifiers, padded=encrypted)
    except RemoteFault as fault:
        raise DialFailed(Failure.DNS_NON_RECOVERABLE_FAILURE, str(fault)) from fault


def conclude(lookup: Lookup, step: Step) -> list[str]:
    """Tag a step with what a lookup gave, and return its addresses.

    Raises:
        DialFailed: it gave none.
    """
    tag_lookup(lookup, step)
    if lookup.failure is not None:
        raise DialFailed(lookup.failure, f"the resolver has no address for {lookup.host}")
    return lookup.addresses


def tag_lookup(lookup: Lookup, step: Step) -> None:
    """Tag a step with what a lookup knows so far."""
    if not lookup.responses:
        return
    step.tag(rcode=lookup.rcode, answers=tuple(lookup.addresses), ttl=lookup.ttl)
    if lookup.late:
        step.tag(late_answers=tuple(lookup.late))


def patience(lookup: Lookup) -> anyio.CancelScope:
    """A scope to wait for an answer in: while there is no address as long as it takes, then a moment for the rest."""
    return anyio.move_on_after(_WAIT_FOR_OTHER_FAMILY if lookup.addresses else None)


async def ask_stream(stream: ByteStream, lookup: Lookup, step: Step) -> None:
    """Ask over a stream, both questions at once, each message with its length in front (RFC 1035 section 4.2.2).

    Raises:
        RemoteFault: what came back is no answer.
        EndOfStream, BrokenResourceError: the stream ended.
    """
    asked = b"".join(len(message).to_bytes(2, "big") + message for message in lookup.unanswered.values())
    await stream.send(asked)
    step.sent += len(asked)
    while not lookup.complete:
        with patience(lookup) as waiting:
            length = int.from_bytes(await receive_exactly(stream, 2), "big")
            message = await receive_exactly(stream, length)
        if waiting.cancelled_caught:
            return
        step.received += 2 + length
        if lookup.receive(message).truncated:
            raise RemoteFault("the resolver truncated an answer over a stream")
        tag_lookup(lookup, step)


async def ask_udp(
    network: Network, resolvers: Sequence[tuple[str, int]], host: str, step: Step, *, listen_late: float = 0.0
) -> list[str]:
    """Ask resolvers over UDP as the C library's stub does: the first answer with the right identifier wins.

    The next resolver, or the same one again, is asked after 1.5 seconds without an answer, three tries in all. A
    truncated answer is fetched over TCP.

    Raises:
        DialFailed: the resolvers have no address.
        OSError: no resolver could be asked; the error of the last.
    """
    asking = _Asking(network, new_lookup(host), step)
    async with anyio.create_task_group() as group:
        for number in range(_TRIES):
            group.start_soon(asking.try_one, resolvers[number % len(resolvers)], number * _RETRY_AFTER)
        await asking.enough.wait()
        if not asking.lookup.complete:
            with patience(asking.lookup):
                await asking.complete.wait()
        await anyio.sleep(listen_late)
        group.cancel_scope.cancel()
    if not asking.lookup.responses and asking.error is not None:
        raise asking.error
    return conclude(asking.lookup, step)


class _Asking:
    """One lookup under way in datagrams."""

    def __init__(self, network: Network, lookup: Lookup, step: Step) -> None:
        self.lookup = lookup
        self.enough = anyio.Event()
        self.complete = anyio.Event()
        self.error: OSError | None = None
        self._network = network
        self._step = step
        self._tries_left = _TRIES

    async def try_one(self, resolver: tuple[str, int], after: float) -> None:
        """Ask one resolver after a time, and listen until cancelled."""
        await anyio.sleep(after)
        try:
            await self._ask(resolver)
        except OSError as error:
            self.error = error
        self._tries_left -= 1
        if not self._tries_left:
            self.enough.set()
            self.complete.set()

    async def _ask(self, resolver: tuple[str, int]) -> None:
        datagrams = await self._network.connect_udp(*resolver)
        try:
            for message in self.lookup.unanswered.values():
                await datagrams.send(message)
                self._step.sent += len(message)
            while True:
                await self._take(await datagrams.receive(), resolver)
        finally:
            await datagrams.aclose()

    async def _take(self, message: bytes, resolver: tuple[str, int]) -> None:
        self._step.received += len(message)
        try:
            response = self.lookup.receive(message)
        except RemoteFault:
            return  # whoever guesses at our question is not heard
        if response.truncated and response.kind in self.lookup.unanswered:
            await self._ask_again_over_tcp(resolver)
        tag_lookup(self.lookup, self._step)
        if self.lookup.addresses or self.lookup.complete:
            self.enough.set()
        if self.lookup.complete:
            self.complete.set()

    async def _ask_again_over_tcp(self, resolver: tuple[str, int]) -> None:
        stream = await self._network.connect_tcp(*resolver)
        try:
            await ask_stream(stream, self.lookup, self._step)
        except (RemoteFault, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            raise OSError(errno.EPROTO, "the resolver truncates and does not answer over TCP") from error
        finally:
            await anyio.aclose_forcefully(stream)

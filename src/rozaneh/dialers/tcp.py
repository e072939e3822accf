"""``tcp``: resolve with the system's resolver unless the addresses are known, then race connections to them."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import chain, zip_longest

import anyio

from rozaneh.core import DialFailed, Element, Failure, Op, Spec, SpecError, Target
from rozaneh.core.addresses import is_bogon
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.resolve import resolve_target
from rozaneh.words import later

_STAGGER = 0.25  # RFC 8305 section 5: the Connection Attempt Delay
_MOST_CONNECTIONS = 8

# A host without IPv6 says so at once. That is no news about the target while another address has something to tell.
_SAYS_NOTHING = {Failure.NETWORK_UNREACHABLE, Failure.INTERRUPTED}


@dataclass(frozen=True)
class Tcp:
    """The leaf of most stacks.

    Addresses are tried as in RFC 8305: families alternate, a new attempt starts when the one before failed or after
    250 ms, the first connection wins and the others are recorded as ``interrupted``. A host name all of whose addresses
    are none of the public internet is refused, because a forged answer must not receive a user's bytes; whoever wants
    to look at such an address dials it as a literal.
    """

    network: Network
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Open a TCP connection, as steps RESOLVE (where needed) and CONNECT for each address tried."""
        known = await resolve_target(self.network, target, trace)
        if not target.is_literal and all(is_bogon(address) for address in known.addresses):
            trace.note(Op.CONNECT, Failure.DNS_BOGON_ERROR, peer=_peer(known.addresses[0], target.port))
            raise DialFailed(Failure.DNS_BOGON_ERROR, f"{target.host} at {known.addresses[0]}")
        usable = [each for each in known.addresses if target.is_literal or not is_bogon(each)]
        if len(usable) == 1:
            async with trace.step(Op.CONNECT, peer=_peer(usable[0], target.port)):
                return await self.network.connect_tcp(usable[0], target.port)
        race = _Race(self.network, target.port, trace)
        return await race.run(list(_alternating(usable))[:_MOST_CONNECTIONS])


class _Race:
    """Connections to several addresses of one target, of which the first one wins."""

    def __init__(self, network: Network, port: int, trace: Trace) -> None:
        self._network = network
        self._port = port
        self._trace = trace
        self._won: ByteStream | None = None
        self._failed: list[DialFailed] = []

    async def run(self, addresses: list[str]) -> ByteStream:
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._abandon)
            async with anyio.create_task_group() as group:
                for address in addresses:
                    over = anyio.Event()
                    group.start_soon(self._connect, address, over, group.cancel_scope)
                    with anyio.move_on_after(_STAGGER):
                        await over.wait()
            undo.pop_all()
        if self._won is not None:
            return self._won
        raise next((each for each in self._failed if each.failure not in _SAYS_NOTHING), self._failed[0])

    async def _abandon(self) -> None:
        if self._won is not None:
            await anyio.aclose_forcefully(self._won)

    async def _connect(self, address: str, over: anyio.Event, race: anyio.CancelScope) -> None:
        try:
            async with self._trace.step(Op.CONNECT, peer=_peer(address, self._port)):
                stream = await self._network.connect_tcp(address, self._port)
        except DialFailed as failed:
            self._failed.append(failed)
            over.set()
            return
        if self._won is None:
            self._won = stream
            race.cancel()
        else:
            await anyio.aclose_forcefully(stream)


def _peer(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _alternating(addresses: Sequence[str]) -> Iterable[str]:
    """IPv6 and IPv4 in turn, IPv6 first, in their own order."""
    v6 = [address for address in addresses if ":" in address]
    v4 = [address for address in addresses if ":" not in address]
    return (address for address in chain.from_iterable(zip_longest(v6, v4)) if address is not None)


def build(element: Element, network: Network) -> Dialer:
    """Make the leaf from its element, which takes no argument."""
    if element.argument:
        raise SpecError(later("'tcp' takes no argument, found {argument!r}", argument=element.argument[:40]))
    return Tcp(network, Spec((element,)))

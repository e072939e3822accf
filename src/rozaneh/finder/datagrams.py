"""Where a datagram may go: as a stream to the same host would, or nowhere.

A datagram has no first answer to judge a way by, so nothing is raced. What is known decides: a rule of the user's, then
what streams to the host have shown. A host that needs a way is never sent one in the clear; ways that carry streams
alone do not count.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import anyio
import msgspec

from rozaneh.core import DialFailed, Failure, Target
from rozaneh.core.addresses import is_bogon
from rozaneh.dialers import build
from rozaneh.dialers.datagrams import Carrier, carrier
from rozaneh.dialers.resolver import StreamResolving
from rozaneh.finder.knowledge import Knowledge
from rozaneh.finder.ways import Way, shows_names
from rozaneh.net import Dialer, Network, Trace
from rozaneh.net.trust import Trust

__all__ = ["Carried", "Straight", "carried", "look_up"]

_MOST_RESOLVERS = 3
_MOST_ASKED = 6
_STAGGER = 0.6
_TTL = 60


class Straight(msgspec.Struct, frozen=True):
    """Nothing is in the way: it goes to the host itself."""


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """It goes through a server of the user's.

    Attributes:
        carrier: opens the tunnel.
        key: the server's, so that one tunnel serves all that goes the same way.
        shown: the way without secrets.
    """

    carrier: Carrier
    key: str
    shown: str


def carried(
    knowledge: Knowledge, network: Network, dialer_of: Callable[[Way], Dialer], target: Target, now: float
) -> Straight | Carried | None:
    """Where a datagram to a target may go; none where nowhere.

    Args:
        knowledge: of the finder.
        network: where sockets come from.
        dialer_of: the dialers of its ways: what runs for one of them serves datagrams too.
        target: where the client wants it to go.
        now: seconds of the event loop's clock.
    """
    rule = knowledge.routes.of(target.host)
    if rule == "refuse":
        return None
    if rule == "direct" or (rule is None and not _needs_a_way(knowledge, target.host, now)):
        return Straight()
    # A plain proxy shows on the way to it what the datagrams would have shown; it carries them where no other does.
    for way in sorted(knowledge.ways.upstreams, key=lambda each: each.kind == "clear"):
        opens = carrier(dialer_of(way), network)
        if opens is not None:
            return Carried(carrier=opens, key=way.key, shown=way.path.redacted())
    return None


def _needs_a_way(knowledge: Knowledge, host: str, now: float) -> bool:
    """Whether streams to a host, or to one that has this address, are known to need one."""
    hosts = knowledge.hosts
    if any(known.blocked(now) or known.refused(now) for _, known in hosts.ports_of(host)):
        return True
    return hosts.is_blocked_at(host, now) if Target(host=host, port=1).is_literal else False


async def look_up(knowledge: Knowledge, network: Network, trust: Trust, host: str) -> tuple[tuple[str, ...], int]:
    """Ask the trustworthy resolvers for a name in secret, never the network's own, and none in the clear.

    Args:
        knowledge: of the finder.
        network: where sockets come from.
        trust: whom TLS believes.
        host: the name.

    Returns:
        Its public addresses, and for how many seconds they hold; no addresses where the name has none.

    Raises:
        DialFailed: no resolver could be asked, or the name has no address.
    """
    now = anyio.current_time()
    known, said_by = knowledge.hosts.addresses(host, now)
    if known and said_by:
        return known, _TTL
    race = _Race(host, knowledge, list(_asked(knowledge, network, trust, now))[:_MOST_ASKED])
    public = tuple(address for address in await race.run() if not is_bogon(address))
    if not public:
        raise DialFailed(Failure.DNS_BOGON_ERROR, "the name has no public address")
    knowledge.hosts.learn_addresses(host, public, race.winner, ttl=_TTL, now=now)
    return public, _TTL


_Asks = Callable[[str, Trace], Awaitable[list[str]]]


def _asked(knowledge: Knowledge, network: Network, trust: Trust, now: float) -> Iterator[tuple[str, _Asks]]:
    """Those that can be asked in secret, each as the table names it. One in the clear would show what is wanted."""
    secret = [name for name in knowledge.resolvers(now) if not shows_names(name)][:_MOST_RESOLVERS]
    for name in secret:
        yield name, partial(knowledge.asks.addresses, knowledge.asks.resolver(name), name)
    for way in knowledge.ways.upstreams:
        for name in secret:
            far = build(f"{name}|{way.path}", network, trust=trust)
            if isinstance(far, StreamResolving):
                yield name, far.addresses


class _Race:
    """Resolvers that are asked one after another, each a moment after the one before unless that has answered."""

    def __init__(self, host: str, knowledge: Knowledge, asked: list[tuple[str, _Asks]]) -> None:
        self.winner = ""
        self._host = host
        self._knowledge = knowledge
        self._asked = asked
        self._found: list[str] | None = None
        self._failed = DialFailed(Failure.GENERIC_TIMEOUT_ERROR, "no resolver could be asked")

    async def run(self) -> list[str]:
        """The addresses. Raises ``DialFailed``."""
        async with anyio.create_task_group() as tasks:
            for number, (name, each) in enumerate(self._asked):
                tasks.start_soon(self._ask, name, each, number * _STAGGER, tasks.cancel_scope)
        if self._found is None:
            raise self._failed
        return self._found

    async def _ask(self, name: str, asks: _Asks, after: float, scope: anyio.CancelScope) -> None:
        await anyio.sleep(after)
        trace = Trace()
        try:
            found = await asks(self._host, trace)
        except DialFailed as error:
            self._failed = error
            if any(step.tags.get("rcode") for step in trace.observations):
                scope.cancel()  # it was asked, and this is what it says
        else:
            self._found, self.winner = found, name
            scope.cancel()
        finally:
            self._knowledge.spent(trace.observations, anyio.current_time())

"""The gateway: from a client's connection to its end."""

import functools
import math
import re
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import anyio
import msgspec
from anyio.abc import ByteStream, Listener, SocketAttribute, TaskGroup

from rozaneh.codecs import http_connect, socks5
from rozaneh.core import Failure, LocalFault, RemoteFault, Target
from rozaneh.finder import Connection, Finder, Flight, FlightReader, Opening, Refusal, Shortcut
from rozaneh.gateway.events import Closed, Event, Opened, Refused
from rozaneh.gateway.front import Association, Credentials, Front, Heard, Nothing, Wish, hear
from rozaneh.gateway.lives import Lives
from rozaneh.gateway.policy import is_local
from rozaneh.gateway.quick import Quick
from rozaneh.gateway.sentences import why_not
from rozaneh.gateway.steps import SoFar
from rozaneh.gateway.switch import Switch
from rozaneh.gateway.udp import Associations
from rozaneh.net.clock import event_clock
from rozaneh.net.pump import Flow, Pump, on_asyncio
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import SocketListener
from rozaneh.net.trace import NETWORK_ERRORS
from rozaneh.words import Words, later

__all__ = ["Gateway", "Limits"]

_QUOTED = re.compile(r":? \(?(?:bytearray\()?b?[\"'].*", re.DOTALL)
"""What is repeated in a fault, and all after it."""
_SAY_AGAIN = 60.0
"""Seconds until it is said again that there is no room."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is given. Times are seconds.

    Attributes:
        handshake: to say where it wants to go.
        optimism: after which it is told to go ahead although nothing is connected yet.
        flight: to finish its first bytes once it has begun.
        clients: at the same time; more are closed unheard. Each takes a descriptor, and one or more to where it goes.
    """

    handshake: float = 10.0
    optimism: float = 0.3
    flight: float = 5.0
    clients: int = 1 << 16


class Gateway:
    """Serves clients.

    Args:
        finder: makes the connections.
        tell: where events go.
        warn: told, in one line, of clients that speak nothing that we know.
        words: the language of refusals.
        credentials: a user name and password that clients have to show; with them, others may reach the listener.
        allow_local: whether targets on this machine and its network may be reached.
        show_hosts: whether events name the target.
        limits: what a client is given.
        switch: whether anybody is let through.
    """

    def __init__(
        self,
        finder: Finder,
        *,
        tell: Callable[[Event], None] = lambda _: None,
        warn: Callable[[str], None] = lambda _: None,
        words: Words | None = None,
        credentials: Credentials | None = None,
        allow_local: bool = False,
        show_hosts: bool = False,
        limits: Limits | None = None,
        switch: Switch | None = None,
    ) -> None:
        self._finder = finder
        self._tell = tell
        self._warn = warn
        self._words = words or Words("en")
        self._credentials = credentials
        self._allow_local = allow_local
        self._show_hosts = show_hosts
        self._limits = limits or Limits()
        self._switch = switch or Switch()
        self._switch.let_go.append(finder.let_go)
        self._served = 0
        self._said_full = -math.inf
        self._now: Callable[[], float] = anyio.current_time
        self._pump = Pump()
        self._lives = Lives(finder, self._switch)
        self._associations = Associations(finder, tell, lambda target: self._forbids(target) is not None, self._shown)

    async def serve(self, listener: Listener[ByteStream]) -> None:
        """Serve the clients of a listener until cancelled or, once it is closed, until all of them have ended.

        Raises:
            LocalFault: it can be reached from other machines, which would make this an open proxy.
        """
        address = str(listener.extra(SocketAttribute.local_address)[0])
        if not ip_address(address).is_loopback and self._credentials is None:
            raise LocalFault(
                later("without a password the gateway listens on loopback alone, not on {address}", address=address)
            )
        self._now = event_clock()
        attend = self._attend_quickly(listener) or functools.partial(listener.serve, self.serve_client)
        try:
            async with self._finder.keeping(), anyio.create_task_group() as tasks:
                tasks.start_soon(self._lives.watch)
                await self._switch.serve(attend)
                tasks.cancel_scope.cancel()
        finally:
            self._pump.close()

    def _attend_quickly(self, listener: Listener[ByteStream]) -> Callable[[TaskGroup], Awaitable[None]] | None:
        """Where the event loop and the listener allow it, clients are served without a task as far as possible."""
        if not on_asyncio() or not isinstance(listener, SocketListener):
            return None
        network = self._finder.network
        sockets = network.sockets if isinstance(network, RealNetwork) else None
        return Quick(self, listener, sockets, pump=self._pump, patience=self._limits.optimism).attend

    async def serve_client(self, client: ByteStream, so_far: SoFar | None = None) -> None:
        """Serve one client to its end. Nothing that a client or a network does is raised.

        Args:
            client: the client.
            so_far: what was done for it before.
        """
        full = so_far is None and self.full()
        self._served += 1
        try:
            if full:
                return
            so_far = so_far or SoFar(self._front(lambda: _door(client)), self._now())
            wish = so_far.heard or await self._hear(client, so_far)
            if isinstance(wish, Nothing) and wish.reason:
                self._note(wish.reason)
            if isinstance(wish, Association):
                await self._associate(client, wish)
                return
            if isinstance(wish, Wish):
                target, speaker = wish.target, wish.speaker(client)
                if (made := await self._grant(speaker, wish, so_far)) is not None:
                    # What it took to get here is given up before the long time in which bytes only move.
                    wish = so_far = None
                    await self._move(speaker, target, made)
        except* NETWORK_ERRORS:
            pass  # the client has gone, in whatever group of tasks that was noticed: there is nobody left to tell
        finally:
            self._served -= 1
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(client)

    # What a visit asks for and tells of (:class:`rozaneh.gateway.steps.Steps`)

    def front(self, near: socket.socket) -> Front:
        """What reads the wish of a client that has just come."""
        return self._front(lambda: near.getsockname()[:2])

    def shortcut(self, heard: Heard) -> Shortcut | None:
        """The short way to what a client wants; none where there is none or nobody is to be led there."""
        if not isinstance(heard, Wish) or heard.body is not None or self._forbids(heard.target) is not None:
            return None
        if self._lives.look_before(heard.target) is not None:
            return None
        return self._finder.shortcut(heard.target)

    def misheard(self, fault: RemoteFault) -> None:
        """A client speaks nothing that we know."""
        self._note(str(fault))

    def _note(self, about: str) -> None:
        """Tell of a client. What it said is repeated only where hosts are shown: it may name one."""
        self._warn(about if self._show_hosts else _QUOTED.split(about, maxsplit=1)[0])

    def full(self, here: int = 0) -> bool:
        """Whether there is no room for a further client; that is said once in a while.

        Args:
            here: how many are served without a task.
        """
        if self._served + here < self._limits.clients:
            return False
        now = self._now()
        if now >= self._said_full + _SAY_AGAIN:
            self._said_full = now
            self._warn(f"more than {self._limits.clients} connections at once: further ones are closed")
        return True

    def opened(self, target: Target, made: Connection, began: float) -> Flow:
        """A connection was made; where its bytes are to be counted."""
        self._tell_opened(target, made, began)
        return self._lives.begin(target, made)

    def closed(self, target: Target, made: Connection, flow: Flow, *, broken_off: bool) -> None:
        """It has ended."""
        self._lives.end(flow, broken_off=broken_off)
        failure = flow.failure.value if flow.failure is not None else ""
        seconds = round(self._now() - flow.began, 6)
        way, host = made.way.shown, self._shown(target)
        self._tell(Closed(way=way, up=flow.up, down=flow.down, seconds=seconds, failure=failure, host=host))

    def _front(self, door: Callable[[], tuple[str, int]]) -> Front:
        return Front(self._credentials, door)

    async def _associate(self, client: ByteStream, wish: Association) -> None:
        if self._switch.paused:
            await client.send(socks5.reply(socks5.NOT_ALLOWED))
            return
        await self._associations.serve(client, wish.port)

    async def _hear(self, client: ByteStream, so_far: SoFar) -> Heard | None:
        """What a client wants; none where it does not say so in time, or in no way that we know."""
        try:
            with anyio.move_on_at(so_far.began + self._limits.handshake):
                heard = await hear(client, so_far.front)
                so_far.began = self._now()
                return heard
        except RemoteFault as fault:
            self.misheard(fault)
        return None

    async def _grant(self, client: ByteStream, wish: Wish, so_far: SoFar) -> Connection | None:
        """Make the connection that a client wants, and tell how that went; none when there is none."""
        host = self._shown(wish.target)
        if so_far.shortcut is None:
            if (why := self._forbids(wish.target)) is not None:
                obstacle, reason = why
                self._tell(Refused(failure="", obstacle=obstacle, seconds=0.0, host=host))
                await client.send(wish.tongue.refused(Failure.CONNECTION_REFUSED, reason, forbidden=True))
                return None
            await self._lives.before(wish.target)
        async with self._finder.opening(wish.target, so_far.shortcut) as opening:
            made = await self._open(client, wish, opening, told=so_far.told)
        seconds = round(self._now() - so_far.began, 6)
        if isinstance(made, Refusal):
            self._tell(
                Refused(
                    failure=made.failure.value,
                    obstacle=made.obstacle,
                    tried=made.tried,
                    seconds=seconds,
                    needs_upstream=made.needs_upstream,
                    host=host,
                )
            )
            return None
        if made is not None:
            self._tell_opened(wish.target, made, so_far.began)
        return made

    def _tell_opened(self, target: Target, made: Connection, began: float) -> None:
        seconds = round(self._now() - began, 6)
        way, host = made.way.shown, self._shown(target)
        self._tell(Opened(way=way, obstacle=made.obstacle, tried=made.tried, seconds=seconds, host=host))

    def _forbids(self, target: Target) -> tuple[str, str] | None:
        """Why nobody is led to a target, as an obstacle and as a sentence; none where somebody may be."""
        if self._switch.paused:
            return "paused", self._words.say(
                "Rozaneh is paused. Resume it on its status page or by: rozaneh pause --end"
            )
        if is_local(target) and not self._allow_local:
            return "local", self._words.say("This proxy does not lead to places on this machine or its network.")
        return None

    def _shown(self, target: Target) -> str:
        return target.authority if self._show_hosts else ""

    async def _open(
        self, client: ByteStream, wish: Wish, opening: Opening, *, told: bool
    ) -> Connection | Refusal | None:
        """Make the connection; none when the client left before."""
        try:
            refusal = await opening.reachable(self._limits.optimism) if not told else None
            if refusal is not None:
                reason = why_not(refusal, self._words)
                await client.send(wish.tongue.refused(refusal.failure, reason, forbidden=False))
                return refusal
            if not told and (go_ahead := wish.tongue.accepted()):
                await client.send(go_ahead)
            flight = await self._first_flight(client, wish.rest, opening)
            made = await opening.carry(flight)
            if isinstance(made, Refusal):
                await client.send(self._last_words(made, flight))
        except NETWORK_ERRORS:
            return None
        return made

    async def _first_flight(self, client: ByteStream, rest: bytes, opening: Opening) -> Flight | None:
        """Read the client's first bytes; none where the server spoke before it, or where it has nothing to say."""
        reader = FlightReader()
        flight = reader.feed(rest) if rest else None
        if flight is not None:
            return flight
        begun = bool(rest)
        async with anyio.create_task_group() as both:

            async def listen() -> None:
                await opening.server_speaks()
                both.cancel_scope.cancel()

            both.start_soon(listen)
            try:
                while flight is None:
                    with anyio.move_on_after(self._limits.flight if begun else None) as patience:
                        data = await client.receive()
                        begun = True
                        flight = reader.feed(data)
                    if patience.cancelled_caught:
                        flight = reader.give_up()
            except NETWORK_ERRORS:
                begun = True
                flight = reader.give_up()
            both.cancel_scope.cancel()
        return reader.give_up() if flight is None and begun else flight

    def _last_words(self, refusal: Refusal, flight: Flight | None) -> bytes:
        """What a client gets that was told to go ahead: the server's own words, or a page that explains."""
        if refusal.told or flight is None or flight.kind != "http":
            return refusal.told
        return http_connect.reply(502, "Bad Gateway", why_not(refusal, self._words))

    async def _move(self, client: ByteStream, target: Target, made: Connection) -> None:
        flow = self._lives.begin(target, made)
        over = False
        try:
            await self._pump.run(client, made.stream, to_near=made.first, to_far=made.rest, flow=flow)
            over = True
        finally:
            self.closed(target, made, flow, broken_off=not over)


def _door(client: ByteStream) -> tuple[str, int]:
    """The address and port by which a client came."""
    address, port = client.extra(SocketAttribute.local_address)[0], client.extra(SocketAttribute.local_port)
    return str(address), port

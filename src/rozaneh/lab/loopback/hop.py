"""The hop of tier T0: where a customer's connections meet its censors.

A customer's socket connects to the hop and says in one line where it wants to go. The hop answers with the error number
that ``connect`` would have given, and from then on the connection is that to the server. For programs that
cannot say a line there are *fronts*: sockets that stand for one server each.
"""

import asyncio
import errno
import socket
import struct
from contextlib import closing
from ipaddress import ip_address

import msgspec

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.lab.loopback.addresses import LoopbackAddresses, moved, sourced
from rozaneh.lab.loopback.associations import Association
from rozaneh.lab.loopback.flow import Flow
from rozaneh.lab.loopback.path import Path
from rozaneh.lab.loopback.segments import Conversation, Place
from rozaneh.lab.world.doors import Caller, Doors, Handler, Stream, opened
from rozaneh.lab.world.sockets import bound, connected, unbound

REPLY = struct.Struct("!IH")
"""What the hop answers: an error number, and for UDP the port at which it takes datagrams."""
_LONGEST_LINE = 256


class Customer(msgspec.Struct, kw_only=True):
    """Whose connections come in.

    Attributes:
        path: its way to everywhere.
        addresses: its own in the lab.
    """

    path: Path
    addresses: tuple[str, ...]

    def source(self, address: str) -> str:
        """The address from which it speaks to another.

        Raises:
            LocalFault: it has none of that family.
        """
        version = ip_address(address).version
        for own in self.addresses:
            if ip_address(own).version == version:
                return own
        raise LocalFault(f"no address to reach {address} from")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer's socket says first."""

    customer: str
    kind: str
    address: str
    port: int


def parse_wish(line: bytes) -> Wish:
    """Read ``tcp|udp CUSTOMER ADDRESS PORT``.

    Raises:
        RemoteFault: it is something else.
    """
    parts = line.decode("latin-1").split()
    if len(parts) != 4 or parts[0] not in ("tcp", "udp"):
        raise RemoteFault("not a wish that the hop understands")
    kind, customer, address, port = parts
    try:
        return Wish(kind=kind, customer=customer, address=str(ip_address(address)), port=int(port) & 0xFFFF)
    except ValueError:
        raise RemoteFault("not an address and a port") from None


class Hop:
    """The hop.

    Args:
        addresses: which loopback address stands for which of the lab.
        doors: where connections come in.
    """

    def __init__(self, addresses: LoopbackAddresses, doors: Doors) -> None:
        self._addresses = addresses
        self._doors = doors
        self._host = addresses.of("hop")
        self.customers: dict[str, Customer] = {}
        listener = bound(unbound("127.0.0.1", socket.SOCK_STREAM), self._host, 0)
        self.place: tuple[str, int] = listener.getsockname()
        doors.open(listener, self._serve)

    def front(self, customer: str, address: str, port: int) -> tuple[str, int]:
        """Where a program of a customer finds a server: a loopback address and port of its own."""
        listener = bound(unbound("127.0.0.1", socket.SOCK_STREAM), self._host, 0)
        self._doors.open(listener, self._in_front_of(Wish(customer=customer, kind="tcp", address=address, port=port)))
        place: tuple[str, int] = listener.getsockname()
        return place

    def _in_front_of(self, wish: Wish) -> Handler:
        async def serve(caller: Caller) -> None:
            client = await caller.stream()
            flow = self._flow(wish, client)
            with closing(flow):
                if await flow.open():
                    client.reset()
                else:
                    await flow.carry(client)

        return serve

    async def _serve(self, caller: Caller) -> None:
        client = await caller.stream()
        wish = parse_wish(await client.until(b"\n", _LONGEST_LINE))
        if wish.customer not in self.customers:
            raise RemoteFault("no such customer")
        if wish.kind == "udp":
            await self._associate(wish, client)
            return
        try:
            flow = self._flow(wish, client)
        except LocalFault:
            await client.send(REPLY.pack(errno.ENETUNREACH, 0))
            return
        with closing(flow):
            number = await _unless_gone(flow, client)
            if number is not None:
                await client.send(REPLY.pack(number, 0))
            if number == 0:
                await flow.carry(client)

    def _flow(self, wish: Wish, client: Stream) -> Flow:
        customer = self.customers[wish.customer]
        source = customer.source(wish.address)
        port: int = client.writer.get_extra_info("peername")[1]

        async def reach(place: Place) -> Stream:
            made = sourced(socket.SOCK_STREAM, self._addresses.of(source))
            return await opened(await connected(made, self._addresses.of(place[0]), moved(place[1])))

        return Flow(customer.path, (source, port), (wish.address, wish.port), reach)

    async def _associate(self, wish: Wish, client: Stream) -> None:
        customer = self.customers[wish.customer]
        try:
            source = customer.source(wish.address)
        except LocalFault:
            await client.send(REPLY.pack(errno.ENETUNREACH, 0))
            return

        async def reach(place: Place) -> socket.socket:
            made = sourced(socket.SOCK_DGRAM, self._addresses.of(source))
            return await connected(made, self._addresses.of(place[0]), moved(place[1]))

        with bound(unbound("127.0.0.1", socket.SOCK_DGRAM), self._host, 0) as near:
            port: int = near.getsockname()[1]
            talk = Conversation((source, port), (wish.address, wish.port), 0)
            carrying = asyncio.create_task(Association(customer.path, talk, wish.address, near, reach).carry())
            try:
                await client.send(REPLY.pack(0, port))
                while await client.some():
                    pass
            finally:
                carrying.cancel()
                await asyncio.gather(carrying, return_exceptions=True)


async def _unless_gone(flow: Flow, client: Stream) -> int | None:
    """What ``open`` gives, or none if the client has gone meanwhile."""
    opening = asyncio.create_task(flow.open())
    leaving = asyncio.create_task(client.reader.read(1))
    try:
        await asyncio.wait((opening, leaving), return_when=asyncio.FIRST_COMPLETED)
        return opening.result() if opening.done() else None
    finally:
        for task in (opening, leaving):
            task.cancel()
        await asyncio.gather(opening, leaving, return_exceptions=True)

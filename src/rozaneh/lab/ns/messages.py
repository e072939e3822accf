"""What the processes of a lab say to each other: the caller asks the supervisor, the supervisor asks the wire.

Every request gets exactly one reply. Times of day travel as the text of ISO 8601 with the monotonic time at which they
were right, because all processes of a machine share the monotonic clock.
"""

import os
from typing import Literal

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.ns.channel import Channel
from rozaneh.lab.topology import Link, World, Zone

Tier = Literal["veth", "tun"]


class Request(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what can be asked."""


class Build(Request, frozen=True, kw_only=True):
    """The first request: make the hosts, and start the wire and, if asked, the servers.

    Attributes:
        world: the hosts and everything on them.
        tiers: which to try, in this order.
        directory: a private folder that the processes of this lab share.
        seed: of everything that is drawn by chance.
        servers: whether the world process is wanted.
    """

    world: World
    tiers: tuple[Tier, ...]
    directory: str
    seed: int
    servers: bool


class OpenSocket(Request, frozen=True, kw_only=True):
    """A socket that belongs to a host; the reply carries it.

    Attributes:
        host: name of the host.
        kind: ``stream`` and ``datagram`` are bound to ``address`` if there is one; ``listener`` listens; ``raw`` is for
            whole TCP segments.
        family: the number of the address family.
        address: to bind to, or empty.
        port: to listen on.
    """

    host: str
    kind: Literal["stream", "datagram", "listener", "raw"]
    family: int
    address: str = ""
    port: int = 0


class AddClient(Request, frozen=True, kw_only=True):
    """A customer with addresses, a line and a censor of its own.

    Attributes:
        name: a new name.
        home: the host of the zone ``home`` whose customer it is.
        addresses: unused ones.
        alone: whether it gets a network stack of its own, in which programs can run; else it shares its home's.
        seed: of its line.
    """

    name: str
    home: str
    addresses: tuple[str, ...]
    alone: bool
    seed: int


class RemoveClient(Request, frozen=True, kw_only=True):
    """Take a customer away again."""

    name: str


class NamespacesOf(Request, frozen=True, kw_only=True):
    """The reply carries the user, process and network namespace of a host, in this order."""

    host: str


class Attach(Request, frozen=True, kw_only=True):
    """To the wire: an interface (its socket comes along) of a host or of a customer.

    Attributes:
        name: of the host or customer.
        zone: where it stands.
        addresses: its own.
        hops: as in :class:`~rozaneh.lab.topology.Host`.
        link: its cable.
        seed: of its line.
        tier: how to read from and write to the file descriptor.
        mac: of the host's end, for ``veth``.
        share: the name of the one through whose interface this one speaks, or empty if it has its own.
        black_hole: nothing is there and nobody says so.
    """

    name: str
    zone: Zone
    addresses: tuple[str, ...]
    hops: int
    link: Link
    seed: int
    tier: Tier
    mac: bytes = b""
    share: str = ""
    black_hole: bool = False


class Detach(Request, frozen=True, kw_only=True):
    """To the wire: a customer has gone."""

    name: str


class LoadCensor(Request, frozen=True, kw_only=True):
    """Put censors on the path of a host or customer, with an empty memory.

    Attributes:
        name: whose path.
        network: the network that it belongs to, as rules call it.
        scenario: MessagePack of a scenario, or empty for none.
        seed: of everything that the censors draw by chance.
        time: what their clock shows.
        at: monotonic seconds at which it shows that.
    """

    name: str
    network: str
    scenario: bytes
    seed: int
    time: str
    at: float


class TurnClock(Request, frozen=True, kw_only=True):
    """Set the clock of the censors on one path, or of all of them if the name is empty."""

    name: str
    time: str
    at: float


class SetLink(Request, frozen=True, kw_only=True):
    """Change the cable of a host or customer from now on."""

    name: str
    link: Link


class Capture(Request, frozen=True, kw_only=True):
    """Write a pcap of what customers send and get into the file that comes along; without one stop."""


class Count(Request, frozen=True, kw_only=True):
    """Ask for the wire's counters."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what can be answered."""


class Done(Reply, frozen=True, kw_only=True):
    """It is so."""


class Refusal(Reply, frozen=True, kw_only=True):
    """A tier that does not work here, or a system call that failed.

    Attributes:
        tier: which, if it is about one.
        call: the system call.
        errno: its error number.
    """

    tier: Tier | None = None
    call: str
    errno: int


class Built(Reply, frozen=True, kw_only=True):
    """The hosts stand. One file descriptor comes along: the world writes to it when its servers are ready.

    Attributes:
        tier: the one that works, or none when all were refused.
        refused: those tried before it.
        ipv6: whether this kernel has it.
    """

    tier: Tier | None
    refused: tuple[Refusal, ...]
    ipv6: bool = True


class Fault(Reply, frozen=True, kw_only=True):
    """It cannot be so, and why, in one line."""

    text: str


class Counters(Reply, frozen=True, kw_only=True):
    """What the wire and the censors have counted."""

    counters: dict[str, int]


class ProbeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """From the wire to the world: a censor wants a server to be probed.

    Attributes:
        token: handed back with the report.
        kind: ``connect``, ``replay``, ``random``, ``tls`` or ``http``.
        address: where to connect.
        port: TCP port.
        payload: what to send, for ``replay`` and ``random``.
        delay: seconds to wait first.
    """

    token: int
    kind: str
    address: str
    port: int
    payload: bytes = b""
    delay: float = 0.0


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """From the world to the wire: what a probe found.

    Attributes:
        token: as in the order.
        results: the words of a rule's ``probe.when`` that hold.
    """

    token: int
    results: tuple[str, ...]


AnyRequest = (
    Build
    | OpenSocket
    | AddClient
    | RemoveClient
    | NamespacesOf
    | Attach
    | Detach
    | LoadCensor
    | TurnClock
    | SetLink
    | Capture
    | Count
)
AnyReply = Done | Refusal | Built | Fault | Counters

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(AnyRequest).decode
_decode_reply = msgspec.msgpack.Decoder(AnyReply).decode


def ask(channel: Channel, request: Request, fds: tuple[int, ...] = ()) -> tuple[AnyReply, list[int]]:
    """Send a request and wait for its reply and what comes along.

    Raises:
        LocalFault: the reply was a fault.
        OSError: the reply was a refused system call.
        ChannelClosed: the other process has gone.
    """
    channel.send(encode(request), fds)
    message, received = channel.receive()
    reply: AnyReply = _decode_reply(message)
    if isinstance(reply, Fault):
        raise LocalFault(reply.text)
    if isinstance(reply, Refusal):
        raise OSError(reply.errno, f"{reply.call}: {os.strerror(reply.errno)}")
    return reply, received


def next_request(channel: Channel) -> tuple[AnyRequest, list[int]]:
    """Wait for a request.

    Raises:
        ChannelClosed: the other process has gone.
    """
    message, fds = channel.receive()
    return decode_request(message), fds

"""At which hop the name is acted upon: hellos whose packets may travel so many routers and no further.

A connection is made as usual; then its socket is told how many hops the next packets may live, and the hello is sent.
A hello that dies before the box gets nothing; one that reaches it gets the box's reset; one that reaches the server
gets the server's answer. No privileges are needed: a socket's own time to live may be set by anybody. Nothing is
pinged.
"""

import socket

import anyio
import msgspec
from anyio.abc import SocketAttribute

from rozaneh.core import Attempt, DialFailed, Failure, Op, Target
from rozaneh.diagnosis import Role, Tried
from rozaneh.net import ByteStream, Trace
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line, Value, found
from rozaneh.probe.experiments.plan import client_hello, evidence_of, is_server_hello
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "hops"
_FARTHEST = 24
_SIDE_BY_SIDE = 4
_PATIENCE = 1.0


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for a hello with this time to live: ``nothing``, ``reset``, ``answer``."""

    ttl: int
    target: str
    neutral: str


class Hops(msgspec.Struct, frozen=True, kw_only=True):
    """The result.

    Attributes:
        address: the server's.
        hops: from near to far.
        box: the hop at which hellos with the name begin to be reset; 0 where none are.
        server: the hop at which harmless hellos begin to be answered; 0 where none are.
    """

    address: str = ""
    hops: tuple[Hop, ...] = ()
    box: int = 0
    server: int = 0


async def run(tools: Tools, endpoint: Endpoint) -> Finding:
    """Send both names with one hop to live, two hops, and so on, until the server answers the harmless one."""
    known = await tools.lookups.of(endpoint.target.host) if not endpoint.target.is_literal else None
    address = next(iter((known.addresses if known else ()) or endpoint.addresses or (endpoint.target.host,)))
    neutral = endpoint.neutral or tools.vantages.neutral
    hops: list[Hop] = []
    tried: list[Tried] = []
    for start in range(1, _FARTHEST + 1, _SIDE_BY_SIDE):
        reached: dict[tuple[str, int], Attempt] = {}

        async def one(name: str, ttl: int, into: dict[tuple[str, int], Attempt]) -> None:
            into[name, ttl] = await _limited(tools, endpoint.target.at(address), name, ttl)

        ttls = range(start, min(start + _SIDE_BY_SIDE, _FARTHEST + 1))
        for name in (neutral, endpoint.target.host):
            async with anyio.create_task_group() as group:
                for ttl in ttls:
                    group.start_soon(one, name, ttl, reached)
        for ttl in ttls:
            named, harmless = reached[endpoint.target.host, ttl], reached[neutral, ttl]
            hops.append(Hop(ttl=ttl, target=_came(named), neutral=_came(harmless)))
            tried += [Tried(Role.SYSTEM, named), Tried(Role.NEUTRAL_NAME, harmless)]
        if any(hop.neutral == "answer" for hop in hops):
            break
    box = next((hop.ttl for hop in hops if hop.target == "reset" and hop.neutral != "reset"), 0)
    # A reset that was late or lost puts the box too far away: the hops just before it are asked again, alone.
    while (
        box > 1 and _came(await _limited(tools, endpoint.target.at(address), endpoint.target.host, box - 1)) == "reset"
    ):
        box -= 1
        hops[box - 1] = msgspec.structs.replace(hops[box - 1], target="reset")
    server = next((hop.ttl for hop in hops if hop.neutral == "answer"), 0)
    keys = Hops(address=address, hops=tuple(hops), box=box, server=server)
    # Hellos that die on purpose are no evidence: what the verdict rests on are those that could reach the server.
    whole = [each for each in tried[-2 * _SIDE_BY_SIDE :] if server and _ttl(each.attempt) >= server]
    evidence = evidence_of(tools, endpoint, whole, trusted=(address,))
    return found(NAME, endpoint.url, evidence, keys, _said(endpoint, keys))


async def _limited(tools: Tools, target: Target, name: str, ttl: int) -> Attempt:
    renamed = Target(host=name, port=target.port, speaks=target.speaks, path=target.path).at(*target.addresses)

    async def exchange(stream: ByteStream, trace: Trace) -> None:
        raw: socket.socket | None = stream.extra(SocketAttribute.raw_socket, None)
        async with trace.step(Op.TLS, peer=target.authority, deadline=_PATIENCE, ttl=ttl, sni=name) as step:
            if raw is None:
                raise DialFailed(Failure.UNKNOWN_FAILURE, "this way has no socket whose time to live can be set")
            _live(raw, ttl)
            hello = client_hello(name)
            await stream.send(hello)
            step.sent += len(hello)
            heard = b""
            while not is_server_hello(heard):
                heard += await stream.receive()
                step.received = len(heard)

    return await tools.dials.attempt(renamed, exchange)


def _live(raw: socket.socket, hops: int) -> None:
    if raw.family == socket.AF_INET6:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    else:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


def _ttl(attempt: Attempt) -> int:
    return next((ttl for step in attempt.steps(Op.TLS) if isinstance(ttl := step.tag("ttl", 0), int)), 0)


def _came(attempt: Attempt) -> str:
    if attempt.ok:
        return "answer"
    return "reset" if attempt.failure in (Failure.CONNECTION_RESET, Failure.EOF_ERROR) else "nothing"


def _said(endpoint: Endpoint, keys: Hops) -> Line:
    values: dict[str, Value] = {"name": endpoint.target.host, "box": keys.box, "server": keys.server}
    if keys.box and keys.server:
        return Line(mark("Connections with {name} are cut at hop {box}; the server stands at hop {server}."), values)
    if keys.server:
        return Line(
            mark("Nothing on the path cuts connections with {name}; the server stands at hop {server}."), values
        )
    return Line(mark("No hop could be told: the server did not answer a harmless name either."))

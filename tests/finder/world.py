"""A small world in memory for tests of the finder: resolvers over DNS/TCP, sites that answer TLS and HTTP, censors."""

import datetime as dt
import struct
from collections.abc import Callable
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import msgspec
from anyio.abc import ByteStream

from rozaneh.core import Attempt, Spec, Target
from rozaneh.finder import Connection, Finder, Flight, FlightReader, Memory, Refusal, Rules, Table
from rozaneh.finder.table import Level, Obstacle, Row
from rozaneh.net.clock import RunningClock
from rozaneh.net.memory import Behaviour, MemoryNetwork, silence

SITE = "93.184.216.34"
RESOLVER = "8.8.8.8"
OTHER_RESOLVER = "1.1.1.1"
RELAY = "45.76.10.11"
UPSTREAM = Spec.parse(f"socks5://{RELAY}:1080|tcp")
NAMES = {"blocked.example": [SITE]}
GET = b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n"
HELLO_BACK = bytes.fromhex("160303002a02000026") + bytes(40)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BLOCK_PAGE = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 94\r\n\r\n"
    b'<html><body><iframe src="http://10.10.34.36/?type=Invalid Keyword&policy=MainPolicy" ></iframe>'
)


def hello(name: str = "blocked.example") -> bytes:
    """A ClientHello as a client sends it."""
    sni = name.encode()
    server_name = struct.pack("!HBH", len(sni) + 3, 0, len(sni)) + sni
    extensions = struct.pack("!HH", 0, len(server_name)) + server_name
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def flight(data: bytes) -> Flight:
    found = FlightReader().feed(data)
    assert found is not None
    return found


def resolver(addresses: dict[str, str]) -> Behaviour:
    """A resolver over TCP."""

    async def behaviour(stream: ByteStream) -> None:
        data = b""
        while True:
            data += await stream.receive()
            while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
                size = 2 + int.from_bytes(data[:2], "big")
                query = dns.message.from_wire(data[2:size])
                data = data[size:]
                answer = dns.message.make_response(query)
                name = query.question[0].name.to_text(omit_final_dot=True)
                if query.question[0].rdtype == 1 and name in addresses:
                    answer.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", "A", addresses[name]))
                elif name not in addresses:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                wire = answer.to_wire()
                await stream.send(len(wire).to_bytes(2, "big") + wire)

    return behaviour


def answers(data: bytes) -> Behaviour:
    """A site that answers and stays open until its client has finished."""

    async def behaviour(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(data)
        await silence(stream)

    return behaviour


def unless_whole(name: str, censor: Behaviour, site: Behaviour) -> Behaviour:
    """A censor that reads the first piece that a client sends, and acts when the name is whole in it."""

    async def behaviour(stream: ByteStream) -> None:
        first = await stream.receive()
        if name.encode() in first:
            await censor(_Said(first, stream))
        else:
            await site(_Said(first, stream))

    return behaviour


class _Said(ByteStream):
    def __init__(self, first: bytes, inner: ByteStream) -> None:
        self._first, self._inner = first, inner

    async def receive(self, max_bytes: int = 65536) -> bytes:
        first, self._first = self._first, b""
        return first or await self._inner.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        await self._inner.send(item)

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        await self._inner.aclose()


def socks_relay(network: MemoryNetwork, names: dict[str, str]) -> Behaviour:
    """A SOCKS5 server that connects within the same world, beyond all censors."""

    async def behaviour(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"\x05\x00")
        request = await stream.receive()
        size = request[4]
        host = request[5 : 5 + size].decode()
        await stream.send(b"\x05\x00\x00\x01" + bytes(6))
        await network._behaviours["far", int.from_bytes(request[5 + size : 7 + size], "big")](stream)
        assert host in names

    return behaviour


def row(use: str, level: Level = Level.WORKS) -> Row:
    return Row(use=use, evidence=level, seen=dt.date(2022, 1, 1), expires=dt.date(2099, 1, 1), source="a test")


def table(**obstacles: list[str]) -> Table:
    """A table in which each obstacle has these ways, and DNS over TCP is the trustworthy resolver."""
    return Table(
        [row(f"dnstcp:{RESOLVER}"), row(f"dnstcp:{OTHER_RESOLVER}")],
        [Obstacle(name=name, way=tuple(map(row, ways))) for name, ways in obstacles.items()],
    )


def clock() -> RunningClock:
    start = dt.datetime(2022, 9, 21, 15, 50, tzinfo=dt.timezone(dt.timedelta(hours=4.5)))
    return RunningClock(start=start, made=0.0)


class Recorder:
    """Collects what a finder reports."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def __call__(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Way and failure of each attempt, in the order in which they ended."""
        return [(each.spec, each.failure.value if each.failure else "ok") for each in self.attempts]


def finder(network: MemoryNetwork, report: Callable[[Attempt], None], **settings: Any) -> Finder:
    settings.setdefault("rules", Rules())
    settings.setdefault("memory", Memory())
    return Finder(network, report=report, clock=clock(), salt=b"s" * 16, **settings)


async def connected(found: Connection | Refusal) -> Connection:
    """The connection that was made, closed at once."""
    assert isinstance(found, Connection), found
    await found.stream.aclose()
    return found


def target(host: str = "blocked.example", port: int = 443) -> Target:
    speaks = "https" if port == 443 else "http"
    return msgspec.convert({"host": host, "port": port, "speaks": speaks}, Target)

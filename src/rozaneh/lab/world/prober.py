"""Active probing: the censor's own host connects to a server that looked suspicious and sees what answers.

Orders come from the censor engine, by way of whoever carries its packets; reports go back the same way.
"""

import asyncio
import socket
import ssl
from contextlib import suppress

import msgspec

from rozaneh.lab.ns.messages import ProbeOrder, ProbeReport
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.doors import PEER_ERRORS, Stream, opened

HOST = "censor"
"""The host of the world from which probes are sent."""

_PATIENCE = 1.0
_CONNECT_SECONDS = 5.0
_LONGEST = 1 << 16
_MOST_AT_ONCE = 256
_GET = b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"


class Prober:
    """Runs probes."""

    def __init__(self, dialler: Dialler) -> None:
        self._dialler = dialler
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def probe(self, order: ProbeOrder) -> ProbeReport:
        """Wait as long as the order says, connect, and see what answers."""
        await asyncio.sleep(order.delay)
        async with self._room:
            results = await self._look(order)
        return ProbeReport(token=order.token, results=tuple(results))

    async def obey(self, orders: socket.socket) -> None:
        """Run the probes that come in on a SEQPACKET socket as MessagePack, and report on it, until it ends."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as running:
            while message := await loop.sock_recv(orders, _LONGEST):
                with suppress(msgspec.DecodeError):
                    order = msgspec.msgpack.decode(message, type=ProbeOrder)
                    running.create_task(self._report(order, orders))

    async def _report(self, order: ProbeOrder, orders: socket.socket) -> None:
        report = await self.probe(order)
        with suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(orders, msgspec.msgpack.encode(report))

    async def _look(self, order: ProbeOrder) -> list[str]:
        try:
            raw = await self._dialler.connect(HOST, order.address, order.port, _CONNECT_SECONDS)
        except OSError:
            return ["refused"]
        if order.kind == "connect":
            raw.close()
            return ["open"]
        stream: Stream | None = None
        try:
            stream = await opened(raw, _unbelieving() if order.kind == "tls" else None, order.address)
            if order.kind == "tls":
                return ["open", "answers", "tls"]
            await stream.send(_GET % order.address.encode() if order.kind == "http" else order.payload)
            async with asyncio.timeout(_PATIENCE):
                answer = await stream.some()
        except TimeoutError:
            return ["open", "silent"]
        except ConnectionError:
            return ["open", "resets"]
        except PEER_ERRORS:
            return ["open", "answers"]
        finally:
            if stream is not None:
                stream.abandon()
        return ["open", *_kinds_of(answer)]


def _kinds_of(answer: bytes) -> list[str]:
    if not answer:
        return ["closes"]
    kinds = ["answers"]
    if answer[:1] in (b"\x15", b"\x16") and answer[1:2] == b"\x03":
        kinds.append("tls")
    if answer.startswith(b"HTTP/1."):
        kinds.append("http")
    return kinds


def _unbelieving() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

"""A helper before a world in memory."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import ByteStream

from rozaneh.codecs.networks import Networks
from rozaneh.helper import Bounds, GuardedNetwork, Server, Vantage
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.trust import Trust

SITE, OTHER = "93.184.216.34", "93.184.216.35"
FRONT = ("127.0.0.1", 8765)


def page(body: bytes, status: str = "200 OK", **headers: str) -> Callable[[ByteStream], Any]:
    """A web server that answers one request."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def behaviour(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(answer)

    return behaviour


class Asking:
    """What a client of the helper does."""

    def __init__(self, network: MemoryNetwork, server: Server) -> None:
        self.network = network
        self.server = server

    async def raw(self, request: bytes) -> bytes:
        stream = await self.network.connect_tcp(*FRONT)
        heard = b""
        try:
            await stream.send(request)
            while True:
                heard += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return heard
        finally:
            await stream.aclose()

    async def post(self, body: bytes, headers: str = "") -> tuple[int, Any]:
        head = f"POST / HTTP/1.1\r\nHost: helper\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        answer = await self.raw(head.encode() + body)
        status = int(answer.split(b" ")[1])
        return status, json.loads(answer.partition(b"\r\n\r\n")[2])

    async def ask(self, **question: Any) -> Any:
        status, answer = await self.post(json.dumps(question).encode())
        assert status == 200, answer
        return answer


@asynccontextmanager
async def helping(
    names: dict[str, Any] | None = None,
    network: MemoryNetwork | None = None,
    own: tuple[str, ...] = (),
    *,
    forwarded: bool = False,
    networks: Networks | None = None,
    **bounds: Any,
) -> AsyncIterator[Asking]:
    with anyio.fail_after(600):
        async with network or MemoryNetwork(names=names or {}) as inner:
            vantage = Vantage(GuardedNetwork(inner, own), Trust.system(), networks=networks)
            server = Server(vantage, Bounds(**bounds), forwarded=forwarded)
            listener = await inner.listen_tcp(*FRONT)
            async with listener, anyio.create_task_group() as tasks:
                tasks.start_soon(server.serve, listener)
                try:
                    yield Asking(inner, server)
                finally:
                    tasks.cancel_scope.cancel()

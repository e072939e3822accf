"""A status page on a real loopback port, before a gateway that is shown by hand."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteStream

from rozaneh.finder import Finder, Table
from rozaneh.gateway import Opened, Refused
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.page.guard import Guard
from rozaneh.gateway.page.server import Bounds, Page, place_of
from rozaneh.gateway.state import State
from rozaneh.gateway.switch import Switch
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.real import RealNetwork

TEHRAN = dt.timezone(dt.timedelta(hours=4.5))


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.at = dt.datetime(2022, 9, 21, 15, 50, tzinfo=TEHRAN)

    def now(self) -> dt.datetime:
        return self.at


class Front:
    """The page, and whoever asks for it."""

    def __init__(self, place: str, page: Page, hand: Hand) -> None:
        self.place = place
        self.page = page
        self.hand = hand

    async def raw(self, data: bytes, *, ends: bool = False) -> bytes:
        address, _, port = self.place.rpartition(":")
        async with await RealNetwork().connect_tcp(address, int(port)) as stream:
            await stream.send(data)
            if ends:
                await stream.send_eof()
            return await rest(stream)

    async def ask(
        self, method: str, path: str, body: str | bytes = "", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        sent = body.encode() if isinstance(body, str) else body
        lines = {"host": self.place, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if method == "POST":
            lines = {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(sent)), **lines}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        answer = (await self.raw((head + "\r\n").encode() + sent)).decode()
        start, _, text = answer.partition("\r\n\r\n")
        first, *fields = start.split("\r\n")
        pairs = (field.partition(": ") for field in fields)
        return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, text

    async def let_in(self) -> str:
        """The cookie of a browser that followed a link."""
        link = self.page.guard.link().removeprefix(f"http://{self.place}")
        status, headers, _ = await self.ask("GET", link)
        assert status == 200
        return headers["set-cookie"].partition(";")[0]

    @property
    def base(self) -> str:
        return self.page.guard.path

    def some_evening(self) -> None:
        """What an evening left in the state."""
        state = self.page.desk.state
        state.note(Opened(way="tcp", seconds=0.2))
        state.note(Opened(way="doh:dns.google@8.8.8.8|tlsfrag:sni|tcp", obstacle="tls_name_reset", seconds=0.6))
        state.note(Opened(way="ss://***@45.76.10.11:8388|tcp", obstacle="address_black_hole", seconds=0.9))
        self.hand.at += dt.timedelta(minutes=3)
        state.note(Refused(failure="generic_timeout_error", obstacle="address_black_hole", seconds=4.0))
        memory = self.page.desk.finder
        for day in range(1, 6):
            for hour in range(16, 24):
                memory.line_was(self.hand.at.replace(hour=hour) - dt.timedelta(days=day), cut=True)


async def rest(stream: ByteStream) -> bytes:
    data = b""
    try:
        while True:
            data += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return data


@asynccontextmanager
async def running(folder: Path | None = None, bounds: Bounds | None = None, **settings: Any) -> AsyncIterator[Front]:
    with anyio.fail_after(60):
        async with MemoryNetwork() as network:
            hand = Hand()
            finder = Finder(network, table=Table([], []), clock=hand)
            desk = Desk(finder, State(hand), Switch(), network, folder, proxy="127.0.0.1:1080")
            listener = await RealNetwork().listen_tcp("127.0.0.1", 0)
            page = Page(desk, Guard(place_of(listener)), bounds=bounds or Bounds(), **settings)
            async with listener, anyio.create_task_group() as tasks:
                tasks.start_soon(page.serve, listener)
                try:
                    yield Front(place_of(listener), page, hand)
                finally:
                    tasks.cancel_scope.cancel()

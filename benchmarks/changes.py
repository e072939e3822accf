"""How soon a new connection works after the censor has changed while the gateway is in use.

In each of several homes of the lab the gateway knows how to reach a page, and four clients use it without a pause. Then
the rules on the path are exchanged: the way that was found is blocked; answers stop after 16,000 bytes; they crawl at
128 kbit/s; everything abroad is cut. From that moment somebody asks for the page by a new connection, and twice a
second by another one, as impatient programs do. Measured is the time from the change until the whole page was there. Of
the cut it is the time until the first request was told so, and the time from its end until the page came again. And on
a line that is merely bad, 300 ms with one packet in twenty lost and 64 kbit/s, no transfer may be called stalled or
slowed down.
"""

import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import msgspec
from anyio.abc import SocketAttribute

from rozaneh.core import Target
from rozaneh.dialers.registry import build
from rozaneh.finder import Finder, Memory
from rozaneh.gateway import Event, Gateway, Opened, Refused
from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab, world_for
from rozaneh.lab.matrix import choose_ways
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario
from rozaneh.net import Dialer
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.trial import get

COMMAND = "python -m benchmarks changes"
REPETITIONS = 10
_AT_ONCE = 2
_AGAIN = 0.5
_LONGEST = 30.0
_CLIENTS = 4
_SMALL = Target.parse("https://blocked.example/")
_PAGE = Target.parse("https://blocked.example/bytes/30000")
_LONG = Target.parse("https://blocked.example/bytes/100000")
_FREE = Target.parse("https://example.org/")
_FROZEN = """
title = "After the name, so many bytes and no more"
[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", tls.sni = ["blocked.example"] }
state = { scope = "flow" }
action = { freeze = { bytes = 16000, direction = "in" } }
"""
_BAD_LINE = """
title = "A bad line: 300 ms, one packet in twenty lost, 64 kbit/s"
[[rule]]
at = "operator"
mode = "in-path"
action = { loss = 0.05, rate = { rate = "64kbit", per = "all" }, delay = 0.12 }
"""
_ON_A_BAD_LINE = 25.0
Row = dict[str, object]


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """Rules before and after, and the page that is asked for."""

    name: str
    before: str
    after: Scenario
    page: Target
    seconds: float = 10.0


class _Home:
    """One home with the gateway in it, and what it tells."""

    def __init__(self, lab: Lab, client: LabClient, dialer: Dialer, events: list[Event]) -> None:
        self.lab, self.client, self.dialer, self.events = lab, client, dialer, events

    async def fetch(self, page: Target, seconds: float) -> bool:
        """Whether the whole page came in that time."""
        with anyio.move_on_after(seconds):
            return (await get(self.dialer, page, self.lab)).outcome == "ok"
        return False

    async def until_it_comes(self, page: Target, seconds: float) -> float | None:
        """Seconds until a new connection has brought a page; none if none did."""
        began = anyio.current_time()
        found: list[float] = []
        async with anyio.create_task_group() as tasks:

            async def one() -> None:
                if await self.fetch(page, seconds):
                    found.append(anyio.current_time() - began)
                    tasks.cancel_scope.cancel()

            while anyio.current_time() - began < _LONGEST:
                tasks.start_soon(one)
                await anyio.sleep(_AGAIN)
            tasks.cancel_scope.cancel()
        return found[0] if found else None


def main() -> list[Row]:
    cut = load_scenario("shutdown-domestic-stays")
    changes = [
        _Change(
            name="a way is blocked", before="sni-reset", after=load_scenario("record-fragments-dropped"), page=_SMALL
        ),
        _Change(name="answers freeze", before="clear", after=parse_scenario(_FROZEN, "frozen"), page=_PAGE),
        _Change(name="answers crawl", before="clear", after=load_scenario("sni-throttled"), page=_LONG, seconds=4.0),
    ]
    with Lab(world=world_for([cut, *(change.after for change in changes)])) as lab:
        rows = [row for change in changes for row in _rows(change.name, anyio.run(partial(_changes, lab, change)))]
        told, again = zip(*anyio.run(partial(_cuts, lab, cut)), strict=True)
        rows += _rows("everything abroad is cut, until that is said", told)
        rows += _rows("a cut has ended", again)
        events = anyio.run(partial(_bad_lines, lab))
    opened = [event for event in events if isinstance(event, Opened)]
    wrong = [event for event in opened if event.obstacle in ("stall", "throttling")]
    label = f"a bad line: connections called stalled or slowed down, of {len(opened)}"
    rows.append({"name": label, "value": len(wrong), "unit": "", "target": "== 0", "command": COMMAND})
    return rows


async def _bad_lines(lab: Lab) -> list[Event]:
    """What homes on a bad line tell while impatient clients ask for pages."""
    told: list[Event] = []
    bad = parse_scenario(_BAD_LINE, "bad-line")

    async def one(index: int) -> None:
        async with _home(lab, bad, index) as home, anyio.create_task_group() as tasks:
            with anyio.move_on_after(_ON_A_BAD_LINE):
                while True:
                    tasks.start_soon(home.fetch, _PAGE, 12.0)
                    await anyio.sleep(2.5)
            tasks.cancel_scope.cancel()
            told.extend(home.events)

    async with anyio.create_task_group() as tasks:
        for index in range(REPETITIONS):
            tasks.start_soon(one, index)
    return told


def _rows(name: str, found: "list[float | None] | tuple[float | None, ...]") -> list[Row]:
    came = sorted(one for one in found if one is not None)
    rows: list[Row] = [
        {
            "name": f"{name}: new connections that came, of {len(found)} changes",
            "value": round(100 * len(came) / len(found)),
            "unit": "%",
            "target": "== 100",
            "command": COMMAND,
        }
    ]
    if came:
        for label, value, target in (
            ("median", statistics.median(came), "<= 3"),
            ("95th percentile", came[min(len(came) - 1, int(0.95 * len(came)))], "<= 10"),
        ):
            rows.append(
                {
                    "name": f"{name}: {label}",
                    "value": round(value, 2),
                    "unit": "s",
                    "target": target,
                    "command": COMMAND,
                }
            )
    return rows


async def _many(one: Callable[[int], "object"]) -> None:
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def limited(index: int) -> None:
        async with limit:
            await one(index)  # type: ignore[misc]  # an async function

    async with anyio.create_task_group() as tasks:
        for index in range(REPETITIONS):
            tasks.start_soon(limited, index)


async def _changes(lab: Lab, change: _Change) -> list[float | None]:
    found: list[float | None] = []

    async def one(index: int) -> None:
        async with _home(lab, load_scenario(change.before), index) as home, _load(home, change.page):
            lab.load(home.client, change.after)
            found.append(await home.until_it_comes(change.page, change.seconds))

    await _many(one)
    return found


async def _cuts(lab: Lab, cut: Scenario) -> list[tuple[float | None, float | None]]:
    found: list[tuple[float | None, float | None]] = []
    before = load_scenario("sni-reset")

    async def one(index: int) -> None:
        async with _home(lab, before, index) as home, _load(home, _SMALL):
            lab.load(home.client, cut)
            began = anyio.current_time()
            told = None
            while told is None and anyio.current_time() - began < _LONGEST:
                asked = len(home.events)
                await home.fetch(_SMALL, 12.0)
                refused = [event for event in home.events[asked:] if isinstance(event, Refused)]
                if any(event.obstacle in ("domestic_only", "whole_outage") for event in refused):
                    told = anyio.current_time() - began
            await anyio.sleep(2.0 + index)
            lab.load(home.client, before)
            found.append((told, await home.until_it_comes(_SMALL, 10.0)))

    await _many(one)
    return found


@asynccontextmanager
async def _home(lab: Lab, scenario: Scenario, index: int) -> AsyncIterator[_Home]:
    client = lab.client("mobile", scenario, seed=index, programs=False)
    network = RealNetwork()
    listener = await network.listen_tcp("127.0.0.1", 0)
    port = listener.extra(SocketAttribute.local_port)
    trust = Trust.with_ca(lab.ca_file)
    events: list[Event] = []
    finder = Finder(
        client.network,
        ways=[way.spec for way in choose_ways(["ss"])],
        memory=Memory(),
        clock=client.clock,
        trust=trust,
        where=lambda: str(index),
    )
    try:
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(Gateway(finder, tell=events.append).serve, listener)
            yield _Home(lab, client, build(f"socks5://127.0.0.1:{port}|tcp", network, trust=trust), events)
            tasks.cancel_scope.cancel()
    finally:
        client.close()


@asynccontextmanager
async def _load(home: _Home, page: Target) -> AsyncIterator[None]:
    """Clients that use the gateway without a pause; begun when the page is known to come."""
    for _ in range(2):
        await home.fetch(page, 20.0)

    async def use(target: Target) -> None:
        while True:
            await home.fetch(target, 12.0)
            await anyio.sleep(0.1)

    async with anyio.create_task_group() as tasks:
        for one in range(_CLIENTS):
            tasks.start_soon(use, page if one % 2 == 0 else _FREE)
        await anyio.sleep(0.5)
        yield
        tasks.cancel_scope.cancel()

"""How long it takes to reach a page through the gateway, beside the best way and beside three other orders of trying.

All in one run of the lab, with the same scenarios, targets and ways. The baselines know the same ways as the gateway:
one after another; all at once; and Outline's order (``x/smart``: strategies for names first, then those for TLS, each
started when the one before has failed or after 250 ms, and servers last). Of a baseline the whole search counts, as it
does for a first visit; none of them remembers by network and hour.
"""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import anyio

from rozaneh.dialers.registry import build
from rozaneh.lab.lab import Lab, world_for
from rozaneh.lab.matrix import Way, choose_ways, plan
from rozaneh.lab.scenario import load_scenario
from rozaneh.net.trust import Trust
from rozaneh.trial import Question, Tried, get, questions, run

COMMAND = "python -m benchmarks reach"
SCENARIOS = (
    "clear", "dns-injection-race", "dns-nxdomain", "dns-drop", "dns-static-answer", "sni-reset", "sni-drop",
    "sni-parser-2024", "record-fragments-dropped", "dns-and-tls", "address-drop", "address-reset", "front-blocked",
    "server-hello-dropped", "http-403", "tls-fingerprint",
)  # fmt: skip
_STAGGER = 0.25
_STAGES = (("plain", "doh", "dot", "dnstcp"), ("split", "tlsfrag", "both", "disorder"), ("ss", "socks5", "connect"))

Row = dict[str, object]
Order = Callable[[Sequence[Way], "_Ask"], Awaitable[float | None]]


class _Ask:
    """One question to a baseline: asks by a way, from one home."""

    def __init__(self, lab: Lab, question: Question) -> None:
        self._lab = lab
        self._question = question
        self._home = lab.client(
            network=question.network, scenario=question.rules, at=question.at, seed=question.seed, programs=False
        )

    async def __call__(self, way: Way) -> bool:
        dialer = build(way.spec, self._home.network, trust=Trust.with_ca(self._lab.ca_file))
        return (await get(dialer, self._question.target, self._lab)).outcome == "ok"

    def close(self) -> None:
        self._home.close()


def main() -> list[Row]:
    scenarios = [load_scenario(name) for name in SCENARIOS]
    with Lab(world=world_for(scenarios)) as lab:
        asked = [one for one in questions(plan(scenarios)) if not one.before and not one.wait]
        ways = choose_ways()
        trial = anyio.run(partial(run, asked, lab, ways, at_once=2))
        reachable = {
            (cell.scenario, cell.vary, cell.network, cell.at, cell.target): cell
            for cell in trial.cells
            if cell.oracle_way
        }
        chosen = [q for q in asked if (q.scenario, q.vary, q.network, q.at, str(q.target)) in reachable]
        rows = [
            _row("gateway: pages that came, of those that some way leads to", _share(trial.reachable), "%", "== 100"),
            _row("gateway: first byte at first, beside the best way (medians)", trial.cold, "x", "<= 1.5"),
            _row("gateway: first byte at first (95th percentile)", trial.slowest, "s", "< 5"),
            _row("gateway: first byte when the way is known, beside the best way", trial.warm, "x", "<= 1.1"),
        ]
        best = statistics.median(cell.oracle_seconds or 0.0 for cell in reachable.values())
        for name, order in (("one after another", _sequence), ("all at once", _blind), ("Outline's order", _outline)):
            took = anyio.run(partial(_baseline, order, chosen, lab, ways))
            found = [one for one in took if one is not None]
            rows += [
                _row(f"{name}: pages that came", 100 * len(found) / len(took), "%"),
                _row(f"{name}: beside the best way (medians)", statistics.median(found) / best, "x"),
                _row(f"{name}: 95th percentile", sorted(found)[int(0.95 * len(found))], "s"),
            ]
    return rows


def _row(name: str, value: float | None, unit: str, target: str = "") -> Row:
    row: Row = {"name": name, "value": "none" if value is None else round(value, 2), "unit": unit, "command": COMMAND}
    return row | {"target": target} if target else row


def _share(cells: Sequence[Tried]) -> float:
    return 100.0 * sum(cell.ok for cell in cells) / max(len(cells), 1)


async def _baseline(order: Order, asked: Sequence[Question], lab: Lab, ways: Sequence[Way]) -> list[float | None]:
    found: dict[int, float | None] = {}
    limit = anyio.CapacityLimiter(2)

    async def one(index: int, question: Question) -> None:
        async with limit:
            ask = _Ask(lab, question)
            found[index] = await order(ways, ask)
            ask.close()

    async with anyio.create_task_group() as tasks:
        for index, question in enumerate(asked):
            tasks.start_soon(one, index, question)
    return [found[index] for index in range(len(asked))]


async def _sequence(ways: Sequence[Way], ask: _Ask) -> float | None:
    began = anyio.current_time()
    for way in ways:
        if await ask(way):
            return anyio.current_time() - began
    return None


async def _blind(ways: Sequence[Way], ask: _Ask) -> float | None:
    began = anyio.current_time()
    came = await _race(ways, ask, 0.0)
    return anyio.current_time() - began if came else None


async def _outline(ways: Sequence[Way], ask: _Ask) -> float | None:
    began = anyio.current_time()
    for names in _STAGES:
        if await _race([way for way in ways if way.name in names], ask, _STAGGER):
            return anyio.current_time() - began
    return None


async def _race(ways: Sequence[Way], ask: _Ask, stagger: float) -> bool:
    """Start each way when the one before has failed or after a while; whether one of them brought the page."""
    won = False
    async with anyio.create_task_group() as tasks:

        async def one(way: Way, over: anyio.Event) -> None:
            nonlocal won
            if await ask(way):
                won = True
                tasks.cancel_scope.cancel()
            over.set()

        for way in ways:
            over = anyio.Event()
            tasks.start_soon(one, way, over)
            with anyio.move_on_after(stagger):
                await over.wait()
    return won

"""Ask all cells at once, in one lab.

Theory of operation. The controls come first: every way to every target once, from a home address without any censor.
They prove that the way works at all, they give the usual speed of a download, and they make the servers' certificates
before anything is timed. Then all cells run together, each from a home address of its own with a censor of its own.

A busy machine changes seconds, not outcomes. Silence counts only if something free was answered well within the same
deadline meanwhile (:mod:`rozaneh.lab.matrix.yardstick`); else the cell is asked again, from another home, with more
patience. So is a cell whose download was slow, beside another free download.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import anyio
import msgspec

from rozaneh.core import Attempt, Failure, Target
from rozaneh.dialers.registry import build
from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab
from rozaneh.lab.matrix.outcome import is_expected, outcome_of, rate_of
from rozaneh.lab.matrix.plan import DEFAULT_NETWORK, Cell, is_download
from rozaneh.lab.matrix.together import together
from rozaneh.lab.matrix.ways import Way, choose_ways
from rozaneh.lab.matrix.yardstick import Yardstick
from rozaneh.net import Deadlines, Exchange, measure
from rozaneh.net.exchange import http_get, https_get
from rozaneh.net.trust import Trust

AT_ONCE = 60
_DOWNLOADS_AT_ONCE = 12
_PATIENCE = (1, 3, 9)
"""How many times the usual deadlines a cell gets each time that it is asked; the last time is believed."""
_FREE = Target.parse("https://example.org/")
_QUICK = Deadlines(
    resolve=2.5, connect=2.5, proxy=3.0, tls_handshake=2.5, request=2.5, first_byte=4.0, throughput=10.0, close=0.5
)
"""Round trips take 44 ms, and a lost SYN is repeated after one second: silence for this long is silence."""
_PATIENT = Deadlines(
    resolve=10.0, connect=8.0, proxy=10.0, tls_handshake=8.0, request=8.0, first_byte=10.0, throughput=20.0, close=0.5
)
"""Where packets get lost by chance the kernel repeats them after one, two and four seconds more."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A cell with its answer, as ``matrix --json`` writes it.

    Attributes:
        scenario: the scenario's id.
        vary: the choice of its varied values; empty where nothing varies.
        network: the home network.
        at: the time it was asked at; none for the scenario's own.
        way: the way's alias, or its spec without secrets.
        spec: the way's spec without secrets.
        target: what was asked for.
        expected: what the scenario expects, several joined by ``or``; none where it expects nothing.
        observed: what was got.
        ok: whether that is expected, or nothing was, and the control worked.
        seconds: how long it took.
        step: the step that failed; empty where none did.
        lossy: whether packets get lost by chance in this scenario.
        reason: why it is not ok.
    """

    scenario: str
    vary: str
    network: str
    at: str | None
    way: str
    spec: str
    target: str
    expected: str | None
    observed: str
    ok: bool
    seconds: float
    step: str = ""
    lossy: bool = False
    reason: str = ""


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """All answers.

    Attributes:
        cells: in the order of the plan.
        controls: how many controls were run.
        seconds: from the first control to the last cell.
    """

    cells: tuple[Finished, ...]
    controls: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every cell is."""
        return all(cell.ok for cell in self.cells)

    @property
    def unexpected(self) -> int:
        """How many cells nobody expects anything of."""
        return sum(cell.expected is None for cell in self.cells)


def differing(runs: Sequence[Matrix]) -> Matrix:
    """The last of several runs of one plan, in which a cell that differed between them is not ok.

    Where packets get lost by chance kernels' timers take part in what happens: such cells may differ.
    """
    last = runs[-1]
    cells = []
    for index, cell in enumerate(last.cells):
        observed = {one.cells[index].observed for one in runs}
        if len(observed) > 1 and not cell.lossy:
            reason = f"differs between runs: {', '.join(sorted(observed))}"
            cells.append(msgspec.structs.replace(cell, ok=False, reason=reason))
        else:
            wrong = [one.cells[index] for one in runs if not one.cells[index].ok]
            cells.append(wrong[-1] if wrong else cell)
    return msgspec.structs.replace(last, cells=tuple(cells))


Progress = Callable[[int, int], None]
"""Called with how many dials are done, and of how many."""

_ControlKey = tuple[str, Way, Target]


class _Control(msgspec.Struct, frozen=True):
    outcome: str
    rate: float | None


async def run(cells: Sequence[Cell], lab: Lab, *, at_once: int = AT_ONCE, progress: Progress | None = None) -> Matrix:
    """Ask all cells.

    Args:
        cells: the plan.
        lab: a running lab whose world holds everything that the scenarios add to it.
        at_once: how many dials run at the same time.
        progress: told about every dial that ends.
    """
    began = anyio.current_time()
    needed = dict.fromkeys(_control_key(cell) for cell in cells if cell.has_control)
    table = _Table(lab, at_once, len(needed) + len(cells), progress)
    controls = await table.controls(needed)
    finished = await table.cells(cells, controls)
    return Matrix(cells=finished, controls=len(controls), seconds=round(anyio.current_time() - began, 3))


def _control_key(cell: Cell) -> _ControlKey:
    return cell.network, cell.way, cell.target


def _waited_for(attempt: Attempt, finished: Finished, deadlines: Deadlines) -> float:
    """Seconds within which a free dial must be answered for an outcome to count; endless where time is no matter."""
    failed = attempt.last_failed()
    if failed is not None and failed.failure is Failure.GENERIC_TIMEOUT_ERROR:
        return deadlines.of(failed.op)
    return deadlines.first_byte if finished.observed == "throttled" else math.inf


def _quicker(one: _Control, other: _Control) -> _Control:
    return max(one, other, key=lambda control: control.rate or 0.0)


class _Table:
    """One run: the limit on what happens at once, and the count of what is done."""

    def __init__(self, lab: Lab, at_once: int, total: int, progress: Progress | None) -> None:
        self._lab = lab
        self._truth: Mapping[str, Sequence[str]] = lab.world.addresses_of
        self._trust = Trust.with_ca(lab.ca_file)
        self._limit = anyio.CapacityLimiter(at_once)
        self._total = total
        self._done = 0
        self._progress = progress
        (plain,) = choose_ways(["plain"])
        self._yardstick = Yardstick(partial(self._control, (DEFAULT_NETWORK, plain, _FREE)))

    async def controls(self, keys: Collection[_ControlKey]) -> dict[_ControlKey, _Control]:
        """Try every way to every target without a censor; downloads later and few at once, for their speed counts."""
        found: dict[_ControlKey, _Control] = {}

        async def one(key: _ControlKey, limit: anyio.CapacityLimiter) -> None:
            async with limit:
                found[key] = await self._control(key)
            self._count()

        downloads = [key for key in keys if is_download(key[2])]
        await together(partial(one, key, self._limit) for key in keys if key not in downloads)
        few = anyio.CapacityLimiter(_DOWNLOADS_AT_ONCE)
        await together(partial(one, key, few) for key in downloads)
        return found

    async def cells(self, cells: Sequence[Cell], controls: Mapping[_ControlKey, _Control]) -> tuple[Finished, ...]:
        """Ask every cell; downloads later and few at once, as their controls."""
        found: dict[int, Finished] = {}

        async def one(index: int, limit: anyio.CapacityLimiter) -> None:
            found[index] = await self._cell(cells[index], controls, limit)
            self._count()

        downloads = [index for index, cell in enumerate(cells) if is_download(cell.target)]
        few = anyio.CapacityLimiter(_DOWNLOADS_AT_ONCE)
        scope = anyio.CancelScope()

        async def measure() -> None:
            with scope:
                await self._yardstick.run()

        async def ask() -> None:
            await together(partial(one, index, self._limit) for index in range(len(cells)) if index not in downloads)
            await together(partial(one, index, few) for index in downloads)
            scope.cancel()

        await together([measure, ask])
        return tuple(found[index] for index in range(len(cells)))

    async def _cell(
        self, cell: Cell, controls: Mapping[_ControlKey, _Control], limit: anyio.CapacityLimiter
    ) -> Finished:
        """Ask one cell, until its silence or slowness is the censor's and not this machine's."""
        control = controls.get(_control_key(cell))
        usual = _PATIENT if cell.is_lossy else _QUICK
        for patience in _PATIENCE:
            deadlines = usual.scaled(patience)
            async with limit:
                began = anyio.current_time()
                attempt = await self._ask(cell, deadlines)
                finished = self._judge(cell, attempt, control)
            if self._yardstick.proves(_waited_for(attempt, finished, deadlines), began):
                break
            if finished.observed == "throttled" and control is not None:
                async with limit:
                    control = _quicker(control, await self._control(_control_key(cell)))
        return finished

    async def _ask(self, cell: Cell, deadlines: Deadlines) -> Attempt:
        client = self._lab.client(network=cell.network, scenario=cell.rules, at=cell.at, seed=cell.seed, programs=False)
        try:
            for target in cell.before:
                await self._dial(client, cell.way, target, deadlines)
            await anyio.sleep(cell.wait)
            return await self._dial(client, cell.way, cell.target, deadlines)
        finally:
            client.close()

    async def _control(self, key: _ControlKey) -> _Control:
        network, way, target = key
        client = self._lab.client(network=network, programs=False)
        try:
            attempt = await self._dial(client, way, target, _PATIENT)
        finally:
            client.close()
        return _Control(outcome_of(attempt, target, self._truth), rate_of(attempt))

    def _judge(self, cell: Cell, attempt: Attempt, control: _Control | None) -> Finished:
        observed = outcome_of(attempt, cell.target, self._truth, control.rate if control else None)
        failed = attempt.last_failed()
        reason = ""
        if control is not None and cell.has_control and control.outcome != "ok":
            reason = f"the control failed: without the scenario this way gets {control.outcome}"
        elif cell.expected and not is_expected(cell.expected, observed):
            reason = f"expected {' or '.join(cell.expected)}"
        return Finished(
            scenario=cell.scenario,
            vary=cell.vary,
            network=cell.network,
            at=cell.at,
            way=cell.way.name,
            spec=cell.way.spec.redacted(),
            target=str(cell.target),
            expected=" or ".join(cell.expected) or None,
            observed=observed,
            ok=not reason,
            seconds=round(attempt.took, 3),
            step=str(failed.op) if failed else "",
            lossy=cell.is_lossy,
            reason=reason,
        )

    def _count(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)

    async def _dial(self, client: LabClient, way: Way, target: Target, deadlines: Deadlines) -> Attempt:
        dialer = build(way.spec, client.network, trust=self._trust)
        async with await measure(dialer, target, exchange=self._exchange(target), deadlines=deadlines) as measured:
            return measured.attempt

    def _exchange(self, target: Target) -> Exchange | None:
        if target.speaks == "https":
            return https_get(target, self._trust)
        return http_get(target) if target.speaks == "http" else None

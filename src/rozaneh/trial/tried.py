"""The questions of a trial, and its answers as values."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from rozaneh.core import Target
from rozaneh.lab.matrix import Cell
from rozaneh.lab.scenario import Scenario

GATEWAY = "gateway"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario, a home network, an hour and a target; which way is taken is left open.

    Attributes:
        scenario: the scenario's id.
        vary: the choice of its varied values, as text.
        network: the home network.
        at: the time of day or moment; none for the scenario's own.
        target: what is asked for.
        before: what is asked for first, in the same way from the same home.
        wait: seconds between those and the target.
        seed: of the random numbers on its path.
        lossy: whether packets get lost by chance.
        rules: the scenario with its values in place.
    """

    scenario: str
    vary: str
    network: str
    at: str | None
    target: Target
    before: tuple[Target, ...]
    wait: float
    seed: int
    lossy: bool
    rules: Scenario


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one question, with the keys of a matrix's cell and those of the comparison.

    Attributes:
        scenario: the scenario's id.
        vary: the choice of its varied values.
        network: the home network.
        at: the time it was asked at.
        way: always ``gateway``.
        target: what was asked for.
        expected: ``ok`` where the oracle reaches it; none where no way does.
        observed: what a client of the gateway got.
        ok: whether the page came, or no way leads to it and nothing false came in its place.
        seconds: until the whole page was there, or none was to be had.
        first_byte_seconds: from the first request until the first byte of the page; none without a page.
        warm_seconds: the same for the second request; none without a page.
        way_chosen: how the gateway reached it, without secrets; empty where it refused.
        obstacle: what the gateway believes to be in the way.
        tried: how many ways it tried.
        requests: how often the page had to be asked for. Some obstacles show only to the client: it sees who signed a
            certificate, and what an encrypted page says.
        oracle_way: the best way dialled directly; empty where none works.
        oracle_seconds: until the first byte by that one.
        lossy: whether packets get lost by chance here.
        reason: why it is not ok.
    """

    scenario: str
    vary: str
    network: str
    at: str | None
    way: str = GATEWAY
    target: str
    expected: str | None
    observed: str
    ok: bool
    seconds: float
    first_byte_seconds: float | None
    warm_seconds: float | None
    way_chosen: str
    obstacle: str
    tried: int
    requests: int = 1
    oracle_way: str
    oracle_seconds: float | None
    lossy: bool
    reason: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """All answers.

    Attributes:
        cells: in the order of the questions.
        seconds: how long all of it took.
    """

    cells: tuple[Tried, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every cell is."""
        return all(cell.ok for cell in self.cells)

    @property
    def reachable(self) -> tuple[Tried, ...]:
        """The cells that some way leads to."""
        return tuple(cell for cell in self.cells if cell.oracle_way)

    @property
    def at_once(self) -> float | None:
        """The share of those that came at the first request; none without any."""
        cells = self.reachable
        return sum(cell.ok and cell.requests == 1 for cell in cells) / len(cells) if cells else None

    @property
    def cold(self) -> float | None:
        """Median first byte at the first request, over the median of the oracle's; none without figures."""
        return self._beside_oracle([cell.first_byte_seconds for cell in self.reachable])

    @property
    def warm(self) -> float | None:
        """The same for the second request."""
        return self._beside_oracle([cell.warm_seconds for cell in self.reachable])

    @property
    def slowest(self) -> float | None:
        """95th percentile of the first byte at the first request, in seconds."""
        found = sorted(cell.first_byte_seconds for cell in self.reachable if cell.first_byte_seconds is not None)
        return found[min(len(found) - 1, int(0.95 * len(found)))] if found else None

    def _beside_oracle(self, ours: Sequence[float | None]) -> float | None:
        pairs = [
            (one, cell.oracle_seconds)
            for one, cell in zip(ours, self.reachable, strict=True)
            if one is not None and cell.oracle_seconds
        ]
        if not pairs:
            return None
        return statistics.median(one for one, _ in pairs) / statistics.median(other for _, other in pairs)


def questions(cells: Iterable[Cell]) -> tuple[Question, ...]:
    """The questions that a plan of the matrix asks, each once, whatever the way."""
    found: dict[tuple[object, ...], Question] = {}
    for cell in cells:
        key = (cell.scenario, cell.vary, cell.network, cell.at, str(cell.target), tuple(map(str, cell.before)))
        found.setdefault(
            key,
            Question(
                scenario=cell.scenario,
                vary=cell.vary,
                network=cell.network,
                at=cell.at,
                target=cell.target,
                before=cell.before,
                wait=cell.wait,
                seed=cell.seed,
                lossy=cell.is_lossy,
                rules=cell.rules,
            ),
        )
    return tuple(one for one in found.values() if one.target.speaks in ("http", "https"))

"""Ask the gateway, and the oracle beside it.

Each question has homes of its own: one for the gateway, which starts without any memory, and one for each way of the
oracle, so that no penalty that one of them earned reaches another. The gateway is the real one on a loopback port; its
client speaks SOCKS5 and checks certificates and pages as a browser would.
"""

from collections.abc import Callable, Sequence
from functools import partial

import anyio
import msgspec
from anyio.abc import SocketAttribute

from rozaneh.core import Attempt, Op, Target
from rozaneh.dialers.registry import build
from rozaneh.finder import Finder, Memory
from rozaneh.gateway import Closed, Event, Gateway, Opened, Refused
from rozaneh.lab import Lab, LabClient
from rozaneh.lab.matrix import Way
from rozaneh.lab.matrix.outcome import outcome_of
from rozaneh.lab.matrix.together import together
from rozaneh.net import Deadlines, Dialer, measure
from rozaneh.net.exchange import http_get, https_get
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.trial.tried import Question, Trial, Tried

__all__ = ["AT_ONCE", "QUICK", "Got", "Progress", "get", "run"]

_REQUESTS = 3
"""How often a page is asked for that does not come and that some way leads to."""
AT_ONCE = 8
"""Few at once, because seconds are compared."""
_LOOPBACK = "127.0.0.1"
_PATIENT = Deadlines(
    connect=5.0, proxy=30.0, tls_handshake=30.0, request=10.0, first_byte=10.0, throughput=30.0, close=0.5
)
"""A client that waits for what the gateway says; of a page that does not begin it is tired as a person would be."""
QUICK = Deadlines(resolve=2.5, connect=2.5, proxy=3.0, tls_handshake=3.0, request=2.5, first_byte=4.0, close=0.5)
_SLOW = Deadlines(resolve=10.0, connect=8.0, proxy=10.0, tls_handshake=8.0, first_byte=10.0, close=0.5)

Progress = Callable[[int, int], None]
"""Called with how many questions are answered, and of how many."""


async def run(
    asked: Sequence[Question],
    lab: Lab,
    ways: Sequence[Way],
    *,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
) -> Trial:
    """Ask all questions.

    Args:
        asked: the questions.
        lab: a running lab whose world holds everything that the scenarios add to it.
        ways: those of the oracle; what leads through servers is given to the gateway as the user's own.
        at_once: how many questions at the same time.
        progress: told about every answer.
    """
    began = anyio.current_time()
    table = _Trials(lab, ways)
    found: dict[int, Tried] = {}
    limit = anyio.CapacityLimiter(at_once)

    async def one(index: int, question: Question) -> None:
        async with limit:
            found[index] = await table.answer(question)
        if progress is not None:
            progress(len(found), len(asked))

    await together(partial(one, index, question) for index, question in enumerate(asked))
    cells = tuple(found[index] for index in range(len(asked)))
    return Trial(cells=cells, seconds=round(anyio.current_time() - began, 3))


class Got(msgspec.Struct, frozen=True):
    """What one request got.

    Attributes:
        outcome: as in the matrix.
        seconds: until it was over.
        first_byte: seconds until the first byte of the page; none without a page.
    """

    outcome: str
    seconds: float
    first_byte: float | None

    def after(self, seconds: float) -> "Got":
        """The same, with the time that went before it."""
        first = None if self.first_byte is None else round(self.first_byte + seconds, 3)
        return Got(outcome=self.outcome, seconds=round(self.seconds + seconds, 3), first_byte=first)


class _Trials:
    def __init__(self, lab: Lab, ways: Sequence[Way]) -> None:
        self._lab = lab
        self._ways = ways
        self._trust = Trust.with_ca(lab.ca_file)

    async def answer(self, question: Question) -> Tried:
        best = await self._oracle(question)
        home = self._home(question)
        try:
            cold, warm, event, requests = await self._through_gateway(question, home, reachable=best is not None)
        finally:
            home.close()
        expected = "ok" if best is not None else None
        reason = ""
        if expected and cold.outcome != expected:
            reason = f"{best[0] if best else ''} leads there"
        elif cold.outcome in ("forged", "block_page", "wrong_content"):
            reason = "something else came in its place"
        observed = cold.outcome
        if isinstance(event, Refused):
            # What a client reads then is the gateway's own page that says why.
            observed, reason = (event.failure or observed), (reason if expected else "")
        return Tried(
            scenario=question.scenario,
            vary=question.vary,
            network=question.network,
            at=question.at,
            target=str(question.target),
            expected=expected,
            observed=observed,
            ok=not reason,
            seconds=cold.seconds,
            first_byte_seconds=cold.first_byte,
            warm_seconds=warm.first_byte if warm is not None else None,
            way_chosen=event.way if isinstance(event, Opened) else "",
            obstacle=event.obstacle if event is not None else "",
            tried=event.tried if event is not None else 0,
            requests=requests,
            oracle_way=best[0] if best else "",
            oracle_seconds=best[1] if best else None,
            lossy=question.lossy,
            reason=reason,
        )

    def _home(self, question: Question) -> LabClient:
        return self._lab.client(
            network=question.network, scenario=question.rules, at=question.at, seed=question.seed, programs=False
        )

    async def _oracle(self, question: Question) -> tuple[str, float] | None:
        """The best way and its seconds to the first byte; none where no way works."""
        found: list[tuple[float, str]] = []
        deadlines = _SLOW if question.lossy else QUICK
        for way in self._ways:
            home = self._home(question)
            try:
                dialer = build(way.spec, home.network, trust=self._trust)
                for target in question.before:
                    await self._get(dialer, target, deadlines)
                await anyio.sleep(question.wait)
                got = await self._get(dialer, question.target, deadlines)
            finally:
                home.close()
            if got.outcome == "ok" and got.first_byte is not None:
                found.append((got.first_byte, way.name))
        return min(found)[::-1] if found else None

    async def _through_gateway(
        self, question: Question, home: LabClient, *, reachable: bool
    ) -> tuple[Got, Got | None, Opened | Refused | None, int]:
        """A request, again if it fails as a person would, one more when it came, and what the gateway tells of it."""
        events: list[Event] = []
        network = RealNetwork()
        listener = await network.listen_tcp(_LOOPBACK, 0)
        finder = Finder(
            home.network,
            ways=[way.spec for way in self._ways if any(element.is_url for element in way.spec)],
            memory=Memory(),
            clock=home.clock,
            trust=self._trust,
            where=lambda: question.network,
        )
        port = listener.extra(SocketAttribute.local_port)
        dialer = build(f"socks5://{_LOOPBACK}:{port}|tcp", network, trust=self._trust)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(Gateway(finder, tell=events.append).serve, listener)
            for target in question.before:
                await self._get(dialer, target, _PATIENT)
            await anyio.sleep(question.wait)
            began = anyio.current_time()
            requests = 0
            while True:
                requests += 1
                events.clear()
                before = anyio.current_time() - began
                cold = await self._get(dialer, question.target, _PATIENT)
                told = next((event for event in events if not isinstance(event, Closed)), None)
                if cold.outcome == "ok" or not reachable or requests == _REQUESTS:
                    break
            warm = await self._get(dialer, question.target, _PATIENT) if cold.outcome == "ok" else None
            tasks.cancel_scope.cancel()
        return cold.after(before), warm, told, requests

    async def _get(self, dialer: Dialer, target: Target, deadlines: Deadlines) -> Got:
        return await get(dialer, target, self._lab, deadlines)


async def get(dialer: Dialer, target: Target, lab: Lab, deadlines: Deadlines = QUICK) -> Got:
    """Ask for a page of the lab's world by one way, and see whether it is the true one."""
    trust = Trust.with_ca(lab.ca_file)
    exchange = https_get(target, trust) if target.speaks == "https" else http_get(target)
    async with await measure(dialer, target, exchange=exchange, deadlines=deadlines) as measured:
        attempt = measured.attempt
    return Got(
        outcome=outcome_of(attempt, target, lab.world.addresses_of),
        seconds=round(attempt.took, 3),
        first_byte=_first_byte(attempt),
    )


def _first_byte(attempt: Attempt) -> float | None:
    """Seconds until the first byte of the page; none without one."""
    steps = [step for step in attempt.steps(Op.FIRST_BYTE) if step.failure is None]
    return round(steps[-1].t0 + steps[-1].took, 3) if steps else None

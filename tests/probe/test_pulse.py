"""A timeout that passed while this process did not get to run is evidence of nothing."""

import time

import anyio
import pytest

from rozaneh.core import Failure, Target
from rozaneh.diagnosis import Evidence, Outcome, Role, Tried, judge
from rozaneh.net import Deadlines
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe.dials import Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.pulse import Pulse

DEAD = Target(host="192.0.2.1", port=443, speaks="raw", addresses=("192.0.2.1",))


@pytest.mark.parametrize(
    ("late", "starved"), [([], False), ([0.01] * 30, False), ([0.3], False), ([0.3, 0.3, 0.3], True), ([2.0], True)]
)
def test_what_counts_as_starved(late: list[float], starved: bool) -> None:
    pulse = Pulse()
    for number, lateness in enumerate(late):
        pulse.beat(100.0 + number / 10, 100.0 + number / 10 + lateness)
    assert pulse.starved(99.0, 102.0) is starved
    assert not pulse.starved(110.0, 112.0), "what was late before does not matter"


@pytest.mark.parametrize("blocks", [True, False])
def test_a_timeout_of_a_process_that_stood_still_is_interrupted(blocks: bool) -> None:
    async def run() -> Failure | None:
        deadlines = Deadlines(connect=0.2)
        network = MemoryNetwork()
        network.black_hole("192.0.2.1", 443)
        dials = Dials(network, Trust(), Pace(), deadlines)
        async with anyio.create_task_group() as group:
            group.start_soon(dials.pulse.run)
            if blocks:
                group.start_soon(_stand_still)
            attempt = await dials.attempt(DEAD, None)
            group.cancel_scope.cancel()
        verdict = judge(Evidence(tried=(Tried(Role.SYSTEM, attempt),), kind="tcp"))
        assert verdict.verdict is Outcome.CANNOT_TELL
        return attempt.failure

    assert anyio.run(run) is (Failure.INTERRUPTED if blocks else Failure.GENERIC_TIMEOUT_ERROR)


async def _stand_still() -> None:
    for _ in range(20):
        time.sleep(0.6)  # noqa: ASYNC251 - standing still is what is tested
        await anyio.sleep(0.01)

"""Silence is believed only where something free was answered well within the same deadline."""

import anyio
import pytest
from trio.testing import MockClock

from rozaneh.lab.matrix.yardstick import Yardstick


async def _measured(slow: float, wanted: float) -> tuple[bool, bool]:
    """Whether a deadline proves silence while each free dial takes so long, and again once they are quick."""
    takes = [slow]

    async def dial() -> None:
        await anyio.sleep(takes[0])

    stick = Yardstick(dial)
    async with anyio.create_task_group() as group:
        began = anyio.current_time()
        group.start_soon(stick.run)
        await anyio.sleep(wanted)
        first = stick.proves(wanted, began)
        takes[0] = 0.01
        await anyio.sleep(slow + 1)
        began = anyio.current_time()
        await anyio.sleep(wanted)
        second = stick.proves(wanted, began)
        group.cancel_scope.cancel()
    return first, second


@pytest.mark.parametrize(("slow", "first"), [(0.2, True), (2.0, False), (50.0, False)])
def test_a_slow_machine_proves_nothing_and_a_quick_one_does(slow: float, first: bool) -> None:
    clock = {"clock": MockClock(autojump_threshold=0)}
    assert anyio.run(_measured, slow, 2.5, backend="trio", backend_options=clock) == (first, True)


def test_nothing_measured_yet_proves_what_was_waited_for() -> None:
    async def never() -> None:
        await anyio.sleep_forever()

    assert Yardstick(never).proves(1.0, 0.0)

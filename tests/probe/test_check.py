"""A check on a machine that is too busy: what could not be told for that reason is examined again."""

from typing import Any

import anyio
import msgspec
import pytest
import trio.testing

from rozaneh.diagnosis import Outcome
from rozaneh.net.clock import SystemClock
from rozaneh.net.memory import MemoryNetwork, echo
from rozaneh.net.trust import Trust
from rozaneh.probe import Service, ServiceResult, check, choose, vantages
from rozaneh.probe.pulse import Pulse

pytestmark = pytest.mark.anyio
ADDRESS = "93.184.216.34"
FIRST_ROUND = 6
"""Dials until nothing can be told: the first and one more, each made three times."""


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@pytest.mark.parametrize(("recovers", "said"), [(True, Outcome.OK), (False, Outcome.CANNOT_TELL)])
async def test_what_was_too_much_is_examined_again(
    monkeypatch: pytest.MonkeyPatch, recovers: bool, said: Outcome
) -> None:
    monkeypatch.setattr(Pulse, "starved", lambda *_, **__: True)
    nobody = msgspec.structs.replace(vantages({}), canary=(), control=(), resolvers=())
    told: list[ServiceResult | None] = []
    async with MemoryNetwork() as network:
        network.serve(ADDRESS, 443, echo)
        connect, dials = network.connect_tcp, 0

        async def busy_at_first(address: str, port: int) -> Any:
            nonlocal dials
            dials += 1
            if not recovers or dials < FIRST_ROUND + 2:
                await anyio.sleep_forever()
            return await connect(address, port)

        monkeypatch.setattr(network, "connect_tcp", busy_at_first)

        def progress(_service: Service, result: ServiceResult | None) -> None:
            told.append(result)

        (result,) = await check(
            choose([f"tcp://{ADDRESS}:443"]), network, Trust(), SystemClock(), nobody, progress=progress
        )
    assert result.verdict.verdict is said, result.verdict
    assert told == [None, result], "a person is told once that it began and once how it ended"

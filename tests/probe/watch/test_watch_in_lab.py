"""The curfew of September 2022 in the lab, with a clock that is turned; and what a light round costs on the wire."""

import random
import struct
from pathlib import Path
from typing import Any

import anyio
import pytest

from rozaneh.lab import Lab, LabClient
from rozaneh.lab.scenario import load_scenario
from rozaneh.net.counting import CountingNetwork
from rozaneh.probe.dials import Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.vantages import vantages
from rozaneh.probe.watch import Deciding, Means, Power, Reach, Round, Rules, watch
from rozaneh.probe.watch.deciding import Event
from rozaneh.probe.watch.light import DEADLINES, Light
from rozaneh.probe.watch.watching import moment_of

MOST = 30_000


def light_of(client: LabClient) -> Light:
    network = CountingNetwork(client.network)
    dials = Dials(network, client.trust, Pace(), DEADLINES)
    return Light(dials, vantages({"ROZANEH_LAB": "x"}), lambda: network.spent, random.Random(7))


def bytes_in(pcap: Path) -> int:
    """Bytes of all packets in a capture, as they were on the wire."""
    data, at, found = pcap.read_bytes(), 24, 0
    while at + 16 <= len(data):
        kept, length = struct.unpack_from("<II", data, at + 8)
        found += length
        at += 16 + kept
    return found


@pytest.mark.timeout(300)
@pytest.mark.namespaces
def test_a_curfew_begins_and_ends_and_each_is_seen_by_the_next_light_round(tmp_path: Path) -> None:
    """Every round of the evening, with the clock turned past 16:00 and past midnight between rounds."""
    capture = tmp_path / "all.pcap"
    told: list[Event | Round] = []
    sizes: list[int] = []
    with Lab(pcap=capture) as lab:
        client = lab.client("mobile", load_scenario("mobile-curfew"), at="15:59:00", programs=False)
        light = light_of(client)
        turns = {2: "16:00:05", 4: "23:59:00", 5: "2022-09-22T00:00:05"}

        async def one() -> Round:
            made = len(sizes)
            if made in turns:
                client.set_clock(turns[made])
            before = bytes_in(capture)
            seen = await light.round()
            await anyio.sleep(0.3)
            sizes.append(bytes_in(capture) - before)
            return seen

        async def full() -> int:
            return 0

        deciding = Deciding(Rules(every=0.1, grace=0.1, jump=60.0, per_day=10**9), random.Random(1))

        async def evening() -> None:
            means = Means(one, full, lambda: moment_of(client.clock), Power)
            await watch(deciding, means, told.append, rounds=7)

        anyio.run(evening)
    rounds = [each for each in told if isinstance(each, Round)]
    reaches = [each.reach for each in rounds]
    assert reaches == [Reach.OPEN] * 2 + [Reach.DOMESTIC_ONLY] * 3 + [Reach.OPEN] * 2, rounds
    changes: list[Any] = [each for each in told if isinstance(each, Event) and each.event == "changed"]
    assert [change.state.reach for change in changes] == [Reach.DOMESTIC_ONLY, Reach.OPEN]
    assert [change.time.hour for change in changes] == [16, 0]
    assert all(each.dns for each in rounds[:2])
    assert rounds[0].udp
    assert all(each.rate is not None for each in rounds if each.reach is Reach.OPEN)
    assert max(sizes) < MOST, sizes
    assert all(size > 1000 for size in sizes), "the capture was written"
    # What is taken off the budget is not less than what was spent.
    assert all(seen.cost >= size for seen, size in zip(rounds, sizes, strict=True)), (rounds, sizes)

"""Active probes: ordered by a censor, run from the censor's host, told back to the censor."""

import asyncio
import secrets
import socket

import anyio
import msgspec
import pytest

from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab
from rozaneh.lab.loopback.addresses import LoopbackSockets
from rozaneh.lab.ns.messages import ProbeOrder, ProbeReport
from rozaneh.lab.scenario import load_scenario
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.prober import Prober
from tests.lab.world.conftest import SECONDS, Served


def _prober(served: Served) -> Prober:
    sources = {name: host.addresses[0] for name, host in served.world.host.items()}
    return Prober(Dialler(Directory(served.world), LoopbackSockets(served.addresses, sources)))


@pytest.mark.parametrize(
    ("wanted", "results"),
    [
        (("connect", "93.184.216.34", 443, b""), {"open"}),
        (("connect", "93.184.216.37", 443, b""), {"refused"}),
        (("tls", "93.184.216.34", 443, b""), {"open", "answers", "tls"}),
        (("http", "93.184.216.34", 80, b""), {"open", "answers", "http"}),
        (("replay", "45.76.10.21", 443, b"again"), {"open", "answers"}),
        (("replay", "93.184.216.34", 80, b"nonsense\r\n\r\n"), {"open", "closes"}),
        (("random", "45.76.10.11", 8388, secrets.token_bytes(221)), {"open", "silent"}),
    ],
)
def test_a_probe_tells_what_answers(served: Served, wanted: tuple[str, str, int, bytes], results: set[str]) -> None:
    kind, address, port, payload = wanted
    order = ProbeOrder(token=7, kind=kind, address=address, port=port, payload=payload)
    report = asyncio.run(_prober(served).probe(order))
    assert (report.token, set(report.results)) == (7, results)


def test_orders_come_and_reports_go_over_a_socket_and_nonsense_is_passed_over(served: Served) -> None:
    async def talk() -> ProbeReport:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            for end in (ours, theirs):
                end.setblocking(False)  # noqa: FBT003 - the system's own signature
            obeying = asyncio.create_task(_prober(served).obey(theirs))
            order = ProbeOrder(token=3, kind="connect", address="93.184.216.34", port=443)
            ours.send(b"nonsense")
            ours.send(msgspec.msgpack.encode(order))
            async with asyncio.timeout(SECONDS):
                report = await asyncio.get_running_loop().sock_recv(ours, 4096)
            ours.shutdown(socket.SHUT_WR)
            await obeying
            return msgspec.msgpack.decode(report, type=ProbeReport)

    assert asyncio.run(talk()) == ProbeReport(token=3, results=("open",))


@pytest.mark.parametrize("tier", ["T0", pytest.param("T1", marks=pytest.mark.namespaces)])
def test_a_server_that_answers_a_replay_is_dead_afterwards(tier: str) -> None:
    scenario = msgspec.structs.replace(load_scenario("relays-probed"), tier="streams")
    with Lab(tier=tier) as lab, lab.client("mobile", scenario) as home:
        assert anyio.run(_echoes, home)
        assert anyio.run(_dies, home)


async def _echoes(home: LabClient) -> bool:
    stream = await home.network.connect_tcp("45.76.10.21", 443)
    async with stream:
        await stream.send(secrets.token_bytes(100))
        with anyio.move_on_after(2):
            return bool(await stream.receive())
    return False


async def _dies(home: LabClient) -> bool:
    for _ in range(40):
        with anyio.move_on_after(0.3) as patience:
            await (await home.network.connect_tcp("45.76.10.21", 443)).aclose()
        if patience.cancelled_caught:
            return True
        await anyio.sleep(0.1)
    return False

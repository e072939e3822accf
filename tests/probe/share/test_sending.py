"""From a measurement on a censored line to a collector: directly, past a block, again after an end, and by hand."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from rozaneh.core import Failure, LocalFault
from rozaneh.dialers import build
from rozaneh.finder import Finder, Found
from rozaneh.lab import Lab, LabClient
from rozaneh.lab.scenario import load_scenario, parse_scenario
from rozaneh.net.memory import MemoryNetwork, silence
from rozaneh.net.trust import Trust
from rozaneh.probe.share.collector import Collector, parse_url
from rozaneh.probe.share.private import Private
from rozaneh.probe.share.waiting import Waiting
from tests.probe.share.test_waiting import NOW, PRIVATE, measurement
from tools import documented

ROZANEH = str(Path(sys.executable).with_name("rozaneh"))
COLLECTOR = "https://collector.example/"
BLOCKED = """
title = "Names of two sites are reset"
[[rule]]
match = { tls.sni.suffix = ["blocked.example", "collector.example"] }
action = { reset = true }
"""


def rozaneh(client: LabClient, home: Path, *arguments: str, **options: Any) -> Any:
    environment = {"HOME": str(home), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "", "LANG": "C.UTF-8"}
    return client.run([ROZANEH, *arguments], env=environment, timeout=80, **options)


def collected(lab: Lab) -> list[dict[str, Any]]:
    done = lab.host("control").run(["curl", "-sS", "-m", "20", f"{COLLECTOR}collected"], timeout=30)
    return [json.loads(line) for line in done.stdout.splitlines()]


def never_holds(data: bytes, client: LabClient) -> bool:
    """Whether the addresses of a client, and the name of this machine, are in no bytes."""
    names = [*client.addresses, os.uname().nodename]
    return not any(name.encode() in data for name in names if len(name) > 3)


@pytest.mark.timeout(300)
@pytest.mark.namespaces
def test_a_measurement_reaches_the_collector_though_that_is_blocked(tmp_path: Path) -> None:
    """Runs every command of the page that says how, in its order, where the collector is blocked as well."""
    page = [shown.text for shown in documented.commands() if shown.path == "docs/howto/share-a-measurement.md"]
    ran: dict[str, Any] = {}
    with Lab() as lab:
        client = lab.client("mobile", parse_scenario(BLOCKED))
        assert rozaneh(client, tmp_path, "check", "https://example.org/", "--json").returncode == 0
        assert not (tmp_path / ".local").exists(), "nothing is kept before it was agreed to"
        for command in page:
            program, *arguments = command.split()
            if program != "rozaneh":
                continue  # setting up, and entering the lab, where this test is already
            done = rozaneh(client, tmp_path, *arguments, cwd=tmp_path)
            expected = 1 if arguments[1] == "import" else 0  # what was sent is not taken in again
            assert done.returncode == 0 or (expected and "was taken in" in done.stdout), (command, done)
            ran[command] = done
            assert arguments[0] == "check" or never_holds(done.stdout.encode(), client), command
        taken = collected(lab)
    submit = next(done for command, done in ran.items() if "submit" in command and "--dry-run" not in command)
    assert "2 measurements were sent" in submit.stdout
    assert "finder" in submit.stdout
    shown = next(done.stdout for command, done in ran.items() if "--dry-run" in command).splitlines()
    assert [{**each, "report_id": ""} for each in taken] == [json.loads(line) for line in shown]
    assert never_holds(json.dumps(taken).encode(), client)
    verdicts = {each["input"]: each["annotations"]["rozaneh_verdict"] for each in taken}
    assert verdicts == {"https://blocked.example/": "blocked", "https://example.org/": "ok"}
    assert all(each["measurement_start_time"].endswith(":00:00") for each in taken)
    assert {(each["probe_asn"], each["probe_cc"]) for each in taken} == {("AS197207", "IR")}, "as was agreed to"
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["carry.jsonl.gz"], "forgetting leaves what the user packed, and nothing else"


@pytest.mark.timeout(300)
@pytest.mark.namespaces
def test_while_nothing_is_open_it_waits_and_is_carried(tmp_path: Path) -> None:
    with Lab() as lab:
        cut = lab.client("mobile", load_scenario("mobile-curfew"), at="17:00")
        free = lab.client("fixed")
        here, there = tmp_path / "here", tmp_path / "there"
        held = Waiting(here / ".local" / "state" / "rozaneh" / "share")
        held.keep(measurement(), PRIVATE, NOW)
        for home, client in ((here, cut), (there, free)):
            assert rozaneh(client, home, "consent", "--yes", "--category", "sharing").returncode == 0
        failed = rozaneh(cut, here, "share", "submit", "--to", COLLECTOR, "--json")
        assert failed.returncode == 1, failed.stderr
        assert json.loads(failed.stdout)["left"] == 1
        file = str(tmp_path / "carry.jsonl.gz")
        assert rozaneh(cut, here, "share", "bundle", file).returncode == 0
        taken = rozaneh(free, there, "share", "import", file)
        assert taken.returncode == 0, taken.stderr
        assert rozaneh(free, there, "share", "submit", "--to", COLLECTOR).returncode == 0
        assert [each["input"] for each in collected(lab)] == ["https://site-1.example/"]
        assert rozaneh(free, there, "share", "forget").returncode == 0
        assert list((there / ".local" / "state" / "rozaneh").glob("share")) == []


@pytest.mark.timeout(300)
@pytest.mark.namespaces
def test_an_end_between_sending_and_noting_it_sends_twice_and_is_taken_once(tmp_path: Path) -> None:
    with Lab() as lab:
        client = lab.client("fixed", programs=False)
        held = Waiting(tmp_path / "share")
        kept = held.read(held.keep(measurement(), PRIVATE, NOW))
        for number in (2, 3):
            held.keep(measurement(number), PRIVATE, NOW)
        collector = Collector(COLLECTOR, client.trust, (build("tcp", client.network, trust=client.trust),))

        async def send() -> Any:
            return await collector.send_all(held, PRIVATE)

        assert len(anyio.run(send).sent) == 3
        again = Waiting(tmp_path / "again")
        again.take_in(kept)
        (again.folder / "reports.json").write_text(json.dumps({COLLECTOR: {"x": "closed"}}))

        async def send_again() -> Any:
            return await collector.send_all(again, PRIVATE)

        assert len(anyio.run(send_again).sent) == 1
        assert len(collected(lab)) == 3


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_where_no_way_leads_everything_stays(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    held.keep(measurement(), PRIVATE, NOW)
    async with MemoryNetwork(names={"collector.example": ["45.76.10.41"]}) as network:
        ways = (build("tcp", network), Found(Finder(network, trust=Trust())))
        done = await Collector(COLLECTOR, Trust(), ways).send_all(held, PRIVATE)
        assert done.failure is Failure.CONNECTION_REFUSED
        network.serve("45.76.10.41", 443, silence)
    assert (done.sent, done.left, len(list(held))) == ((), 1, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_what_turns_out_private_later_does_not_leave(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    held.keep(measurement(body="also 5.202.13.200"), PRIVATE, NOW)
    async with MemoryNetwork() as network:
        collector = Collector(COLLECTOR, Trust(), (build("tcp", network),))
        done = await collector.send_all(held, Private.of(["5.202.13.200"]))
        assert (done.sent, done.left, done.failure) == ((), 1, None)
        assert "still holds an address or a name of yours" in done.withheld[0]
        assert network.connections == []


@pytest.mark.parametrize("url", ["", "ftp://x/", "http://collector.example/", "collector example", "tcp://x:1"])
def test_only_an_encrypted_collector_is_one(url: str) -> None:
    with pytest.raises(LocalFault):
        parse_url(url)

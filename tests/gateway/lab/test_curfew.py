"""An evening with a curfew in the lab, from before it to after it, by a clock that the gateway follows."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import BLOCKED, NAME_IN_DNS, PROXY, UPSTREAM, Home
from tests.gateway.test_curfew import watched

pytestmark = pytest.mark.namespaces

EVENING = """
title = "A name is reset all day, and in the evening all but one server abroad is cut off"
about = "For this test: a cut that forgot somebody's server."
clock = { start = "2022-09-21T15:20" }

[[source]]
url = "https://ooni.org/post/2022-iran-technical-multistakeholder-report/"
date = "2022-11-29"

[[knob]]
path = "rule[1].match.not"
why = "one server that is left, so that there is something to go on by"

[[rule]]
at = "border"
mode = "in-path"
[rule.match]
time = { from = "16:00", to = "24:00" }
not = [{ destination.address = ["45.76.10.11"] }, { source.address = ["45.76.10.11"] }]
[rule.action]
null_route = { direction = "both" }

[[rule]]
at = "border"
mode = "on-path"
match = { direction = "out", protocol = "tcp", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow", reassembly = { tcp = "first-wins", records = false } }
action = { reset = { to = ["client", "server"], flags = "rst+ack" } }

[[expect]]
way = "plain"
outcome = "connection_reset"
"""
DOMESTIC = "https://domestic.example/"
SERVER = "ss://***@45.76.10.11:8388|tcp"
CUT = "Nothing abroad answers: only the domestic network seems to be left."


class Evening(Home):
    """A home in which the evening passes."""

    folder: Path

    def way(self, url: str) -> str:
        """By which way curl gets a page."""
        assert self.curl(*PROXY, url) == (0, "200"), url
        return str(self.event()["way"])

    def rozaneh(self, *arguments: str) -> str:
        argv = [sys.executable, "-m", "rozaneh.cli", *arguments, "--lang", "en", "--state", str(self.folder / "state")]
        done = self.client.run(argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self) -> str:
        return self.rozaneh("status")

    def done(self, what: str) -> dict[str, object]:
        """What was prepared or fetched."""
        while (event := self.next())["event"] != what:
            pass
        return event


@pytest.fixture
def evening(lab: Lab, peer: Callable[[str], str], tmp_path: Path) -> Iterator[Evening]:
    (tmp_path / "evening.toml").write_text(EVENING)
    client = lab.client("mobile", load_scenario(str(tmp_path / "evening.toml")))
    home = Evening(client, peer("curl"))
    home.folder = tmp_path
    file = watched(tmp_path / "evening.jsonl", client.clock.now())
    (tmp_path / "list").write_text(f"{BLOCKED}\nhttps://example.org/\n")
    try:
        home.start(
            "--state", str(tmp_path / "state"), "--way", UPSTREAM, "--watched", str(file),
            "--keep", str(tmp_path / "list"), "--keep-in", str(tmp_path / "kept"),
        )  # fmt: skip
        yield home
    finally:
        home.stop()
        client.close()


def test_before_it_what_works_is_warmed_during_it_it_goes_on_by_that_and_after_it_as_ever(
    evening: Evening, lab: Lab, pcap: Path
) -> None:
    usual = evening.way(BLOCKED)
    assert "tlsfrag:" in usual
    lab.counters()
    before = pcap.stat().st_size
    assert len(evening.events) == 2, "at twenty past three nothing is done yet"

    evening.client.set_clock("15:45")
    done = evening.done("prepared")
    assert (done["ways"], done["of"], done["kept"], done.get("missed", 0)) == (1, 1, 2, 0)
    assert "T16:00:00" in str(done["start"])
    assert len([path for path in (evening.folder / "kept").iterdir() if path.stat().st_size]) == 2
    assert "from 16:00 to 24:00" in evening.told()

    evening.client.set_clock("16:00:10")
    assert evening.way(BLOCKED) == SERVER
    assert evening.way(DOMESTIC) == "tcp"
    evening.rozaneh("keep", "https://example.org/later")
    told = evening.told()
    assert "1 entry to be kept waits until the line abroad is there." in told
    assert "At this hour the line abroad is usually cut here, until about 24:00." in told
    assert "Through your server" in told

    lab.load(evening.client, load_scenario("shutdown-domestic-stays"))
    said = []
    while "domestic_only" not in said:  # whether anything answers is looked at again after ten seconds
        assert evening.curl(*PROXY, BLOCKED)[0] != 0
        said.append(evening.event().get("obstacle"))
        assert len(said) < 4, said
    assert evening.way(DOMESTIC) == "tcp"
    assert evening.told().splitlines()[0] == CUT
    lab.load(evening.client, load_scenario(str(evening.folder / "evening.toml")), at="23:00")

    evening.client.set_clock("2022-09-22T00:00:10+04:30")
    assert evening.done("fetched")["kept"] == 1, "what was held comes when the cut is over"
    assert evening.way(BLOCKED) == usual
    assert evening.way("https://example.org/") == "tcp"
    assert "from 16:00 to 24:00" in evening.told()

    lab.counters()
    after = pcap.read_bytes()[before:]
    assert len(after) > 20_000, "the capture runs"
    assert b"blocked.example" not in after, "neither a ClientHello nor a request shows it whole"
    assert NAME_IN_DNS not in after

"""An evening with a curfew in the lab: what was fetched before it is there when nothing abroad answers."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import BLOCKED, PROXY, UPSTREAM, Home
from tests.gateway.test_curfew import watched

pytestmark = pytest.mark.namespaces


def test_a_quarter_before_the_usual_hour_servers_are_tried_and_the_list_is_fetched(
    lab: Lab, peer: Callable[[str], str], tmp_path: Path
) -> None:
    client = lab.client("mobile", load_scenario("mobile-curfew"), at="15:45")
    file = watched(tmp_path / "evening.jsonl", client.clock.now())
    (tmp_path / "list").write_text(f"{BLOCKED}\nhttps://example.org/\n")
    home = Home(client, peer("curl"))
    try:
        home.start(
            "--state", str(tmp_path / "state"), "--way", UPSTREAM, "--watched", str(file),
            "--keep", str(tmp_path / "list"), "--keep-in", str(tmp_path / "kept"),
        )  # fmt: skip
        while home.events[-1]["event"] != "prepared":
            home.next()
        done = home.events[-1]
        client.set_clock("17:00")
        assert home.curl("-m", "3", *PROXY, BLOCKED)[0] != 0, "the line abroad is cut"
        argv = [sys.executable, "-m", "rozaneh.cli", "status", "--json", "--state", str(tmp_path / "state")]
        look = json.loads(client.run(argv).stdout)
    finally:
        home.stop()
        client.close()
    assert (done["ways"], done["of"], done["kept"], done.get("missed", 0)) == (1, 1, 2, 0)
    assert "T16:00:00" in str(done["start"])
    assert look["prepared"]["kept"] == 2
    assert len([path for path in (tmp_path / "kept").iterdir() if path.stat().st_size]) == 2

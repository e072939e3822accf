"""``rozaneh watch`` as a person runs it, in the lab: lines, JSON, a file to go on from."""

import json
import sys
from pathlib import Path

import pytest

from rozaneh.lab import Lab
from rozaneh.lab.scenario import load_scenario

ROZANEH = str(Path(sys.executable).with_name("rozaneh"))


@pytest.mark.timeout(240)
@pytest.mark.namespaces
def test_it_says_what_it_sees_and_goes_on_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with Lab() as lab:
        client = lab.client("mobile", load_scenario("mobile-curfew"), at="15:00")
        watched = [ROZANEH, "watch", "--light-only", "--every", "2", "--rounds", "1"]
        before = set(tmp_path.iterdir())
        done = client.run(watched, env={"HOME": str(tmp_path), "ROZANEH_LANG": "en"}, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("15:00 The line is open"), done.stdout
        assert set(tmp_path.iterdir()) == before, "nothing is written unless asked"
        stored = [*watched, "--json", "--store", str(file)]
        first = client.run(stored, env={"HOME": str(tmp_path)}, timeout=60)
        assert [json.loads(line)["event"] for line in first.stdout.splitlines()] == ["round", "started"], first
        client.set_clock("17:00")
        then = client.run(stored, env={"HOME": str(tmp_path)}, timeout=60)
        events = [json.loads(line) for line in then.stdout.splitlines()]
        assert [event["event"] for event in events] == ["round", "changed"], then
        assert events[1]["state"]["reach"] == "domestic_only"
        assert events[1]["before"]["reach"] == "open"
        assert events[0]["cost"] < 30_000
        assert file.read_text() == first.stdout + then.stdout
        persian = client.run([*watched, "--lang", "fa"], env={"HOME": str(tmp_path)}, timeout=60)
        assert "راهِ خارج قطع است" in persian.stdout
        client.set_clock("08:00")
        full = [*watched[:2], "https://example.org/bytes/99", *watched[3:], "--remember", "--per-day", "9999"]
        opened = client.run(full, env={"HOME": str(tmp_path), "XDG_STATE_HOME": ""}, timeout=60)
        assert opened.returncode == 0, opened.stderr
        assert (tmp_path / ".local" / "state" / "rozaneh" / "controls.json").exists(), "kept where that was asked for"

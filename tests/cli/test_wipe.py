"""``rozaneh wipe`` and ``rozaneh proxy`` without a gateway, as a person runs them."""

import json
from pathlib import Path

from tests.cli.test_up import rozaneh


def test_it_is_removed_when_that_was_said_and_not_before(tmp_path: Path) -> None:
    for name in ("memory.sqlite", "key", "ways.jsonl", "mine"):
        (tmp_path / name).write_text("x")
    unsure = rozaneh("wipe", "--state", str(tmp_path))
    assert unsure.returncode == 1
    assert len(list(tmp_path.iterdir())) == 4, "nobody said yes"
    done = rozaneh("wipe", "--yes", "--servers", "--json", "--state", str(tmp_path))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"removed": 3, "left": []})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_without_a_gateway_no_desktop_is_set_to_it(tmp_path: Path) -> None:
    where = {"XDG_CURRENT_DESKTOP": "sway"}
    refused = rozaneh("proxy", "on", "--state", str(tmp_path), **where)
    assert refused.returncode == 2
    assert refused.stderr == "rozaneh: No gateway runs here. Start it by: rozaneh up\n"
    off = rozaneh("proxy", "off", "--state", str(tmp_path), **where)
    assert off.returncode == 0
    assert "unset http_proxy" in off.stdout

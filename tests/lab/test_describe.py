from pathlib import Path

import pytest

from rozaneh.lab.describe import expectation_line, rule_lines
from rozaneh.lab.scenario import load_scenario

CENSOR = """
[[rule]]
mode = "on-path"
reaction_time = "20ms"
match = { http.keyword = "falun", time = { from = "16:00", to = "24:00" } }
state = { reassembly = { tcp = "none" } }
action = { mark = { name = "bad", on = "source", seconds = 60 }, reset = {} }

[[expect]]
client = "curl -4"
target = "https://blocked.example/"
after = ["http://example.org/falun"]
wait = 2
outcome = "generic_timeout_error"

[[expect]]
client = "curl"
target = "https://blocked.example/"
after = ["http://example.org/falun"]
outcome = "ok"
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(CENSOR)
    return path


def test_a_rule_is_shown_as_it_was_meant(scenario_file: Path) -> None:
    (rule,) = load_scenario(str(scenario_file)).rules
    where, looks, remembers, does = rule_lines(rule)
    assert where == "rule: at border, beside the path, 0.02 s after it saw"
    assert "http.keyword 'falun'" in looks
    assert "time.from 16:00; time.to 24:00" in looks
    assert "reassembly by default" in remembers
    assert "mark (name bad, seconds 60)" in does
    assert "reset by default" in does


def test_expectations_that_differ_by_the_wait_alone_are_told_apart(scenario_file: Path) -> None:
    later, at_once = map(expectation_line, load_scenario(str(scenario_file)).expect)
    assert "2 s after http://example.org/falun" in later
    assert "right after http://example.org/falun" in at_once

"""``rozaneh check`` as a person uses it, in the lab."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rozaneh.lab import Lab, LabClient
from rozaneh.lab.scenario import load_scenario
from tests.probe.test_results import KEYS
from tests.probe.test_services import GOOD

pytestmark = pytest.mark.namespaces


@pytest.fixture(scope="module")
def home() -> Iterator[LabClient]:
    with Lab() as lab:
        yield lab.client("mobile", load_scenario("sni-reset"))


def run(home: LabClient, *arguments: str) -> tuple[int, str, str]:
    done = home.run([sys.executable, "-m", "rozaneh.cli", *arguments])
    return done.returncode, done.stdout, done.stderr


def test_one_sentence_for_each_service_and_a_sum(home: LabClient) -> None:
    status, out, err = run(
        home, "check", "https://blocked.example/", "example.org", "https://refuses.example/", "--lang", "en"
    )
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert "https://example.org/ works here." in lines
    blocked = next(line for line in lines if line.startswith("https://blocked.example/"))
    assert "is blocked on this network: connections are cut as soon as its name appears." in blocked
    assert "[how: reset after the name in the TLS handshake; step: tls; by: the state or the network;" in blocked
    refused = next(line for line in lines if line.startswith("https://refuses.example/"))
    assert "itself refuses visitors from this country. This is not the filter." in refused
    assert lines[-1] == "1 of 3 work here."


def test_persian_has_the_same_facts_and_its_own_digits(home: LabClient) -> None:
    status, out, _ = run(home, "check", "https://blocked.example/", "--lang", "fa")
    assert status == 0
    assert "فیلتر است" in out
    assert "۰ از ۱" in out
    assert not re.search(r"[0-9]", re.sub("\u2068[^\u2069]*\u2069", "", out)), "Latin digits stand in isolates alone"


def test_json_has_the_keys_that_others_rely_on(home: LabClient) -> None:
    status, out, _ = run(home, "check", "https://blocked.example/", "--json")
    assert status == 0
    (made,) = json.loads(out)
    assert made.keys() >= KEYS
    assert (made["verdict"], made["mechanism"], made["who"]) == ("blocked", "tls_name_reset", "state")
    assert made["evidence"]["rules"][0] == "tls-reset-by-name"
    assert made["evidence"]["endpoints"][0]["attempts"]
    assert made["sentence"].startswith("https://blocked.example/ is blocked")


def test_services_of_ones_own(home: LabClient, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD, encoding="utf-8")
    status, out, _ = run(home, "check", "--services", str(file), "--lang", "en")
    assert (status, out.splitlines()[0]) == (0, "Mine works here.")
    file.write_text(GOOD.replace("reason =", "season ="), encoding="utf-8")
    status, out, err = run(home, "check", "--services", str(file))
    assert (status, out) == (2, "")
    assert err.startswith("rozaneh: mine.toml: ")
    assert "`season`" in err
    assert err.count("\n") == 1

"""``rozaneh check`` as a person uses it, in the lab."""

import json
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rozaneh.lab import Lab, LabClient
from rozaneh.lab.scenario import load_scenario
from rozaneh.probe.experiments import EXPERIMENTS
from tests.probe.test_results import KEYS
from tests.probe.test_services import GOOD

pytestmark = pytest.mark.namespaces


@pytest.fixture(scope="module")
def home() -> Iterator[LabClient]:
    with Lab() as lab:
        yield lab.client("mobile", load_scenario("sni-reset"))


def run(home: LabClient, *arguments: str, **options: Any) -> tuple[int, str, str]:
    done = home.run([sys.executable, "-m", "rozaneh.cli", *arguments], **options)
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


@pytest.mark.timeout(200)
def test_every_experiment_by_its_name(home: LabClient, tmp_path: Path) -> None:
    """All of them as programs of one customer, a few at a time; ``tor`` is a script that says that it has started."""
    script = tmp_path / "tor"
    script.write_text("#!/bin/sh\necho '[notice] Bootstrapped 100% (done): Done'\nexec sleep 60\n")
    script.chmod(0o755)
    names = [each.name for each in EXPERIMENTS]

    def one(name: str) -> tuple[int, str, str]:
        place = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        return run(home, "check", "--experiment", name, "--json", env={"PATH": place}, timeout=120.0)

    with ThreadPoolExecutor(5) as pool:
        made = dict(zip(names, pool.map(one, names), strict=True))
    for name, (status, out, err) in made.items():
        assert (status, err) == (0, ""), (name, err)
        (found,) = json.loads(out)
        assert found["experiment"] == name
        assert found["sentences"], name
        assert found["keys"], name
        assert (found["verdict"] in ("ok", "cannot_tell"), found["who"]) != (False, "state"), (name, found["sentences"])
    assert json.loads(made["tor"][1])[0]["keys"]["bootstrap"]["success"] is True


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

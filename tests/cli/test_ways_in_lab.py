"""A person with a link and the README, behind a censor of the lab."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from rozaneh.lab import Lab
from rozaneh.lab.scenario import load_scenario

pytestmark = pytest.mark.namespaces

_PASTED = "۱. ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388#friend\n"
_SITE = "https://blocked.example/"
_README = Path(__file__).parents[2] / "README.md"


def commands(section: str) -> list[str]:
    """What the README tells to type, in order."""
    text = _README.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\$ (.+)$", text, re.MULTILINE)


def test_what_the_readme_says_is_all_that_a_person_with_one_link_has_to_type(tmp_path: Path) -> None:
    setup, activate, *typed = commands("Use it")
    assert (setup, activate) == ("make setup", ". .venv/bin/activate")
    persian = typed[typed.index(setup) :]
    assert [line.replace(" --lang fa", "") for line in persian] == [setup, activate, *typed[:2], "rozaneh proxy on"]
    here = {
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": "",
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],
        "ROZANEH_LANG": "en",
    }
    assert typed[1] == "rozaneh ways add --file -"
    with Lab() as lab, lab.client("mobile", load_scenario("address-drop")) as client:

        def run(line: str, text: str | None = None) -> str:
            """In a shell, as a person does; the site that is blocked in the lab stands for the one of the README."""
            words = ["sh", "-c", line.replace("https://www.instagram.com/", _SITE)]
            done = client.run(words, text=text, env=here)
            assert done.returncode == 0, (line, done.stderr)
            return done.stdout

        started = run(typed[0])
        stop = re.search(r"kill \d+", started)
        assert stop, started
        try:
            added = run(typed[1], text=_PASTED)
            assert "friend: ss at 45.76.10.11:8388" in added
            assert "uses it from now on" in added
            assert "blocked.example, paragraph 24" in run(typed[2])
            looked = run("rozaneh status")
            assert "Through your server ss://***@45.76.10.11:8388" in re.sub("[\u2066-\u2069]", "", looked)
            assert json.loads(run(f"rozaneh ways test --target {_SITE} --json"))[0]["ok"]
            run("rozaneh ways remove friend")
            assert json.loads(run("rozaneh status --json"))["servers"] == 0, "what is removed is not used any more"
        finally:
            run(stop[0])

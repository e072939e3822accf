"""``rozaneh ways`` as a person types it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rozaneh.cli.main import main

SS = "ss://YWVzLTEyOC1nY206Z2VoZWlt@192.168.100.1:8888#Example1"


class Result(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Ways = Callable[..., Result]


@pytest.fixture
def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ways:
    """Runs the command in this process, with its state in the test's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ROZANEH_LANG", "en")

    def run(*arguments: str, given: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["rozaneh", "ways", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 0
        said = capsys.readouterr()
        return Result(status, said.out, said.err)

    return run


def test_a_way_is_added_listed_shared_and_removed(tmp_path: Path, ways: Ways) -> None:
    listed = f"{SS}\nnonsense\nexec:sh -c id\n"
    added = ways("add", "--file", "-", "--json", given=listed)
    assert added.returncode == 0
    told = json.loads(added.stdout)
    assert [each["name"] for each in told["added"]] == ["Example1"]
    assert [each["place"] for each in told["left_out"]] == ["line 2", "line 3"]
    shown = ways("list", "--json")
    assert json.loads(shown.stdout)[0]["way"] == "ss://***@192.168.100.1:8888|tcp"
    plain = ways("list", "--lang", "fa")
    for output in (added, shown, plain):
        assert "Z2VoZWlt" not in output.stdout + output.stderr
    shared = ways("share", "Example1", "--qr", "--qr-file", str(tmp_path / "way.svg"))
    assert shared.stdout.splitlines()[0] == SS
    assert "<svg" in (tmp_path / "way.svg").read_text()
    assert ways("remove", "Example1").returncode == 0
    assert json.loads(ways("list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["add"], 2, "--file"),
        (["add", "nonsense"], 1, "Left out, link 1"),
        (["add", "--exec", "program"], 2, "{port}"),
        (["add", "--file", "/nonexistent"], 2, "cannot read"),
        (["remove", "x"], 2, "no way is called 'x'"),
        (["share", "x"], 2, "no way is called 'x'"),
        (["test"], 2, "No way is kept yet"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], status: int, said: str, ways: Ways) -> None:
    result = ways(*arguments)
    assert result.returncode == status
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dry_run_keeps_nothing(tmp_path: Path, ways: Ways) -> None:
    assert "Example1" in ways("add", "--dry-run", SS).stdout
    assert list(tmp_path.rglob("*")) == []


def test_a_way_that_leads_nowhere_is_told_apart(ways: Ways) -> None:
    ways("add", "socks5://127.0.0.1:1#dead")
    result = ways("test", "--target", "http://127.0.0.1:9/", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)[0]["failure"] == "connection_refused"

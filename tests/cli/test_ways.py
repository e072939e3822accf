"""``rozaneh ways`` as a person types it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rozaneh.cli.main import main
from rozaneh.links.parts import split
from tests.photos import photo

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
        (["add", "decoy:a..b|tcp"], 1, "Left out, decoy:a..b|tcp: element 1"),
        (["add", "--file", "/nonexistent"], 2, "cannot read"),
        (["add", "--qr", "/nonexistent"], 2, "cannot read"),
        (["add", "--qr", "/dev/null"], 2, "cannot read"),
        (["add", "--qr", __file__], 1, "Left out, " + __file__),
        (["add", "--exec", "--qr", "a.png", "program"], 2, "apart"),
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


def test_a_key_of_this_device_is_named_by_its_owner_and_by_no_link(tmp_path: Path, ways: Ways) -> None:
    host_key = "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIMH9BxcgBr2pQdsvIuvYpSIpcSJZekZYWuan1YLTW7mw"
    link, key = f"ssh://me@192.168.100.1?hostkey={host_key}", tmp_path / "id"
    key.write_text("a key")
    kept = tmp_path / "rozaneh" / "ways.jsonl"
    by_link = ways("add", "--json", f"{link}&key={key}")
    assert json.loads(by_link.stdout)["added"][0]["unknown"] == ["key"]
    assert ways("remove", json.loads(by_link.stdout)["added"][0]["name"]).returncode == 0
    assert ways("add", "--key", str(key), link).returncode == 0
    (line,) = map(json.loads, kept.read_text().splitlines())
    assert line["text"].endswith(f"&key={key}")
    assert str(key) not in ways("list").stdout
    name = json.loads(ways("list", "--json").stdout)[0]["name"]
    shared = ways("share", name, "--qr-file", str(tmp_path / "way.svg"))
    assert shared.stdout == f"ssh://me@192.168.100.1:22?hostkey={host_key}\n"
    assert "Your key to the server stays here" in shared.stderr
    assert ways("add", "--key", str(key), SS).returncode == 2
    wrong = ways("add", "--key", str(tmp_path / "none"), link)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_a_picture_of_codes_is_read_and_starts_no_program(tmp_path: Path, ways: Ways) -> None:
    listed = "\n".join(f"socks5://h{number}.example:1080" for number in range(40))
    first, second = split(listed)
    (tmp_path / "one.jpg").write_bytes(photo(SS, "exec:sh -c id", second))
    (tmp_path / "two.webp").write_bytes(photo(first, kind="WEBP"))
    added = ways("add", "--qr", str(tmp_path / "one.jpg"), "--qr", str(tmp_path / "two.webp"), "--json")
    told = json.loads(added.stdout)
    assert (added.returncode, len(told["added"])) == (0, 41)
    assert [(each["place"], each["kind"]) for each in told["left_out"]] == [
        (str(tmp_path / "one.jpg"), "starts_program")
    ]
    alone = ways("add", "--qr", str(tmp_path / "two.webp"), "--lang", "fa")
    assert alone.returncode == 1
    assert "از ۲ کد QR" in alone.stderr
    assert "\u20682\u2069" in alone.stderr, "the second is missing"


def test_what_is_wrong_with_a_link_is_said_in_persian(ways: Ways) -> None:
    """That is where most are stuck: a link was handed to them."""
    listed = "vmess://abc\nss://YWVzLTI1Ni1nY206cGFzcw@192.0.2.1:99999\nsub://x\n"
    told = ways("add", "--lang", "fa", "--file", "-", given=listed).stderr.splitlines()
    assert len(told) == 3
    for number, line in zip("۱۲۳", told, strict=True):
        assert f"سطر {number}" in line
        assert "line" not in line
        assert "here" not in line
    alone = ways("add", "--lang", "fa", "tlsfrag:pad=99|tcp", "tcp|tcp").stderr
    assert "pad=16" in alone, "what is typed keeps its digits"
    assert "element" not in alone
    assert "not spoken" in ways("add", "--lang", "fa", "vmess://abc", "--json").stdout

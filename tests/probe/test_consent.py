"""Consent: before the first packet, versioned, each risk by itself, and refused as easily as given."""

import datetime as dt
import io
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from rozaneh.cli.main import dispatch
from rozaneh.probe import consent
from rozaneh.probe.services import catalogue
from rozaneh.words import Words

TODAY = dt.date(2022, 9, 21)
ROZANEH = [sys.executable, "-m", "rozaneh.cli"]

WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(event) if event.startswith("socket.") else None)
from rozaneh.cli.main import dispatch
try:
    dispatch(sys.argv[1:])
except SystemExit as ended:
    print("exit", ended.code, file=sys.stderr)
print("sockets", *opened, file=sys.stderr)
"""


def rozaneh(home: Path, *arguments: str, program: list[str] | None = None) -> "subprocess.CompletedProcess[str]":
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("ROZANEH", "XDG"))}
    return subprocess.run(
        [*(program or ROZANEH), *arguments],
        env={**outside, "HOME": str(home), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        ["check", "--all"],
        ["check", "instagram", "--json"],
        ["share", "status"],
        ["watch", "--json"],
        ["lists", "show"],
    ],
)
def test_without_consent_not_one_socket_is_opened(tmp_path: Path, command: list[str]) -> None:
    for version in (None, consent.VERSION - 1):
        if version is not None:
            path = tmp_path / ".config" / "rozaneh" / "consent.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.encode({"version": version, "categories": ["services", "circumvention"]}))
        done = rozaneh(tmp_path, *command, program=[sys.executable, "-c", WATCHED])
        assert done.stderr.rstrip().endswith("\nsockets") or done.stderr.strip() == "sockets", done.stderr
        if command[0] in ("check", "watch"):
            assert "exit 2" in done.stderr
        assert not (tmp_path / ".local").exists()


def test_the_hook_of_that_test_does_see_sockets(tmp_path: Path) -> None:
    code = WATCHED.replace("from rozaneh.cli.main import dispatch", "import socket; socket.socket().close()").replace(
        "dispatch(sys.argv[1:])", "pass"
    )
    assert "socket.__new__" in rozaneh(tmp_path, program=[sys.executable, "-c", code]).stderr


def test_agreeing_and_refusing_are_one_word_each(tmp_path: Path) -> None:
    path = tmp_path / ".config" / "rozaneh" / "consent.json"
    assert rozaneh(tmp_path, "consent", "--yes").returncode == 0
    assert consent.load(path).categories == ("services",)
    assert rozaneh(tmp_path, "consent", "--no").returncode == 0
    assert not path.exists()


@pytest.mark.parametrize("answers", [[], ["no", "no"], ["yes"], ["yes", "yes"], ["yes", "no"]])
def test_a_risky_category_needs_right_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: list[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    given = [word for answer in answers for word in ("--answer", answer)]
    with pytest.raises(SystemExit) as ended:
        dispatch(["consent", "--yes", "--category", "circumvention", *given])
    right = answers == ["yes", "no"]
    assert ended.value.code == (0 if right else 2)
    assert consent.load(consent.place()).categories == (("circumvention", "services") if right else ())
    assert right or "?" in capsys.readouterr().out


def test_each_category_is_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "consent.json"
    given = consent.agree(path, [consent.ORDINARY], TODAY)
    assert not given.sharing
    assert all(given.allows(service) is not service.risky for service in catalogue())
    assert consent.agree(path, [consent.SHARING], TODAY).sharing
    consent.withdraw(path)
    assert consent.load(path) == consent.Consent()


def test_every_sentence_is_said_in_both_languages() -> None:
    said = [*consent.TEXT, consent.RISKY_TEXT, consent.SHARING_TEXT]
    said += [text for question in consent.QUIZ for text in (question.text, question.because)]
    for sentence in said:
        assert Words("fa").say(sentence) != sentence

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rozaneh import __version__
from rozaneh.cli.main import COMMANDS, dispatch

_ROZANEH = Path(sys.executable).with_name("rozaneh")


def _rozaneh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_ROZANEH, *arguments],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_version() -> None:
    assert _rozaneh("--version").stdout == f"rozaneh {__version__}\n"


def test_without_a_command_they_are_listed() -> None:
    result = _rozaneh()
    assert result.returncode == 2
    for name in COMMANDS:
        assert f"  {name} " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--lang", "fa", "--help"], {}), (["--lang=fa", "--help"], {}), (["--help"], {"ROZANEH_LANG": "fa"})],
)
def test_help_speaks_persian(arguments: list[str], environment: dict[str, str]) -> None:
    assert "چه چیزی اینجا بسته است" in _rozaneh(*arguments, **environment).stdout


@pytest.mark.parametrize("arguments", [["--lang", "de"], ["--lang=de", "--help"]])
def test_bad_use_is_one_line_and_never_a_traceback(arguments: list[str]) -> None:
    result = _rozaneh(*arguments)
    assert result.returncode == 2
    assert result.stderr == "rozaneh: --lang 'de': Rozaneh speaks en and fa\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["observe", "events", "--lang", "fa"], "یکی از --store DIR و --signal FILE را بدهید، یا هر دو را"),
        (["--lang", "fa", "ways", "remove", "x", "--state", "/nowhere"], "راهی به نام \u2068'x'\u2069 نیست"),
        (["status", "--lang=fa", "--state", "/nowhere"], "اینجا دروازه‌ای در کار نیست."),
    ],
)
def test_what_is_wrong_is_said_in_the_language_that_was_asked_for(arguments: list[str], line: str) -> None:
    result = _rozaneh(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"روزنه: \u2067{line}")
    assert result.stderr.count("\n") == 1
    assert "\\u20" not in result.stderr, "what isolates a text is obeyed, not shown"


def test_an_unknown_command_is_named() -> None:
    result = _rozaneh("chekc")
    assert result.returncode == 2
    assert "chekc" in result.stderr
    assert "Did you mean 'check'" in result.stderr


def test_a_name_that_is_too_long_for_a_file_is_one_line() -> None:
    result = _rozaneh("observe", "events", "--store", "a" * 5000)
    assert result.returncode == 2
    assert result.stderr.endswith("…: File name too long\n")
    assert len(result.stderr) < 200


def test_a_start_imports_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys, rozaneh.cli.main; print(*{'anyio', 'cryptography', 'aioquic', 'rich', 'asyncio'} & {*sys.modules})"
    )
    heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert heavy.split() == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_in_both_languages(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}
    for lang in ("en", "fa"):
        monkeypatch.setenv("ROZANEH_LANG", lang)
        with pytest.raises(SystemExit) as ended:
            dispatch([name, "--help"])
        assert ended.value.code == 0
        told[lang] = capsys.readouterr().out
    assert told["en"] != told["fa"]

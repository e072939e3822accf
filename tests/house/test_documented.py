"""The commands that README and docs show: each exists, and those marked so do what the page says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import documented

_BIN = Path(sys.executable).parent


_SHOWN_AS_RUN = [
    pytest.param(
        shown,
        id=f"{shown.path}:{shown.text[:60]}",
        marks=[pytest.mark.namespaces] if "lab" in shown.kind else [],
    )
    for shown in documented.commands()
    if "run" in shown.kind
]


def test_every_command_that_is_shown_exists() -> None:
    assert list(documented.findings()) == []


@pytest.mark.parametrize("shown", _SHOWN_AS_RUN)
def test_a_command_does_what_the_page_says(shown: documented.Command) -> None:
    result = subprocess.run(
        ["sh", "-c", shown.text],
        cwd=documented.TOP,
        env={**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert _agrees([line.rstrip() for line in shown.output], result.stdout.splitlines()), result.stdout


def _agrees(page: list[str], printed: list[str]) -> bool:
    """Whether the lines on the page came out in their order; ``...`` stands for any number of lines."""
    if not page:
        return True
    if page[0] == "...":
        return any(_agrees(page[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and printed[0].rstrip() == page[0] and _agrees(page[1:], printed[1:])


def test_the_check_finds_what_a_page_can_get_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "Makefile").write_text("test: x\n\techo\n")
    (tmp_path / "README.md").write_text(
        "```console\n$ make test\n$ make tset\n$ rozaneh --version\nrozaneh 1\n$ rozaneh chekc\n"
        "$ LANG=fa rozaneh --nonsense\n$ frobnicate\n$ curl \\\n   -v https://example.org\n```\n"
    )
    monkeypatch.setattr(documented, "TOP", tmp_path)
    assert list(documented.findings()) == [
        "README.md:3: make tset: no rule tset",
        "README.md:6: rozaneh chekc: no command 'chekc'",
        "README.md:7: LANG=fa rozaneh --nonsense: no option --nonsense",
        "README.md:8: frobnicate: the program 'frobnicate' is not known to tools/documented.py",
    ]
    assert [shown.text for shown in documented.commands()][-1] == "curl -v https://example.org"

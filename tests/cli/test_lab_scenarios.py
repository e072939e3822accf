"""``lab list``, ``show``, ``check`` and ``matrix``: what other programs and people without a terminal rely on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROZANEH = [sys.executable, "-m", "rozaneh.cli"]

FOREIGN = """
[[rule]]
match = { direction = "out", tls.sni.suffix = "blocked.example" }
action = { reset = { to = "client" } }

[[expect]]
way = "plain"
outcome = "connection_reset"

[[expect]]
way = "tlsfrag"
outcome = "connection_reset"

[[expect]]
client = "curl"
outcome = "connection_reset"
"""


def rozaneh(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*ROZANEH, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with one scenario that is not of the repository; one of its expectations is wrong."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "resets.toml").write_text(FOREIGN, encoding="utf-8")
    return folder


def test_a_list_that_is_no_terminal_is_not_cut() -> None:
    lines = rozaneh("lab", "list").stdout.splitlines()
    assert any("evening-of-21-september-2022" in line and line.rstrip().endswith("2022") for line in lines)
    assert max(map(len, lines)) > 80


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("lab", "show", "no-such-scenario"), "no-such-scenario"),
        (("lab", "matrix", "clear", "--ways", "nonsense"), "not a way"),
        (("lab", "matrix", "--scenarios", "/nonexistent"), "/nonexistent"),
        (("lab", "matrix", "clear", "--json", "/nonexistent/cells"), "cannot write /nonexistent/cells"),
        (("lab", "run", "/nonexistent/x.toml", "--", "true"), "/nonexistent/x.toml: no such file"),
        (("lab", "show", "/dev/zero"), "/dev/zero: not a file"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = rozaneh(*arguments)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.namespaces
def test_a_matrix_of_foreign_files_is_a_list_of_cells_and_a_wrong_one_is_the_exit_status(
    foreign: Path, tmp_path: Path
) -> None:
    file, packets = tmp_path / "cells.json", tmp_path / "all.pcap"
    done = rozaneh(
        "lab", "matrix", "--scenarios", foreign, "--ways", "plain", "--ways", "tlsfrag:1|tcp", "--json", file,
        "--pcap", packets,
    )  # fmt: skip
    cells = json.loads(file.read_text(encoding="utf-8"))
    assert done.returncode == 0
    assert {"scenario", "network", "way", "target", "expected", "observed", "ok", "seconds"} <= cells[0].keys()
    assert [(cell["way"], cell["observed"], cell["expected"]) for cell in cells] == [
        ("plain", "connection_reset", "connection_reset"),
        ("tlsfrag:1|tcp", "ok", None),
    ]
    assert packets.read_bytes()[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
    wrong = rozaneh("lab", "matrix", foreign, "--ways", "tlsfrag", "--json", "-")
    (cell,) = json.loads(wrong.stdout)
    assert (wrong.returncode, cell["ok"], cell["observed"]) == (1, False, "ok")


@pytest.mark.namespaces
def test_a_check_of_a_foreign_file_is_a_list_with_a_verdict_each(foreign: Path, tmp_path: Path) -> None:
    done = rozaneh("lab", "check", foreign, "--json", "--pcap", tmp_path / "all.pcap")
    (checked,) = json.loads(done.stdout)
    assert (done.returncode, checked["ok"], checked["observed"]) == (0, True, "connection_reset")
    assert (tmp_path / "all.pcap").stat().st_size > 24

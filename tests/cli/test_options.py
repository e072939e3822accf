"""What a command prints comes whole, whatever comes between."""

import json
import re
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from rich.table import Table

from rozaneh.cli.main import dispatch
from rozaneh.cli.options import console, print_json

SCENARIOS = Path(__file__).parents[2] / "scenarios"

_PRINTS = """
import signal
from rozaneh.cli.options import print_json
signal.signal(signal.SIGUSR1, lambda *_: None)
print_json(["x" * 100] * 10_000)
"""


def test_a_signal_in_the_middle_of_a_long_answer_loses_nothing_of_it() -> None:
    """Unbuffered, one write is one call: a signal that comes while the pipe is full cuts it short."""
    with subprocess.Popen([sys.executable, "-u", "-c", _PRINTS], stdout=subprocess.PIPE) as printing:
        assert printing.stdout is not None
        answer = printing.stdout.read(1)  # it is within its write now, and the pipe holds a fraction of that
        while chunk := printing.stdout.read(8192):
            answer += chunk
            if len(answer) < 500_000:  # half of it: it is still writing
                printing.send_signal(signal.SIGUSR1)
    assert json.loads(answer) == ["x" * 100] * 10_000
    assert printing.returncode == 0


def test_a_pipe_that_does_not_want_to_be_waited_at_is_waited_at() -> None:
    does_not_wait = "import os\nos.set_blocking(1, False)\n" + _PRINTS
    done = subprocess.run([sys.executable, "-u", "-c", does_not_wait], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == ["x" * 100] * 10_000


STEERS = "\x1b[2J\x1b]0;x\x07 \x9b31m \x7f \u202eevil \u2028 \r"
"""What clears a screen, sets its title, colours, deletes, turns a line around and begins another."""


def test_what_somebody_else_wrote_steers_no_terminal(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json([STEERS, "سلام\u200cها"])
    said = capsysbinary.readouterr().out.decode()
    assert json.loads(said) == [STEERS, "سلام\u200cها"]
    assert "سلام\u200cها" in said
    table = Table(STEERS)
    table.add_row(STEERS)
    console().print(STEERS, table, "kept\t\N{FIRST STRONG ISOLATE}x\N{POP DIRECTIONAL ISOLATE}")
    said += capsysbinary.readouterr().out.decode()
    assert "\\x1b[2J\\x1b]0;x" in said
    assert "\\u202eevil" in said
    assert [each for each in said if unicodedata.category(each) in ("Cc", "Zl", "Zp") and each != "\n"] == []
    assert "\u202e" not in said


def test_a_scenario_of_somebody_else_steers_none_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hostile.toml"
    ours = (SCENARIOS / "address-drop.toml").read_text()
    path.write_text(
        re.sub(r'^title = ".*"$', r'title = "\\u001b[2J\\u009b31m\\u202ex"', ours, count=1, flags=re.MULTILINE)
    )
    with pytest.raises(SystemExit) as ended:
        dispatch(["lab", "show", str(path)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "\\x1b[2J\\x9b31m\\u202ex" in said
    assert not set(said) & set("\x1b\x9b\u202e")

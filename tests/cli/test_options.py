"""What a command prints comes whole, whatever comes between."""

import json
import signal
import subprocess
import sys

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

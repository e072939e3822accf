"""``lab run``, ``lab shell`` and ``lab tiers`` as a person uses them: arguments, exit statuses, signals, a terminal."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

ROZANEH = [sys.executable, "-m", "rozaneh.cli"]

RESETS = """
[[rule]]
match = { direction = "out", tls.sni.suffix = ["blocked.example"] }
action = { reset = { to = ["client", "server"] } }
"""


def rozaneh(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*ROZANEH, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.namespaces
class TestRun:
    def test_a_file_of_ones_own_works_by_its_path(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_text(RESETS, encoding="utf-8")
        done = rozaneh("lab", "run", str(file), "--", "curl", "-sS", "-m", "5", "https://blocked.example/")
        assert done.returncode == 35
        assert "Connection reset by peer" in done.stderr

    def test_it_says_what_it_is_unless_told_to_be_quiet(self) -> None:
        told = rozaneh("lab", "run", "clear", "--on", "fixed", "--at", "21:15", "--", "true").stderr
        assert told.startswith("lab: clear on fixed, ")
        assert "21:15" in told
        assert "tier T" in told
        assert rozaneh("lab", "run", "clear", "-q", "--", "true").stderr == ""

    @pytest.mark.parametrize(
        ("script", "status"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -SEGV $$", 139), ("exec /nothing", 127)]
    )
    def test_it_ends_as_the_program_ends(self, script: str, status: int) -> None:
        assert rozaneh("lab", "run", "-q", "clear", "--", "sh", "-c", script).returncode == status

    def test_input_and_output_are_the_programs(self) -> None:
        done = subprocess.run(
            [*ROZANEH, "lab", "run", "-q", "clear", "--", "tr", "a-z", "A-Z"],
            input="through",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == "THROUGH"

    def test_the_options_of_the_program_are_its_own(self) -> None:
        done = rozaneh("lab", "run", "-q", "clear", "--", "echo", "--on", "--pcap", "-q", "--lang")
        assert done.stdout == "--on --pcap -q --lang\n"

    def test_a_capture_is_written(self, tmp_path: Path) -> None:
        file = tmp_path / "a.pcap"
        rozaneh("lab", "run", "-q", "clear", "--pcap", str(file), "--", "curl", "-sS", "http://example.org/")
        assert b"Host: example.org" in file.read_bytes()

    def test_sigterm_is_passed_on_and_the_program_may_finish(self) -> None:
        script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
        command = [*ROZANEH, "lab", "run", "-q", "clear", "--", "sh", "-c", script]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "bye\n"
            assert process.wait(20) == 5

    def test_a_program_that_does_not_listen_goes_anyway(self) -> None:
        script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
        command = [*ROZANEH, "lab", "run", "-q", "clear", "--", "sh", "-c", script]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 128 + signal.SIGTERM


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-scenario", "--", "true"], "no scenario 'no-such-scenario'"),
        (["clear", "--on", "moon", "--", "true"], "no home network 'moon'; there are mobile, fixed"),
        (["clear", "--at", "soon", "--", "true"], "'soon' is no time: expected HH:MM"),
        (["clear", "--tier", "T9", "--", "true"], "no tier 'T9'"),
        (["clear", "--pcap", "/nowhere/x", "--", "true"], "cannot write /nowhere/x"),
        (["clear", "-q", "--", "no-such-program"], "no-such-program: no such program here"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], complaint: str) -> None:
    done = rozaneh("lab", "run", *arguments)
    assert done.returncode in {2, 127}
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.namespaces
def test_tiers_as_lines_and_as_json() -> None:
    lines = rozaneh("lab", "tiers", "--lang", "en").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("T") and not line.startswith("The")] == [
        "T1",
        "T2",
        "T0",
    ]
    trials = msgspec.json.decode(rozaneh("lab", "tiers", "--json").stdout)
    assert {trial["tier"]: trial["works"] for trial in trials}["T0"]
    assert all(trial["works"] or trial["advice"] for trial in trials)


class Terminal:
    """A person at a terminal."""

    def __init__(self, master: int, pid: int) -> None:
        self._master = master
        self.children = Path(f"/proc/{pid}/task/{pid}/children")
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            self.shown += os.read(self._master, 4096).decode(errors="replace")

    def rest(self) -> str:
        """All that is shown until the program has gone."""
        with suppress(OSError):  # a terminal that nobody has open any more is an input error
            while more := os.read(self._master, 4096):
                self.shown += more.decode(errors="replace")
        return self.shown


@contextmanager
def at_a_terminal(*arguments: str) -> Iterator[tuple[Terminal, Callable[[], int]]]:
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(SHELL="/bin/bash", PS1="> ")
        os.execv(sys.executable, [*ROZANEH, *arguments])  # noqa: S606 - no shell is wanted
    try:
        yield Terminal(master, pid), lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(master)


@pytest.mark.namespaces
class TestTerminal:
    def test_a_shell_has_job_control_and_ctrl_c_reaches_the_job_alone(self) -> None:
        with at_a_terminal("lab", "shell", "-q", "clear") as (person, status):
            person.type("echo in-$ROZANEH_LAB; sleep 100; echo after=$?\n")
            person.wait_for("in-mobile-1")
            time.sleep(0.5)
            person.type("\x03")
            person.type("sleep 100 &\n jobs; echo jobs-listed; kill %1; exit 9\n")
            assert "no job control" not in person.rest()
            assert "Running" in person.shown
            assert status() == 9

    def test_ctrl_c_ends_a_program_without_a_traceback(self) -> None:
        with at_a_terminal("lab", "run", "-q", "clear", "--", "sh", "-c", "echo ready; sleep 100") as (person, status):
            person.wait_for("ready\r\n")
            person.type("\x03")
            assert "Traceback" not in person.rest()
            assert status() == 128 + signal.SIGINT

    def test_ctrl_c_that_comes_before_the_program_waits_for_it(self) -> None:
        script = (
            "import os, signal, sys\n"
            "from rozaneh.cli import lab_run\n"
            "from rozaneh.lab import Lab\n"
            "with Lab(servers=False) as lab:\n"
            "    def start():\n"
            "        os.kill(os.getpid(), signal.SIGINT)\n"
            "        return lab.client().popen(['sleep', '100'])\n"
            "    sys.exit(lab_run._run_to_end(start))\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")

    def test_ctrl_c_while_the_lab_starts_leaves_no_traceback(self) -> None:
        with at_a_terminal("lab", "run", "-q", "clear", "--", "sleep", "100") as (person, status):
            while not person.children.read_text(encoding="ascii"):
                time.sleep(0.005)
            person.type("\x03")
            assert "Traceback" not in person.rest()
            assert status() == 128 + signal.SIGINT

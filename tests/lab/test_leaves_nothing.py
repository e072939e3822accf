"""Whoever is killed, and however: no process, no namespace, no folder stays, and no packet leaves the machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from rozaneh.lab import Lab
from rozaneh.lab.probe import advice, try_tiers

pytestmark = pytest.mark.namespaces

CALLER = """
import sys, time
from rozaneh.lab import Lab
lab = Lab()
home = lab.client()
program = home.popen(["sh", "-c", "setsid sleep 4321 & sleep 4321"])
print(lab.ca_file.parent, flush=True)
time.sleep(600)
"""


def processes() -> dict[int, tuple[int, str, str]]:
    """Every process: its parent, its network namespace, its command."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text(encoding="ascii", errors="replace")
            parent = int(status.split("PPid:")[1].split()[0])
            command = (folder / "cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
            found[int(folder.name)] = parent, str((folder / "ns/net").readlink()), command
        except OSError:
            continue
    return found


def own_namespace() -> str:
    return str(Path("/proc/self/ns/net").readlink())


def below(root: int) -> dict[int, tuple[int, str, str]]:
    """All descendants of a process."""
    everything = processes()
    family = {root}
    while more := {pid for pid, (parent, _, _) in everything.items() if parent in family} - family:
        family |= more
    return {pid: everything[pid] for pid in family - {root} if pid in everything}


def eventually(holds: Callable[[], bool], seconds: float = 15.0) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class Victim:
    """A process that uses a lab, with a program running in it that tries to get away."""

    def __init__(self) -> None:
        self.caller = subprocess.Popen([sys.executable, "-c", CALLER], stdout=subprocess.PIPE, text=True)
        assert self.caller.stdout is not None
        self.folder = Path(self.caller.stdout.readline().strip())
        assert eventually(lambda: sum("sleep 4321" in command for _, _, command in self.family().values()) >= 3)
        self.members = set(self.family())
        own = own_namespace()
        self.namespaces = {net for _, net, _ in self.family().values()} - {own}

    def family(self) -> dict[int, tuple[int, str, str]]:
        return below(self.caller.pid)

    def named(self, role: str) -> int:
        """The guardian, the supervisor, the wire or the world."""
        everything = self.family()
        guardian = next(pid for pid, (_, _, command) in everything.items() if "ns.supervisor" in command)
        guardian = next(
            pid for pid, (parent, _, _) in everything.items() if parent == self.caller.pid and pid <= guardian
        )
        (supervisor,) = [pid for pid, (parent, _, _) in everything.items() if parent == guardian]
        children = sorted(
            pid for pid, (parent, _, command) in everything.items() if parent == supervisor and "ns." in command
        )
        world, wire = children[:2]
        return {"guardian": guardian, "supervisor": supervisor, "world": world, "wire": wire}[role]

    def is_gone(self) -> bool:
        left = processes()
        alive = self.members & set(left)
        held = self.namespaces & {net for _, net, _ in left.values()}
        return not alive and not held

    def end(self) -> None:
        self.caller.kill()
        self.caller.wait()
        assert self.caller.stdout is not None
        self.caller.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_when_the_caller_is_killed(number: signal.Signals) -> None:
    victim = Victim()
    try:
        victim.caller.send_signal(number)
        victim.caller.wait(30)
        assert eventually(victim.is_gone)
        assert eventually(lambda: not victim.folder.exists())
    finally:
        victim.end()


@pytest.mark.parametrize("role", ["guardian", "supervisor", "wire", "world"])
def test_when_one_of_the_labs_own_processes_is_killed(role: str) -> None:
    victim = Victim()
    try:
        os.kill(victim.named(role), signal.SIGKILL)
        assert eventually(
            lambda: not {p for p in victim.family() if "sleep" in victim.family().get(p, ("", "", ""))[2]}
        )
    finally:
        victim.end()
    assert eventually(victim.is_gone)


def test_when_all_are_killed_at_once_the_next_lab_sweeps_the_folder() -> None:
    victim = Victim()
    for pid in [victim.caller.pid, *victim.members]:
        with suppress(ProcessLookupError):  # the kernel may have been quicker
            os.kill(pid, signal.SIGKILL)
    victim.end()
    assert eventually(victim.is_gone)
    if victim.folder.exists():
        os.utime(victim.folder, (0, 0))
    with Lab(servers=False):
        assert not victim.folder.exists()


def test_a_lab_that_ends_well_leaves_nothing() -> None:
    before = set(below(os.getpid()))
    with Lab() as lab:
        folder = lab.ca_file.parent
        assert folder.is_dir()
        lab.client().run(["sh", "-c", "setsid sleep 4322 >&- 2>&- &"])
        ours = {pid: net for pid, (_, net, _) in below(os.getpid()).items() if pid not in before}
        namespaces = set(ours.values()) - {own_namespace()}
        inside = {(pid, command) for pid, (_, net, command) in processes().items() if net in namespaces}
        assert any("sleep 4322" in command for _, command in inside)
    assert set(below(os.getpid())) <= before
    # By process, not by namespace: another lab may have been given the number of one that is gone.
    assert not inside & {(pid, command) for pid, (_, _, command) in processes().items()}
    assert not folder.exists()


def test_nothing_in_the_lab_can_reach_the_machine_or_beyond() -> None:
    own = own_namespace()
    before = set(below(os.getpid()))
    with Lab() as lab:
        home = lab.client()
        with home.popen(["sleep", "60"]) as program:
            family = {pid: each for pid, each in below(os.getpid()).items() if pid not in before}
            # The guardian and the process that waits for the program make no packets; all others are elsewhere.
            inside = {net for _, net, command in family.values() if "ns.enter" not in command}
            assert own not in inside
            program.kill()
        links = home.run(["cat", "/proc/net/dev"]).stdout
        assert sorted(line.split(":")[0].strip() for line in links.splitlines()[2:]) == ["eth0", "lo"]
        routes = home.run(["cat", "/proc/net/route"]).stdout.splitlines()[1:]
        assert [line.split()[0] for line in routes] == ["eth0"]
        supervisor_net = next(iter(inside - {own}))
        assert supervisor_net != own
        for outside in _addresses_of_this_machine():
            assert home.run(["curl", "-sS", "-m", "2", f"http://{outside}:9/"]).returncode in {7, 28}


def _addresses_of_this_machine() -> list[str]:
    shown = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    return [address for address in shown if ":" not in address]


def test_tiers_are_tried_and_told() -> None:
    trials = {trial.tier: trial for trial in try_tiers()}
    assert trials["T0"].works
    for trial in trials.values():
        assert trial.works or (trial.call and trial.errno and trial.advice)


def test_a_machine_without_namespaces_says_what_to_do() -> None:
    """Inside a user namespace anybody may forbid further namespaces: a real refusal, without being root."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"'
    code = "from rozaneh.lab import Lab; Lab('T1')"
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script, "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "LocalFault: no namespaces here (T1: unshare(" in last
    assert "sysctl -w user.max_user_namespaces" in last
    assert "kernel.unprivileged_userns_clone=1" in advice("unshare(CLONE_NEWUSER)", 1)

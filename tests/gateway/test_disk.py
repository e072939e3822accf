"""The disk of the state folder is full, or only to be read, or not even that: a line says so, and connections go on."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from rozaneh.core import LocalFault
from rozaneh.gateway import control, desktop
from rozaneh.gateway.stored import FILE, WayFile
from rozaneh.links import read

_ROZANEH = (sys.executable, "-m", "rozaneh.cli")
_LINK = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.{}:8388#{}"
_WITHOUT_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.geteuid() == 0 else ()
"""For root: what it may do to its own files then is what anybody may do to theirs."""


@contextmanager
def gateway(folder: Path, *before: str) -> Iterator[list[str]]:
    """One that serves; what it has noted is there at the end."""
    notes: list[str] = []
    argv = [*before, *_ROZANEH, "up", "--port", "0", "--allow-local", "--state", str(folder), "--lang", "en"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            place = running.stdout.readline().split()[2].rstrip(":")
            carries(place)
            yield notes
            carries(place)
        finally:
            running.terminate()
            _, wrong = running.communicate(timeout=20)
        notes += wrong.splitlines()
        assert running.returncode == 0
        assert all(each.startswith("Note: ") for each in notes)


def carries(place: str) -> None:
    host, _, port = place.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as site, socket.create_connection((host, int(port)), 20) as client:
        client.sendall(
            b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + site.getsockname()[1].to_bytes(2, "big") + b"hello"
        )
        served, _ = site.accept()
        with served:
            assert served.recv(5, socket.MSG_WAITALL) == b"hello"


@dataclass(frozen=True)
class Disk:
    """A small file system of its own.

    Attributes:
        place: where it is in its namespace.
        here: how it is seen from here; SQLite makes another place of it.
        enter: what a command begins with that runs there.
    """

    place: Path
    here: Path
    enter: tuple[str, ...]

    def run(self, *command: str) -> str:
        return subprocess.run([*self.enter, *command], check=True, timeout=30, capture_output=True, text=True).stdout

    def fill(self) -> None:
        ballast = self.here / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            for _ in range(1000):
                file.write(bytes(4096))
        assert os.statvfs(self.here).f_bavail == 0

    def turn_read_only(self) -> None:
        """The kernel refuses while a file that was written is still being closed, as just after a program's end.

        With the source named, ``mount`` does not say again what it finds of it: a user that the namespace has not.
        """
        command = [*self.enter, "mount", "-o", "remount,ro", "none", str(self.place)]
        for _ in range(50):
            done = subprocess.run(command, check=False, timeout=30, capture_output=True, text=True)
            if done.returncode == 0:
                return
            time.sleep(0.1)
        pytest.fail(done.stderr)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    make = f"mount -t tmpfs -o size=192k,mode=700 none {place} && echo made && exec cat"
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", make],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"made\n"

        enter = ("nsenter", "--target", str(holder.pid), "--user", "--mount", "--preserve-credentials")
        yield Disk(place, Path(f"/proc/{holder.pid}/root{place}"), enter)
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()


_REMEMBERS = """
import sys; from pathlib import Path; from rozaneh.core import Context; from rozaneh.finder import Memory
here, notes = Context(network="here", hour=12, weekday=0), []
memory = Memory(Path(sys.argv[1]) / "memory.sqlite", warn=notes.append)
for number in range(300):
    memory.record(here, f"obstacle {number}", "way", worked=True, now=0.0)
print(len(notes), memory.seen(here, "obstacle 299", "way", 0.0))
"""


@pytest.mark.namespaces
def test_a_disk_that_fills_up_and_one_that_turns_read_only_lose_nothing_that_was_kept(disk: Disk) -> None:
    ways = WayFile(disk.here / FILE)
    with gateway(disk.place, *disk.enter) as notes:
        ways.add(read(_LINK.format(1, "first"))[0])
        disk.fill()
        with pytest.raises(LocalFault, match="No space left on device") as fault:
            ways.add(read("\n".join(_LINK.format(number, "x" * 200) for number in range(2, 60)))[0])
        assert str(disk.here / FILE) in str(fault.value)
        assert not ways.path.with_suffix(".new").exists(), "nor does a half of it take up what is left"
        with pytest.raises(LocalFault, match="nothing was changed"):
            desktop.turn_on(_Sets(), disk.here, "127.0.0.1", 1080)
        assert [each.name for each in ways.load()] == ["first"]
        assert disk.run(sys.executable, "-c", _REMEMBERS, str(disk.place)) == "1 (1.0, 0.0)\n", "said once, kept in RAM"
        answer = control.ask(disk.here, control.Question(ask="state"))
        assert answer is not None
        assert not answer.error
    assert notes == []
    disk.turn_read_only()
    with gateway(disk.place, *disk.enter) as notes:
        with pytest.raises(LocalFault, match="Read-only file system"):
            ways.remove(["first"])
        assert [each.name for each in ways.load()] == ["first"]
    assert len(notes) == 2
    assert "memory.sqlite" in notes[0]
    assert "rozaneh why cannot ask this gateway" in notes[1]


_IN_A_FOLDER = """
import sys; from pathlib import Path; from rozaneh.core import LocalFault; from rozaneh.gateway import control
from rozaneh.gateway.given import open_state; from rozaneh.gateway.stored import WayFile
from rozaneh.gateway.wiping import wipe; from rozaneh.links import read
for mode in (0o500, 0o000):
    folder = Path(sys.argv[1])
    folder.chmod(mode)
    memory, key = open_state(folder, print)
    assert not memory.kept and len(key) == 16
    for way in (lambda: control.listen(folder), lambda: WayFile(folder / "ways.jsonl").add(read(sys.argv[2])[0])):
        try:
            way()
        except LocalFault as fault:
            print(fault)
    print("wiped", wipe(folder, servers=True))
"""


def test_a_folder_that_its_owner_may_not_write_or_not_even_look_into(tmp_path: Path) -> None:
    argv = [*_WITHOUT_RIGHTS, sys.executable, "-c", _IN_A_FOLDER, str(tmp_path), _LINK.format(1, "first")]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    finally:
        tmp_path.chmod(0o700)
    assert done.stderr == ""
    *lines, wiped = (line.replace(str(tmp_path), "HERE") for line in done.stdout.splitlines())
    assert [" ".join(line.split()[:4]) for line in lines] == [
        "cannot keep what works", "cannot keep this device's", "cannot listen at HERE/control",
        "cannot write HERE/ways.jsonl: Permission", "wiped Wiped(removed=0, left=())",
        "cannot keep what works", "cannot keep this device's", "cannot listen at HERE/control",
        "cannot read HERE/ways.jsonl: Permission",
    ]  # fmt: skip
    assert "HERE/memory.sqlite: Permission denied" in wiped


class _Sets:
    """A desktop whose settings nobody may change in vain."""

    name: Literal["gnome", "kde"] = "gnome"

    def wanted(self, address: str, port: int) -> Iterator[tuple[str, str, str]]:
        yield "place", address, str(port)

    def read(self, _place: str, _key: str) -> str:
        return "x" * 8000

    def write(self, place: str, key: str, value: str) -> None:
        pytest.fail(f"{place} {key} is set to {value} before it is written down what was there")

    put_back = write

"""Starting a program on a host of the lab, and knowing when it is ready."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from rozaneh.core import LocalFault
from rozaneh.lab.hosts import LabHost

_MORE_PLACES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_LOOK_EVERY = 0.05
_READY_WITHIN = 10.0
_GRACE = 2.0
_LAST_WORDS = 300
_LISTENS = "0A"


class Peer(Protocol):
    """A program and how it is to run."""

    @property
    def program(self) -> str:
        """Its name."""

    @property
    def ports(self) -> Sequence[int]:
        """TCP ports on which it listens once it is ready."""

    def prepare(self, room: Path) -> list[str]:
        """Write its files into a folder of its own; the command line."""


class Running:
    """A peer that runs.

    Attributes:
        process: the process on the host.
        room: its folder.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", room: Path) -> None:
        self.process = process
        self.room = room

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.room / "log").read_text(errors="replace")


def absent(program: str) -> str:
    """Why a program cannot be run here; empty if it can."""
    return "" if _path(program) else f"{program} is not installed"


def find(program: str) -> str:
    """The path of a program.

    Raises:
        LocalFault: it is not installed.
    """
    path = _path(program)
    if not path:
        raise LocalFault(f"{program} is not installed; as root, `make peers` installs what the tests need")
    return path


def _path(program: str) -> str:
    # Debian keeps servers where only root's PATH looks.
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), *_MORE_PLACES))) or ""


@contextmanager
def start(host: LabHost, peer: Peer, *, within: float = _READY_WITHIN) -> Iterator[Running]:
    """Run a peer on a host for as long as the block lasts.

    Args:
        host: where.
        peer: what.
        within: seconds in which it has to listen.

    Raises:
        LocalFault: it is not installed, or ended, or does not listen; with its last words.
    """
    path = find(peer.program)
    # A port that listens proves nothing if something else had it before: the peer may have failed to bind it.
    if taken := set(peer.ports) & _listening(host):
        raise LocalFault(f"{peer.program} cannot listen: port {min(taken)} of {host.name} is taken")
    with tempfile.TemporaryDirectory(prefix="rozaneh-peer-") as name:
        room = Path(name)
        argv = [path, *peer.prepare(room)]
        with (room / "log").open("wb") as log:
            process = host.popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        running = Running(process, room)
        try:
            _wait(host, peer, running, within)
            yield running
        finally:
            _end(process)


def _wait(host: LabHost, peer: Peer, running: Running, within: float) -> None:
    wanted = set(peer.ports)
    deadline = time.monotonic() + within
    while True:
        listening = wanted <= _listening(host)
        if running.process.poll() is not None:
            raise LocalFault(f"{peer.program} ended at once: {running.log[-_LAST_WORDS:].strip() or 'it said nothing'}")
        if listening:
            return
        if time.monotonic() > deadline:
            raise LocalFault(f"{peer.program} does not listen after {within:g} s: {running.log[-_LAST_WORDS:].strip()}")
        time.sleep(_LOOK_EVERY)


def _listening(host: LabHost) -> set[int]:
    """The TCP ports on which anything on a host listens, from the kernel's tables (proc(5), ``/proc/net/tcp``)."""
    told = host.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], timeout=10).stdout
    rows = [line.split() for line in told.splitlines()]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTENS}


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_GRACE)

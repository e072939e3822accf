"""A program of another maker as a way: started when it is first needed, and ended with us.

Rules. The program gets an argument vector and no shell, a clean environment, and a session of its own, so that it
and its children are ended together: when nobody uses the way any more, at our exit and, on Linux, by the kernel when
we are killed. The port is a free one of loopback that we choose. What listens anywhere else than on loopback is
ended at once.
"""

import os
import shutil
import signal
import socket
import subprocess
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio

from rozaneh.core import DialFailed, Failure, NotHere
from rozaneh.net import ByteStream, Network
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import SystemSockets
from rozaneh.net.streams import StreamOver
from rozaneh.words import later

LOOPBACK = "127.0.0.1"
_PAUSE = 0.05
_LISTENING = "0A"
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_LOOPBACK_V4, _LOOPBACK_V6 = "7F", "00000000000000000000000001000000"


def is_own(network: Network) -> bool:
    """Whether a network is this machine's own, which programs use too."""
    return isinstance(network, RealNetwork) and isinstance(network.sockets, SystemSockets)


def only_here(network: Network, what: str) -> None:
    """A program uses this machine's own network, so it is no way for any other.

    Raises:
        NotHere: the network is a host of the lab, or a world in memory.
    """
    if not is_own(network):
        raise NotHere(
            later("{what} is a program on this machine's own network, and this network is another one", what=what)
        )


def found(*names: str) -> str:
    """The path of the first of these programs that is there, on the PATH or where only root's looks.

    Raises:
        NotHere: none is.
    """
    places = os.environ.get("PATH", "") + os.pathsep + _PATH
    for name in names:
        path = shutil.which(name, path=places)
        if path is not None:
            return path
    raise NotHere(later("the program {names} is not installed here", names=" or ".join(names)))


class Helper:
    """One program, while it is needed.

    Args:
        arguments: makes the argument vector from the port that the program shall listen on.
        environment: makes further variables of its environment, from the same.
        clean: called when it has ended, for what it leaves behind.
    """

    def __init__(
        self,
        arguments: Callable[[int], list[str]],
        *,
        environment: Callable[[int], Mapping[str, str]] = lambda _port: {},
        clean: Callable[[], None] = lambda: None,
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._clean = clean
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._end: Callable[[], object] = lambda: None
        self._starting: anyio.Lock | None = None

    async def port(self) -> int:
        """The loopback port on which the program listens; it is started where it does not run.

        Raises:
            DialFailed: it cannot be started, has ended, or listens where others can reach it.
        """
        self._starting = self._starting or anyio.Lock()
        async with self._starting:
            if self._process is None or self._process.poll() is not None:
                await self._start()
        return self._port

    def stop(self) -> None:
        """End it and everything that it started."""
        self._end()
        self._process = None

    async def _start(self) -> None:
        self.stop()
        self._port = _free_port()
        command = _with_us(self._arguments(self._port))
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it outlives the task that starts it
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": _PATH, "LANG": "C.UTF-8", **self._environment(self._port)},
                start_new_session=True,
            )
        except OSError as error:
            raise DialFailed(Failure.UNKNOWN_FAILURE, f"{command[0]} cannot be started: {error.strerror}") from error
        self._end = weakref.finalize(self, _end, self._process, self._clean)
        with ExitStack() as undo:
            undo.callback(self.stop)
            await self._listening(self._process)
            undo.pop_all()

    async def _listening(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            if process.poll() is not None:
                raise DialFailed(Failure.UNKNOWN_FAILURE, f"the program has ended with status {process.returncode}")
            places = listening(process.pid)
            elsewhere = [place for place in places if not place[0]]
            if elsewhere:
                raise DialFailed(
                    Failure.UNKNOWN_FAILURE,
                    f"the program listens on port {elsewhere[0][1]} for others than this machine; it was ended",
                )
            if (True, self._port) in places:
                return
            await anyio.sleep(_PAUSE)


class HelperStream(StreamOver):
    """A stream that goes through a program, which therefore runs for as long as the stream is there."""

    def __init__(self, inner: ByteStream, helper: Helper) -> None:
        super().__init__(inner)
        self._helper = helper

    def beneath(self) -> ByteStream | None:
        """The stream below: nothing is changed on it."""
        return self._inner


def listening(session: int) -> list[tuple[bool, int]]:
    """Where the programs of a session listen: whether that is loopback, and the port."""
    owned = {inode for pid in _members(session) for inode in _sockets(pid)}
    return [(here, port) for here, port, inode in _table() if inode in owned]


def _members(session: int) -> Iterable[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                yield int(entry.name)


def _sockets(pid: int) -> Iterable[str]:
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                place = str(descriptor.readlink())
                if place.startswith("socket:["):
                    yield place[8:-1]


def _table() -> Iterable[tuple[bool, int, str]]:
    for name, loopback in (("tcp", _LOOPBACK_V4), ("tcp6", _LOOPBACK_V6)):
        with suppress(OSError):
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                address, _, port = fields[1].partition(":")
                if fields[3] == _LISTENING:
                    here = address.endswith(loopback) if name == "tcp" else address == loopback
                    yield here, int(port, 16), fields[9]


def _with_us(command: list[str]) -> list[str]:
    """The command under a program that has the kernel end it when we end, where there is one."""
    setpriv = shutil.which("setpriv", path=_PATH)
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else command


def _end(process: subprocess.Popen[bytes], clean: Callable[[], None]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    clean()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port: int = free.getsockname()[1]
        return port

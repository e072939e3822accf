"""What every test of the suite lives by: skips are a list, and nothing leaves the machine.

- A test that needs network namespaces has the marker ``namespaces``; one that needs a real program takes it by the
  fixture ``peer``. Either is skipped where that is missing, if ``skips.toml`` lists it. Any other skip is a failure.
- A connection to anywhere but loopback fails the test that made it. Sockets that the lab made in its own network
  namespaces are told apart by the kernel's cookie of their namespace.
"""

import fnmatch
import functools
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

# Who is started in the background of a script, or by nohup, ignores these, and whatever it starts inherits that:
# programs that a test interrupts would never hear of it.
for _number, _usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

_HERE = Path(__file__).parent
_PEERS: dict[str, str] = tomllib.loads((_HERE / "peers.toml").read_text())
_SKIPS: list[dict[str, str]] = tomllib.loads((_HERE / "skips.toml").read_text())["skip"]
_LACKS = "lacks "

# Hundreds of tests start programs of this package. Where the environment says that nothing compiled is kept, each start
# would compile the package anew, 0.3 s of processor a time, which no installed program does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The suite gives the same answer every time; `make prove` looks for new examples, at length.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("suite")


# Skips ---------------------------------------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run."""
    if item.get_closest_marker("namespaces") and (why := _no_namespaces()):
        pytest.skip(f"{_LACKS}namespaces ({why})")


@functools.cache
def _no_namespaces() -> str:
    """Why no network namespace can be had here; empty where one can."""
    why = ""
    for flags in (["-Urn"], ["-n"]):
        tried = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True, timeout=10, check=False)
        if tried.returncode == 0:
            return ""
        why = why or tried.stderr.strip()
    return why


@pytest.fixture
def peer() -> Callable[[str], str]:
    """``peer("ss-server")`` is the path of a program of ``peers.toml``; where it is absent the test is skipped."""

    def find(name: str) -> str:
        package = _PEERS[name]
        # Debian keeps some of them where only root's PATH looks.
        path = shutil.which(name, path=os.environ["PATH"] + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin")
        if path is None:
            pytest.skip(f"{_LACKS}{name} (Debian package {package})")
        return path

    return find


@pytest.fixture
def root() -> None:
    """For what only root may do; skipped for anybody else."""
    if os.geteuid() != 0:
        pytest.skip(f"{_LACKS}root (this is user {os.geteuid()})")


@pytest.fixture
def outside() -> Path:
    """The corpora of others, which cannot be part of this repository; ``ROZANEH_OUTSIDE_DATA`` says where they are."""
    folder = Path(os.environ.get("ROZANEH_OUTSIDE_DATA") or _HERE.parents[1] / "shared" / "data")
    if not (folder / "measurement").is_dir():
        pytest.skip(f"{_LACKS}outside-data (ROZANEH_OUTSIDE_DATA names no such folder)")
    return folder


@pytest.fixture
def library() -> Callable[[str], ModuleType]:
    """``library("chdb")`` is a module of ``requirements/scale.lock``; where it is absent the test is skipped."""

    def find(name: str) -> ModuleType:
        if find_spec(name) is None:
            pytest.skip(f"{_LACKS}{name} (requirements/scale.lock)")
        return import_module(name)

    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip that is not listed is a failure."""
    report = yield
    if report.skipped and not _listed(item.nodeid, _reason(report)):
        report.outcome = "failed"
        vars(report).pop("wasxfail", None)  # an expected failure would not count as one
        report.longrepr = f"skipped, but tests/skips.toml does not list that: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole file that is skipped is never listed."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"a whole file may not be skipped: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _listed(nodeid: str, reason: str) -> bool:
    return any(
        fnmatch.fnmatch(nodeid, skip["test"]) and reason.startswith(f"{_LACKS}{skip['needs']} ") for skip in _SKIPS
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that says what this machine lacks, and how many tests that left out."""
    lacking: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        what = _reason(report).removeprefix(_LACKS)
        lacking[what] = lacking.get(what, 0) + 1
    if lacking:
        told = "; ".join(f"{what}: {n} test{'s' if n > 1 else ''} left out" for what, n in sorted(lacking.items()))
        terminalreporter.write_line(f"absent here: {told}")


# Nothing leaves the machine ------------------------------------------------------------------------------------------

_SO_NETNS_COOKIE = 71  # Linux 5.14, asm-generic/socket.h
_GUARDED = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_NAMED = {"socket.getaddrinfo", "socket.gethostbyname"}
_left: list[str] = []
_guarding = False


def _cookie(sock: socket.socket) -> bytes:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    except OSError:
        return b""


with socket.socket() as _here:
    _OURS = _cookie(_here)


def _ours(sock: socket.socket) -> bool:
    """Whether a socket is in this process's own namespace. A kernel that cannot tell is believed to run the lab."""
    return bool(_OURS) and _cookie(sock) == _OURS


def _inet(sock: socket.socket) -> bool:
    return sock.family in (socket.AF_INET, socket.AF_INET6)


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if not _guarding or event not in _GUARDED | _NAMED:
        return
    if event in _NAMED:
        away = not _is_here(arguments[0])
    else:
        sock, address = arguments
        assert isinstance(sock, socket.socket)
        away = isinstance(address, tuple) and _inet(sock) and not _is_here(address[0]) and _ours(sock)
    if away:
        _left.append(f"{event}{arguments[-1] if event in _GUARDED else arguments[0]!r}")
        pytest.fail(f"a test may not leave the machine: {_left[-1]}")


def _is_here(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    if not isinstance(text, str) or text in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _stays_on_the_machine() -> Iterator[None]:
    """Fails a test that tried to leave, also when its code swallowed the refusal or ran in a thread."""
    global _guarding  # noqa: PLW0603 - an audit hook is one for the process and cannot be taken back
    _left.clear()
    _guarding = True
    try:
        yield
    finally:
        _guarding = False
    if _left:
        pytest.fail(f"a test may not leave the machine: {', '.join(_left)}")

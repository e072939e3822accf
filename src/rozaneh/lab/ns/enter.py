"""Run a program on a host of the lab: join the host's namespaces, then exec. Standard library only.

The namespaces come as inherited file descriptors. This process stays behind, outside, as the program's parent, because
a process namespace is entered by the children of whoever joins it. It passes signals on and ends as the program ended,
so that a shell, a terminal and ``subprocess`` see the program itself.
"""

import argparse
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from rozaneh.lab.ns import calls

NOT_FOUND, NOT_EXECUTABLE, CANNOT_ENTER = 127, 126, 125
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
_FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
# Name services that would answer from outside the lab, through a socket in the file system.
_OUTSIDE_NAME_SERVICES = ("/run/nscd/socket", "/var/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve")


def main() -> int:
    """Join, run, and return the exit status."""
    options = _options()
    try:
        if not os.path.sameopenfile(options.user, os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)):
            calls.setns(options.user, calls.CLONE_NEWUSER, "CLONE_NEWUSER")
        calls.setns(options.net, calls.CLONE_NEWNET, "CLONE_NEWNET")
        calls.setns(options.pid, calls.CLONE_NEWPID, "CLONE_NEWPID")
    except calls.CallRefused as refused:
        return _complain(f"cannot enter the lab: {refused}", CANNOT_ENTER)
    # A signal that comes before there is a child to pass it on to must wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_PASSED_ON, *_FROM_THE_TERMINAL))
    parent_end, child_end = socket.socketpair()
    child = os.fork()
    if child == 0:
        parent_end.close()
        _become(options, child_end)
    child_end.close()
    return _stay_behind(child)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rozaneh lab")
    for kind in ("user", "pid", "net"):
        parser.add_argument(f"--{kind}", type=int, required=True)
    parser.add_argument("--resolv", default="")
    parser.add_argument("--ca", default="")
    parser.add_argument("argv", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.argv[:1] == ["--"]:
        del options.argv[0]
    return options


def _become(options: argparse.Namespace, lifeline: socket.socket) -> NoReturn:
    """In the child: arrange the file system, then turn into the program."""
    status = NOT_FOUND
    program = options.argv[0]
    try:
        calls.die_with_parent(signal.SIGKILL)
        lifeline.setblocking(False)  # noqa: FBT003 - the system's own signature
        with suppress(BlockingIOError):
            if lifeline.recv(1) == b"":
                os._exit(CANNOT_ENTER)
        _arrange_files(options)
        for kind in ("user", "pid", "net"):
            os.close(getattr(options, kind))
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_PASSED_ON, *_FROM_THE_TERMINAL))
        calls.keep_capabilities_over_exec()
        os.execvp(program, options.argv)  # noqa: S606 - no shell is wanted
    except calls.CallRefused as refused:
        status = _complain(f"cannot enter the lab: {refused}", CANNOT_ENTER)
    except FileNotFoundError:
        _complain(f"{program}: no such program here", status)
    except PermissionError:
        # A folder of PATH that may not be looked into, as root's own are, hides nothing that could be run.
        if "/" in program or shutil.which(program):
            status = _complain(f"{program}: not allowed to run it", NOT_EXECUTABLE)
        else:
            _complain(f"{program}: no such program here", status)
    except OSError as error:
        status = _complain(f"{program}: {error.strerror}", NOT_EXECUTABLE)
    os._exit(status)


def _arrange_files(options: argparse.Namespace) -> None:
    calls.make_mounts_private()
    with suppress(calls.CallRefused):  # some containers do not allow a fresh /proc; then the old one stays
        calls.mount("proc", "/proc", "proc", calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC)
    for path in _OUTSIDE_NAME_SERVICES:
        if Path(path).exists():
            calls.bind("/dev/null", path)
    folder = Path(options.resolv).parent
    if options.resolv and Path("/etc/resolv.conf").exists():
        calls.bind(options.resolv, "/etc/resolv.conf")
    if options.resolv and Path("/etc/nsswitch.conf").exists():
        calls.bind(str(folder / "nsswitch.conf"), "/etc/nsswitch.conf")
    if options.ca:
        for bundle in _BUNDLES:
            if Path(bundle).exists():
                calls.bind(options.ca, bundle)


def _stay_behind(child: int) -> int:
    def pass_on(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    # What came before there was a child waits with us alone: a fork does not hand on what waits.
    for number in signal.sigpending() & set(_FROM_THE_TERMINAL):
        pass_on(number, None)
    for number in _FROM_THE_TERMINAL:
        # From now on the terminal sends these to the program as well, and it alone decides what they mean.
        signal.signal(number, signal.SIG_IGN)
    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_PASSED_ON, *_FROM_THE_TERMINAL))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        fatal = os.WTERMSIG(status)
        with suppress(OSError):  # SIGKILL has no handler to reset
            signal.signal(fatal, signal.SIG_DFL)
        os.kill(os.getpid(), fatal)
        signal.pause()
    return os.waitstatus_to_exitcode(status)


def _complain(text: str, status: int) -> int:
    os.write(sys.stderr.fileno(), f"rozaneh lab: {text}\n".encode())
    return status

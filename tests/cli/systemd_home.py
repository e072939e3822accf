"""A user's systemd as process 1 of namespaces of its own, and a gateway that it starts, restarts and stops.

Run by ``test_unit.py`` as root: ``systemd_home.py FOLDER ROZANEH PORT``. Nothing of this machine's is touched but its
files are read; the control group is one of its own and goes with it. Prints one JSON object.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def run(*words: str) -> str:
    """What a program prints."""
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout.strip()


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    sys.exit("it has not come to that")


def outside(words: list[str]) -> int:
    """Make the control group, go on in it as process 1, and remove it."""
    run("mount", "--make-rprivate", "/")
    run("umount", "-R", str(_GROUPS))
    run("mount", "-t", "cgroup2", "cgroup2", str(_GROUPS))
    group = _GROUPS / f"rozaneh-test-{os.getpid()}"
    group.mkdir()
    try:
        inner = ["unshare", "-p", "-f", "--mount-proc", "--kill-child", sys.executable, __file__, "inside", *words]
        enter = f'echo 0 > {group}/cgroup.procs && exec "$@"'
        return subprocess.run(["sh", "-c", enter, "sh", *inner], timeout=200, check=False).returncode
    finally:
        for folder, _, _ in os.walk(group, topdown=False):
            until(partial(removed, Path(folder)))


def removed(group: Path) -> bool:
    """Whether it could be removed: what ran in it needs a moment to be gone."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def manager(folder: Path) -> Iterator[None]:
    """The user's systemd, until it has stopped everything."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/systemd/system").mkdir(parents=True)  # by which systemd knows that the system was started by one
    Path("/run/user/0").mkdir(parents=True, mode=0o700)
    for name in [name for name in os.environ if name.startswith(("XDG_", "DBUS_", "ROZANEH_"))]:
        del os.environ[name]
    os.environ |= {"XDG_RUNTIME_DIR": "/run/user/0", "HOME": str(folder)}
    with subprocess.Popen(["/lib/systemd/systemd", "--user"], stdout=2) as started:
        try:
            yield
        finally:
            started.terminate()


def systemctl(*words: str) -> str:
    return run("systemctl", "--user", *words)


def shown(name: str) -> str:
    """A property of the unit."""
    return systemctl("show", "-P", name, "rozaneh")


def inside(folder: Path, rozaneh: str, port: int) -> dict[str, object]:
    """What a person does with the unit, and what can go wrong with it."""
    with manager(folder):
        said = run(rozaneh, "up", "--install-unit", "--port", str(port), "--allow-local")
        up = ["systemctl", "--user", "is-system-running"]
        until(lambda: subprocess.run(up, capture_output=True, check=False).stdout.strip() in (b"running", b"degraded"))
        for line in said.splitlines():
            if "systemctl" in line:
                run(*line.partition(": ")[2].split())
        first = shown("MainPID")
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(("127.0.0.1", port), timeout=30) as client,
        ):
            client.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + server.getsockname()[1].to_bytes(2, "big"))
            client.recv(12, socket.MSG_WAITALL)
            far = server.accept()[0]
            systemctl("reload", "rozaneh")
            second = shown("MainPID")
            client.sendall(b"goes on")
            heard = far.recv(7, socket.MSG_WAITALL).decode()
            far.close()
        socket.create_connection(("127.0.0.1", port)).close()
        state = shown("ActiveState")
        os.kill(int(second), signal.SIGKILL)
        until(lambda: shown("MainPID") not in ("0", second) and shown("ActiveState") == "active")
        third = shown("MainPID")
        socket.create_connection(("127.0.0.1", port)).close()
        systemctl("stop", "rozaneh")
        return {
            "processes": [first, second, third], "heard": heard, "state": state,
            "end": [shown("ActiveState"), shown("Result")],
        }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "inside":
        sys.stdout.write(json.dumps(inside(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
    else:
        sys.exit(outside(sys.argv[1:]))

"""Running without a terminal: a process of its own, and a unit for the user's systemd."""

import os
import shlex
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rozaneh.core import LocalFault
from rozaneh.words import later

__all__ = ["Notice", "detach", "install", "tell_systemd", "unit"]

Notice = Callable[[str], None]
"""Called in the background process with one line when it is ready; what waits for it prints that and ends."""

_LONGEST_LINE = 4096
_OURS = "# Written by rozaneh."
_NOTIFY = "NOTIFY_SOCKET"


def detach() -> tuple[str, Notice | None]:
    """Go on in a process of its own, without a terminal and without its output.

    Returns:
        In the process that was started by the user: what the other one said when it was ready, and none. In the
        background process: an empty text, and how to say that.

    Raises:
        LocalFault: the background process ended before it was ready; what it wrote is on standard error.
    """
    reading, writing = os.pipe()
    first = os.fork()
    if first:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read(_LONGEST_LINE).decode()
        os.waitpid(first, 0)
        if not said:
            raise LocalFault(later("the gateway could not start in the background"))
        return said.strip(), None
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)

    def ready(text: str) -> None:
        if _NOTIFY in os.environ:  # systemd keeps what is written, as it did for the process before
            os.write(writing, f"{text}\n".encode())
            os.close(writing)
            return
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)
        os.write(writing, f"{text}\n".encode())
        os.close(writing)

    return "", ready


def tell_systemd(variables: Mapping[str, str] = os.environ) -> None:
    """Tell the systemd that started this, if one did, that clients are served, and by which process.

    See sd_notify(3). It is how a gateway that took over becomes the unit's own.
    """
    place = variables.get(_NOTIFY, "")
    if place.startswith(("/", "@")):
        # Nobody there: then nobody waits for it either.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, suppress(OSError):
            name = f"\0{place[1:]}" if place.startswith("@") else place
            out.sendto(f"READY=1\nMAINPID={os.getpid()}\n".encode(), name)


def unit(arguments: Sequence[str]) -> str:
    """The text of a unit for the user's systemd that runs ``rozaneh up`` with these arguments.

    It restarts the gateway when that fails, unless it fails five times in a minute; stops it by SIGTERM, at which it
    closes what is open; and at ``reload`` a fresh process takes over while connections go on.
    """
    program = Path(sys.argv[0]).resolve()
    start = shlex.join([str(program), "up", *arguments]).replace("%", "%%").replace("$", "$$")
    reload = "" if "--memory-only" in arguments else f"ExecReload={start} --replace --daemon\n"
    return f"""{_OURS}
[Unit]
Description=Rozaneh: the local gateway
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=all
ExecStart={start}
{reload}Restart=on-failure
RestartSec=2
NoNewPrivileges=yes
LimitNOFILE=65536

[Install]
WantedBy=default.target
"""


def install(text: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Write a unit where the user's systemd looks for it. Nothing is started, and root is not needed.

    Raises:
        LocalFault: it cannot be written, or somebody else's unit is there.
    """
    base = environment.get("XDG_CONFIG_HOME", "")
    folder = (Path(base) if base.startswith("/") else Path.home() / ".config") / "systemd" / "user"
    path = folder / "rozaneh.service"
    try:
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_OURS):
            raise LocalFault(later("{path} is not a unit that was written here; it is left as it is", path=path))
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise LocalFault(later("cannot write {path}: {why}", path=path, why=error.strerror)) from error
    return path

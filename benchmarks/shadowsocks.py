"""What a gigabyte through a Shadowsocks server costs on our side, beside ``ss-local`` in the same run.

Both speak AES-256-GCM to the same ``ss-server``, on loopback and in processes of their own.
"""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

from benchmarks._traffic import (
    accepts,
    connected,
    raise_limit,
    running_gateway,
    running_origin,
    seconds_for_gigabyte,
    until,
)

COMMAND = "python -m benchmarks shadowsocks"
PASSES = 3
_CIPHER = "aes-256-gcm"
_HOST = "127.0.0.1"

Row = dict[str, object]


def main() -> list[Row]:
    missing = [name for name in ("ss-server", "ss-local") if _found(name) is None]
    name = "Shadowsocks AES-256-GCM: CPU for a gigabyte"
    if missing:
        return [_row(f"{name}, beside ss-local", f"{' and '.join(missing)} absent here", "")]
    raise_limit()
    ours, theirs = [], []
    server, local = _free_port(), _free_port()
    common = ("-s", _HOST, "-p", str(server), "-k", "lab", "-m", _CIPHER)
    way = f"ss://{_CIPHER}:lab@{_HOST}:{server}|tcp"
    with (
        running_origin() as origin,
        _running(server, "ss-server", *common),
        _running(local, "ss-local", *common, "-b", _HOST, "-l", str(local)) as peer,
        running_gateway("--way", way, "--route", f"{_HOST}=abroad") as (pid, port),
    ):
        for _ in range(PASSES):
            ours.append(seconds_for_gigabyte(pid, lambda: connected(origin, port)))
            theirs.append(seconds_for_gigabyte(peer, lambda: connected(origin, local)))
    return [
        _row(name, round(min(ours), 3), "s/GB"),
        _row("ss-local: CPU for a gigabyte", round(min(theirs), 3), "s/GB") | {"peer": "ss-local"},
        _row(f"{name}, beside ss-local", round(min(ours) / min(theirs), 2), "x", "<= 0.8") | {"peer": "ss-local"},
    ]


def _row(name: str, value: object, unit: str, target: str = "") -> Row:
    row: Row = {"name": name, "value": value, "unit": unit, "command": COMMAND}
    return row | {"target": target} if target else row


def _found(name: str) -> str | None:
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(port: int, *command: str) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: accepts(port))
            yield process.pid
        finally:
            process.kill()

"""What the gateway costs: time and CPU for a new connection, CPU for bytes beside nginx stream, memory while idle.

Everything on loopback, in one run, and in processes of its own: the real ``rozaneh up``, an origin, and nginx.
"""

import contextlib
import os
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks._traffic import (
    GET,
    MOST_OPEN,
    accepts,
    connected,
    cpu_seconds,
    raise_limit,
    resident_megabytes,
    running_gateway,
    running_origin,
    seconds_for_gigabyte,
    until,
)

COMMAND = "python -m benchmarks gateway"
CONNECTIONS = 300
MANY = 3000
ROUNDS = 5
PASSES = 3

Row = dict[str, object]


def main() -> list[Row]:
    raise_limit()
    with running_origin() as origin, running_gateway() as (pid, port):
        return [
            _added_time(origin, port),
            _opened(origin, pid, port),
            *_cpu(origin, pid, port),
            _idle(origin, pid, port),
        ]


# Peers


@contextlib.contextmanager
def _nginx(origin: int) -> Iterator[tuple[int, int] | None]:
    path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if path is None or not module.exists():
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(
            f"load_module {module};\ndaemon off; master_process off; pid {folder}/pid; error_log /dev/null;\n"
            "events { worker_connections 4096; }\n"
            f"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{origin}; }} }}\n"
        )
        with subprocess.Popen([path, "-c", str(file), "-p", folder], stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: accepts(port))
                yield process.pid, port
            finally:
                process.terminate()


# Figures


def _added_time(origin: int, port: int) -> Row:
    """Direct and proxied connections in turn, so that both see the same machine."""
    direct, proxied = [], []
    for _ in range(CONNECTIONS):
        direct.append(_first_byte(origin, None))
        proxied.append(_first_byte(origin, port))
    added = (statistics.median(proxied) - statistics.median(direct)) * 1000
    return {
        "name": "gateway: added to a new connection on an unblocked path (median)",
        "value": round(added, 2),
        "unit": "ms",
        "target": "< 5",
        "command": COMMAND,
    }


def _first_byte(origin: int, proxy: int | None) -> float:
    began = time.perf_counter()
    with connected(origin, proxy) as stream:
        stream.sendall(GET)
        assert stream.recv(1)
    return time.perf_counter() - began


def _opened(origin: int, pid: int, port: int) -> Row:
    """Connections, each with a request and its answer, for every second of the gateway's CPU; it uses one core."""
    took = []
    for _ in range(ROUNDS):
        before = cpu_seconds(pid)
        for _ in range(MANY):
            _first_byte(origin, port)
        took.append(cpu_seconds(pid) - before)
    return {
        "name": f"gateway: connections opened on an unblocked path, for each second of one core (best of {ROUNDS})",
        "value": round(MANY / min(took)),
        "unit": "/s",
        "target": ">= 1000",
        "command": COMMAND,
    }


def _cpu(origin: int, pid: int, port: int) -> list[Row]:
    """CPU of the gateway and of nginx for the same bytes, in turn; the least of the passes is the least disturbed."""
    ours, theirs = [], []
    with _nginx(origin) as nginx:
        for _ in range(PASSES):
            ours.append(seconds_for_gigabyte(pid, lambda: connected(origin, port)))
            if nginx is not None:
                peer, place = nginx
                theirs.append(seconds_for_gigabyte(peer, lambda place=place: connected(place, None)))  # type: ignore[misc]  # mypy infers no type for a lambda with a default
    rows: list[Row] = [
        {"name": "gateway: CPU for a gigabyte", "value": round(min(ours), 3), "unit": "s/GB", "command": COMMAND}
    ]
    if not theirs:
        absent = "nginx with its stream module is absent here"
        return [*rows, {"name": "gateway: CPU beside nginx stream", "value": absent, "unit": "", "command": COMMAND}]
    return [
        *rows,
        {
            "name": "nginx stream: CPU for a gigabyte",
            "value": round(min(theirs), 3),
            "unit": "s/GB",
            "peer": "nginx",
            "command": COMMAND,
        },
        {
            "name": "gateway: CPU beside nginx stream",
            "value": round(min(ours) / min(theirs), 2),
            "unit": "x",
            "target": "<= 1.1",
            "peer": "nginx",
            "command": COMMAND,
        },
    ]


def _idle(origin: int, pid: int, port: int) -> Row:
    """Resident memory of the gateway while connections stand open through which something went before."""
    # The gateway has room for a third of what the system lets it open.
    count = min(MOST_OPEN, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 3)
    empty = resident_megabytes(pid)
    opened = []
    try:
        for _ in range(count):
            stream = connected(origin, port)
            opened.append(stream)
            stream.sendall(b"hello")
            assert stream.recv(5, socket.MSG_WAITALL) == b"hello"
        held = resident_megabytes(pid) - empty
    finally:
        for stream in opened:
            stream.close()
    return {
        "name": f"gateway: memory for 1,000 idle connections ({count} open at once)",
        "value": round(held * 1000 / count, 1),
        "unit": "MB",
        "target": "<= 10",
        "command": COMMAND,
    }

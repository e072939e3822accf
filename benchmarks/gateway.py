"""What the gateway costs: time for a new connection, CPU for bytes (beside nginx stream in the same run), memory for
idle connections. Everything on loopback and in processes of its own: the real ``rozaneh up``, an origin, and nginx.
"""

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

COMMAND = "python -m benchmarks gateway"
CONNECTIONS = 300
GIGABYTE = 1_000_000_000
PASSES = 3
IDLE = 10_000
_BLOCK = bytes(1 << 20)
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_GET = b"GET / HTTP/1.1\r\nHost: origin.example\r\n\r\n"

Row = dict[str, object]


def main() -> list[Row]:
    _raise_limit()
    with _origin() as origin, _gateway() as (pid, port):
        return [_added_time(origin, port), *_cpu(origin, pid, port), _idle(origin, pid, port)]


# Peers


def _serve(ready: "multiprocessing.Queue[int]") -> None:
    """An origin: for ``GET`` a page, for ``give N`` so many bytes, anything else is echoed and left open."""
    _raise_limit()
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    ready.put(listening.getsockname()[1])
    kept = []
    while True:
        client, _ = listening.accept()
        first = client.recv(4096)
        if first.startswith(b"GET"):
            client.sendall(_PAGE)
            client.close()
        elif first.startswith(b"give "):
            threading.Thread(target=_give, args=(client, int(first[5:]))).start()
        else:
            client.sendall(first)
            kept.append(client)


def _give(client: socket.socket, count: int) -> None:
    with client:
        while count > 0:
            count -= client.send(memoryview(_BLOCK)[: min(count, len(_BLOCK))])


@contextlib.contextmanager
def _origin() -> Iterator[int]:
    ready: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve, args=(ready,), daemon=True)
    process.start()
    try:
        yield ready.get(timeout=10)
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def _gateway() -> Iterator[tuple[int, int]]:
    argv = [sys.executable, "-m", "rozaneh.cli", "up", "--port", "0", "--memory-only", "--allow-local", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        # Somebody has to read what it tells, or it would wait.
        threading.Thread(target=shutil.copyfileobj, args=(process.stdout, Path(os.devnull).open("wb"))).start()  # noqa: SIM115 - lives as long as the thread
        try:
            yield process.pid, port
        finally:
            process.terminate()


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
                _until(lambda: _accepts(port))
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
    with _connection(origin, proxy) as stream:
        stream.sendall(_GET)
        assert stream.recv(1)
    return time.perf_counter() - began


def _cpu(origin: int, pid: int, port: int) -> list[Row]:
    """CPU of the gateway and of nginx for the same bytes, in turn; the least of the passes is the least disturbed."""
    ours, theirs = [], []
    with _nginx(origin) as nginx:
        for _ in range(PASSES):
            ours.append(_seconds_for_gigabyte(pid, lambda: _connection(origin, port)))
            if nginx is not None:
                peer, place = nginx
                theirs.append(_seconds_for_gigabyte(peer, lambda place=place: _connection(place, None)))  # type: ignore[misc]  # mypy infers no type for a lambda with a default
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
            "target": "<= 1.3",
            "peer": "nginx",
            "command": COMMAND,
        },
    ]


def _seconds_for_gigabyte(pid: int, connect: Callable[[], socket.socket]) -> float:
    before = _cpu_seconds(pid)
    got = 0
    buffer = bytearray(1 << 20)
    with connect() as stream:
        stream.sendall(b"give %d" % GIGABYTE)
        while got < GIGABYTE:
            # The bytes are counted and thrown away by the kernel, so that the generator costs little.
            got += stream.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
    return _cpu_seconds(pid) - before


def _idle(origin: int, pid: int, port: int) -> Row:
    """Resident memory of the gateway while connections stand open through which something went before."""
    count = min(IDLE, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2)
    empty = _resident_megabytes(pid)
    opened = []
    try:
        for _ in range(count):
            stream = _connection(origin, port)
            opened.append(stream)
            stream.sendall(b"hello")
            assert stream.recv(5, socket.MSG_WAITALL) == b"hello"
        held = _resident_megabytes(pid) - empty
    finally:
        for stream in opened:
            stream.close()
    return {
        "name": f"gateway: memory for 1,000 idle connections ({count} open at once)",
        "value": round(held * 1000 / count, 1),
        "unit": "MB",
        "command": COMMAND,
    }


# Small things


def _connection(origin: int, proxy: int | None) -> socket.socket:
    """A connection to the origin, directly or by SOCKS5."""
    stream = socket.create_connection(("127.0.0.1", proxy or origin))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if proxy is not None:
        stream.sendall(b"\x05\x01\x00")
        assert stream.recv(2, socket.MSG_WAITALL) == b"\x05\x00"
        stream.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + origin.to_bytes(2, "big"))
        assert stream.recv(10, socket.MSG_WAITALL)[1] == 0
    return stream


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _raise_limit() -> None:
    """As many descriptors as this user may have; both ends of ten thousand connections need twenty thousand."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, 3 * IDLE), hard):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "a peer did not start"
        time.sleep(0.02)

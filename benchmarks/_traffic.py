"""What the benchmarks of the gateway share: the real ``rozaneh up``, an origin, and ways to look at processes."""

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

GIGABYTE = 1_000_000_000
MOST_OPEN = 10_000
GET = b"GET / HTTP/1.1\r\nHost: origin.example\r\n\r\n"
_BLOCK = bytes(1 << 20)
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def _serve(ready: "multiprocessing.Queue[int]") -> None:
    """An origin: for ``GET`` a page, for ``give N`` so many bytes, anything else is echoed and left open."""
    raise_limit()
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
def running_origin() -> Iterator[int]:
    ready: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve, args=(ready,), daemon=True)
    process.start()
    try:
        yield ready.get(timeout=10)
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def running_gateway(*options: str) -> Iterator[tuple[int, int]]:
    """The real gateway: its process and its port."""
    argv = [sys.executable, "-m", "rozaneh.cli", "up", "--port", "0", "--memory-only", "--allow-local", "--json"]
    with subprocess.Popen([*argv, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        # Somebody has to read what it tells, or it would wait.
        threading.Thread(target=shutil.copyfileobj, args=(process.stdout, Path(os.devnull).open("wb"))).start()  # noqa: SIM115 - lives as long as the thread
        try:
            yield process.pid, port
        finally:
            process.terminate()


def connected(origin: int, proxy: int | None) -> socket.socket:
    """A connection to the origin, directly or by SOCKS5."""
    stream = socket.create_connection(("127.0.0.1", proxy or origin))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if proxy is not None:
        stream.sendall(b"\x05\x01\x00")
        assert stream.recv(2, socket.MSG_WAITALL) == b"\x05\x00"
        stream.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + origin.to_bytes(2, "big"))
        assert stream.recv(10, socket.MSG_WAITALL)[1] == 0
    return stream


def seconds_for_gigabyte(pid: int, connect: Callable[[], socket.socket]) -> float:
    """CPU of a process while a gigabyte comes through it."""
    before = cpu_seconds(pid)
    got = 0
    buffer = bytearray(1 << 20)
    with connect() as stream:
        stream.sendall(b"give %d" % GIGABYTE)
        while got < GIGABYTE:
            # The bytes are counted and thrown away by the kernel, so that the generator costs little.
            got += stream.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
    return cpu_seconds(pid) - before


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def raise_limit() -> None:
    """As many descriptors as this user may have; both ends of ten thousand connections need twenty thousand."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, 3 * MOST_OPEN), hard):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "a peer did not start"
        time.sleep(0.02)

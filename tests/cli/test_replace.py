"""A gateway that is replaced while it is used, and the unit that is written for systemd."""

import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from rozaneh.cli import background
from rozaneh.core import LocalFault
from tests.cli.test_up import rozaneh


def started(state: Path, *arguments: str) -> tuple[int, int]:
    """The port and the process of a gateway in the background."""
    done = rozaneh("up", "--daemon", "--port", "0", "--state", str(state), "--allow-local", *arguments)
    found = re.search(r"127\.0\.0\.1:(\d+).*kill (\d+)", done.stdout, re.DOTALL)
    assert found, done.stderr
    return int(found[1]), int(found[2])


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


def through(gateway: int, port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", gateway), timeout=20)
    client.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + port.to_bytes(2, "big"))
    assert exactly(client, 12)[3] == 0
    return client


def echoes(client: socket.socket, data: bytes) -> bool:
    client.sendall(data)
    return exactly(client, len(data)) == data


def test_another_process_takes_over_and_nobody_notices(tmp_path: Path) -> None:
    echo = socket.create_server(("127.0.0.1", 0))

    def answer(client: socket.socket) -> None:
        with client:
            while data := client.recv(4096):
                client.sendall(data)

    def accept() -> None:
        while True:
            try:
                threading.Thread(target=answer, args=(echo.accept()[0],), daemon=True).start()
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    port, first = started(tmp_path)
    second = 0
    try:
        old = through(port, echo.getsockname()[1])
        assert echoes(old, b"before")
        assert rozaneh("pause", "--state", str(tmp_path)).returncode == 0
        assert old.recv(1) == b"", "paused: what was open is broken off"
        old.close()
        assert rozaneh("pause", "--end", "--state", str(tmp_path)).returncode == 0
        old = through(port, echo.getsockname()[1])
        assert echoes(old, b"before")
        again, second = started(tmp_path, "--replace")
        assert again == port
        assert second != first
        assert echoes(old, b"an old connection goes on")
        assert runs(first)
        new = through(port, echo.getsockname()[1])
        assert echoes(new, b"a new one is made by the other process")
        old.close()
        for _ in range(400):
            if not runs(first):
                break
            time.sleep(0.025)
        assert not runs(first), "with its last connection the old one ends"
        assert echoes(new, b"still")
        assert rozaneh("status", "--state", str(tmp_path), "--json").returncode == 0, (
            "its control socket is the new one's"
        )
        new.close()
    finally:
        for process in (first, second):
            if process and runs(process):
                os.kill(process, signal.SIGTERM)
        echo.close()


def test_a_unit_is_written_for_its_user_and_somebody_else_s_is_left(tmp_path: Path) -> None:
    where = {"XDG_CONFIG_HOME": str(tmp_path)}
    printed = rozaneh("up", "--install-unit", "--port", "1090", "--daemon", **where)
    path = tmp_path / "systemd" / "user" / "rozaneh.service"
    assert printed.returncode == 0
    assert str(path) in printed.stdout
    assert "systemctl --user enable --now rozaneh" in printed.stdout
    assert "up --port 1090\n" in path.read_text()
    assert background.install(background.unit(["--port", "1"]), where) == path
    assert "up --port 1\n" in path.read_text()
    path.write_text("[Unit]\n")
    with pytest.raises(LocalFault, match="not a unit that was written here"):
        background.install(background.unit([]), where)
    assert path.read_text() == "[Unit]\n"

"""A gateway that is replaced while it is used: its port is never closed, and nobody is cut off."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest

from rozaneh.gateway import control
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


def asked(state: Path, ask: Literal["link", "look"]) -> control.Answer:
    answer = control.ask(state, control.Question(ask=ask))
    assert answer is not None
    return answer


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


@contextlib.contextmanager
def knocking(port: int) -> Iterator[list[bytes]]:
    """Somebody who comes again and again meanwhile, and what was answered each time."""
    answers: list[bytes] = []
    enough = threading.Event()

    def knock() -> None:
        while not enough.wait(0.02):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                    client.sendall(b"\x05\x01\x00")
                    answers.append(exactly(client, 2))
            except OSError as error:
                answers.append(str(error).encode())

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield answers
    finally:
        enough.set()
        thread.join()


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything back."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(client: socket.socket) -> None:
        with client:
            while data := client.recv(4096):
                client.sendall(data)

    def accept() -> None:
        while True:
            try:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    with server:
        yield server.getsockname()[1]


def test_another_process_takes_over_and_nobody_notices(echo: int, tmp_path: Path) -> None:
    port, first = started(tmp_path)
    second = 0
    try:
        old = through(port, echo)
        assert echoes(old, b"before")
        assert rozaneh("pause", "--state", str(tmp_path)).returncode == 0
        assert old.recv(1) == b"", "paused: what was open is broken off"
        old.close()
        assert rozaneh("pause", "--end", "--state", str(tmp_path)).returncode == 0
        old = through(port, echo)
        assert echoes(old, b"before")
        page = asked(tmp_path, "link").link
        broken = rozaneh("up", "--replace", "--share", "10.255.255.254", "--port", "0", "--state", str(tmp_path))
        assert (broken.returncode, broken.stderr.count("\n")) == (2, 1), broken.stderr
        assert "choose another one with --share" in broken.stderr
        assert echoes(old, b"who cannot take over has changed nothing")
        with through(port, echo) as another:
            assert echoes(another, b"nor for whoever comes")
        with knocking(port) as knocked:
            again, second = started(tmp_path, "--replace")
        assert again == port
        assert second != first
        assert knocked, "somebody came all the time"
        assert set(knocked) == {b"\x05\x00"}, "and nobody was turned away"
        assert urlsplit(asked(tmp_path, "link").link).netloc == urlsplit(page).netloc, "the page stays where it was"
        assert echoes(old, b"an old connection goes on")
        assert runs(first)
        new = through(port, echo)
        assert echoes(new, b"a new one is made by the other process")
        old.close()
        for _ in range(400):
            if not runs(first):
                break
            time.sleep(0.025)
        assert not runs(first), "with its last connection the old one ends"
        assert echoes(new, b"still")
        assert asked(tmp_path, "look").look is not None, "its control socket is the new one's"
        new.close()
    finally:
        for process in (first, second):
            if process and runs(process):
                os.kill(process, signal.SIGTERM)

"""``rozaneh up`` and ``rozaneh why`` as a person runs them: in the background, as a unit, shared, wrongly."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from rozaneh.cli.sharing import shared
from rozaneh.core import LocalFault
from rozaneh.links.parts import split


def rozaneh(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "rozaneh.cli", *arguments]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LC_ALL": "C", **environment}
    )


def test_in_the_background_it_serves_answers_and_ends_when_asked(tmp_path: Path) -> None:
    started = rozaneh("up", "--daemon", "--port", "0", "--state", str(tmp_path))
    assert started.returncode == 0, started.stderr
    found = re.search(r"127\.0\.0\.1:(\d+).*kill (\d+)", started.stdout, re.DOTALL)
    assert found, started.stdout
    port, pid = int(found[1]), int(found[2])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"\x05\x01\x00\x05\x01\x00\x03\x09localhost\x00\x50")
            assert client.recv(2, socket.MSG_WAITALL) == b"\x05\x00"
            assert client.recv(2, socket.MSG_WAITALL) == b"\x05\x02", "not allowed"
        second = rozaneh("up", "--daemon", "--port", str(port), "--state", str(tmp_path / "other"))
        assert second.returncode != 0
        assert f"port {port}" in second.stderr
        assert "Traceback" not in second.stderr
        look = json.loads(rozaneh("status", "--state", str(tmp_path), "--json").stdout)
        assert (look["proxy"], look["paused"], look["curfew"]) == (f"127.0.0.1:{port}", False, None)
        page = json.loads(rozaneh("status", "--page", "--state", str(tmp_path), "--json").stdout)["page"]
        with urllib.request.urlopen(page, timeout=10) as opened:  # noqa: S310 - its own page on loopback
            assert b"<html" in opened.read()
        known = rozaneh("why", "--state", str(tmp_path), "--json", "localhost")
        assert "Traceback" not in known.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
    for _ in range(200):
        if not (tmp_path / "control").exists():
            break
        time.sleep(0.05)
    assert not (tmp_path / "control").exists(), "it has cleaned up"


def test_a_unit_runs_the_same_gateway() -> None:
    printed = rozaneh("up", "--unit", "--port", "1090", "--route", ".example.com=abroad")
    assert printed.returncode == 0
    assert "up --port 1090 --route .example.com=abroad\n" in printed.stdout
    assert "--unit" not in printed.stdout
    assert "NoNewPrivileges=yes" in printed.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--route", "a.example=somewhere"), "HOST=direct"),
        (("--share", "0.0.0.0"), "home network"),
        (("--share", "8.8.8.8"), "home network"),
        (("--share", "printer"), "192.168.1.5"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    wrong = rozaneh("up", "--port", "0", "--memory-only", *arguments)
    assert wrong.returncode == 2
    assert says in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_what_is_shared_has_a_password_and_fits_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROZANEH_PASSWORD", raising=False)
    one, other = shared("192.168.1.5", 1080), shared("192.168.1.5", 1080)
    assert one.password != other.password
    assert other.after(one.password) == one, "who takes over goes on with what phones know"
    assert one.link == f"socks5://rozaneh:{one.password}@192.168.1.5:1080"
    monkeypatch.setenv("ROZANEH_PASSWORD", "a b/c:d@e")
    assert shared("fd00::5", 1080).link == "socks5://rozaneh:a%20b%2Fc%3Ad%40e@[fd00::5]:1080"
    assert shared("fd00::5", 1080).after(one.password) == shared("fd00::5", 1080), "unless another one was chosen"
    monkeypatch.setenv("ROZANEH_PASSWORD", "short")
    with pytest.raises(LocalFault, match="at least 8"):
        shared("192.168.1.5", 1080)
    monkeypatch.setenv("ROZANEH_PASSWORD", "۱" * 128)
    assert len(split(shared("192.168.1.5", 1080).link)) == 1, "the longest there is still has a code"
    monkeypatch.setenv("ROZANEH_PASSWORD", "🔑" * 128)
    with pytest.raises(LocalFault, match="900 fit a QR code"):
        shared("192.168.1.5", 1080)
    monkeypatch.setenv("ROZANEH_PASSWORD", "x" * 129)
    with pytest.raises(LocalFault, match="at most 128"):
        shared("192.168.1.5", 1080)


def test_why_without_a_gateway_searches_anew(tmp_path: Path) -> None:
    asked = rozaneh("why", "--state", str(tmp_path), "--json", "http://127.0.0.1:9")
    assert asked.returncode == 0, asked.stderr
    (why,) = json.loads(asked.stdout)
    assert (why["host"], why["port"], why["refused"]) == ("127.0.0.1", 9, True)
    assert why["tried"][0]["failure"] == "connection_refused"
    assert list(tmp_path.iterdir()) == [], "nothing of it is kept"

"""The unit for the user's systemd: what it says, what systemd says of it, and a real systemd that runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.cli import background
from rozaneh.core import LocalFault
from tests.cli.test_up import rozaneh
from tests.dialers.peers import free_port


def test_a_unit_is_written_for_its_user_and_somebody_else_s_is_left(
    peer: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path(sys.executable).with_name("rozaneh"))])
    where = {"XDG_CONFIG_HOME": str(tmp_path)}
    printed = rozaneh("up", "--install-unit", "--port", "1090", "--daemon", **where)
    path = tmp_path / "systemd" / "user" / "rozaneh.service"
    assert printed.returncode == 0
    assert str(path) in printed.stdout
    assert "systemctl --user enable --now rozaneh" in printed.stdout
    assert "up --port 1090\n" in path.read_text()
    assert "up --port 1090 --replace --daemon\n" in path.read_text()
    assert background.install(background.unit(["--port", "1", "--memory-only"]), where) == path
    assert "up --port 1 --memory-only\n" in path.read_text()
    assert "ExecReload" not in path.read_text(), "what keeps nothing has no place to give away"
    path.write_text("[Unit]\n")
    with pytest.raises(LocalFault, match="not a unit that was written here"):
        background.install(background.unit([]), where)
    assert path.read_text() == "[Unit]\n"
    path.write_text(background.unit(["--port", "1090"]))
    verified = subprocess.run(
        [peer("systemd-analyze"), "--user", "verify", str(path)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.usefixtures("root")
def test_a_real_systemd_starts_restarts_and_stops_it(peer: Callable[[str], str], tmp_path: Path) -> None:
    peer("systemctl")
    program = Path(sys.executable).with_name("rozaneh")
    words = [sys.executable, str(Path(__file__).with_name("systemd_home.py"))]
    done = subprocess.run(
        ["unshare", "-m", *words, str(tmp_path), str(program), str(free_port())],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert len({"0", *seen["processes"]}) == 4, "three processes, one after another"
    assert seen["heard"] == "goes on", "a connection that is open while it is reloaded"
    assert (seen["state"], seen["end"]) == ("active", ["inactive", "success"])

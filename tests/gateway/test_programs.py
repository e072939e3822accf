"""Programs that nobody here wrote, through the real gateway: git, apt, and ssh by way of nc."""

import getpass
import gzip
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.dialers.peers import running
from tests.dialers.servers import Peer, sshd

pytestmark = pytest.mark.peers

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """``host:port`` of a gateway that leads to this machine as well."""
    argv = [sys.executable, "-m", "rozaneh.cli", "up", "--port", "0", "--memory-only", "--allow-local", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        try:
            yield f"{HOST}:{port}"
        finally:
            process.terminate()
            process.stdout.read()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """A folder that a web server shows, the server's address, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer((HOST, 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield folder, f"http://{HOST}:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def run(*command: str, **environment: str) -> str:
    settings = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**settings, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_git_clones(scheme: str, gateway: str, web: tuple[Path, str, list[str]], peer: Peer, tmp_path: Path) -> None:
    git = peer("git")
    folder, place, asked = web
    work = tmp_path / "work"
    run(git, "init", "-q", str(work))
    (work / "file").write_text("from afar\n")
    run(git, "-C", str(work), "add", "file")
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    run(git, "-C", str(work), *who, "commit", "-q", "-m", "one")
    run(git, "clone", "-q", "--bare", str(work), str(folder / "repo.git"))
    run(git, "-C", str(folder / "repo.git"), "update-server-info")
    proxy = f"http.proxy={scheme}://{gateway}"
    run(git, "-c", proxy, "clone", "-q", f"{place}/repo.git", str(tmp_path / "got"), GIT_TERMINAL_PROMPT="0")
    assert (tmp_path / "got" / "file").read_text() == "from afar\n"
    assert any("info/refs" in path for path in asked)


def test_apt_reads_a_repository(gateway: str, web: tuple[Path, str, list[str]], peer: Peer, tmp_path: Path) -> None:
    apt = peer("apt-get")
    folder, place, asked = web
    packages = b"Package: hello\nVersion: 1.0\nArchitecture: all\nFilename: ./hello.deb\nSize: 1\n\n"
    (folder / "Packages").write_bytes(packages)
    (folder / "Packages.gz").write_bytes(gzip.compress(packages))
    sums = "".join(
        f" {hashlib.sha256((folder / name).read_bytes()).hexdigest()} {(folder / name).stat().st_size} {name}\n"
        for name in ("Packages", "Packages.gz")
    )
    (folder / "Release").write_text(f"Origin: test\nSHA256:\n{sums}")
    root = tmp_path / "apt"
    for name in ("lists/partial", "cache/archives/partial", "etc/parts"):
        (root / name).mkdir(parents=True)
    (root / "etc/sources.list").write_text(f"deb [trusted=yes] {place} ./\n")
    (root / "status").touch()
    settings = {
        "Dir::State": root,
        "Dir::State::lists": root / "lists",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "Dir::Etc::sourcelist": root / "etc/sources.list",
        "Dir::Etc::sourceparts": root / "etc/parts",
        "Acquire::http::Proxy": f"http://{gateway}",
        "APT::Sandbox::User": getpass.getuser(),
        "Acquire::Languages": "none",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run(apt, *options, "update", "-q")
    assert "Package: hello" in run(peer("apt-cache"), *options, "show", "hello")
    assert any("Packages" in path for path in asked)


def test_ssh_logs_in(gateway: str, peer: Peer, tmp_path: Path) -> None:
    ssh, nc = peer("ssh"), peer("nc")
    port, command = sshd(peer, tmp_path)
    (tmp_path / "known").write_text(f"[{HOST}]:{port} {(tmp_path / 'host.pub').read_text()}")
    with running(port, *command):
        said = run(
            ssh, "-F", "none", "-i", str(tmp_path / "user"), "-p", str(port),
            "-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-o", "BatchMode=yes",
            "-o", f"ProxyCommand={nc} -X 5 -x {gateway} %h %p", f"{getpass.getuser()}@{HOST}", "echo", "through",
        )  # fmt: skip
    assert said == "through\n"

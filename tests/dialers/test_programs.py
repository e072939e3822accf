"""The ways through programs: started when needed, ended with us, and never reachable from elsewhere."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rozaneh.core import SpecError
from rozaneh.dialers import build
from rozaneh.dialers.tor import torrc
from rozaneh.links import parse as parse_link
from rozaneh.links.own import program, with_plugin
from rozaneh.links.tor import parse as bridge
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.real import RealNetwork
from tests.dialers.peers import free_port, outcome, running
from tests.dialers.servers import Peer, dressed, obfs, ssh_way, sshd

pytestmark = pytest.mark.anyio

PYTHON = sys.executable
LISTEN = "import socket,sys,time; s=socket.socket(); s.bind((sys.argv[1],int(sys.argv[2]))); s.listen(); time.sleep(60)"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


@pytest.mark.peers
async def test_a_program_of_one_s_own_is_a_way(peer: Peer) -> None:
    way = program([peer("microsocks"), "-i", "127.0.0.1", "-p", "{port}"]).way
    assert await outcome(way) is None


KEY = "CDF2E852BF539B82BD10E27E9115A31734E378C2"
BRIDGES = {
    "webtunnel": f"webtunnel [2001:db8::7]:443 {KEY} url=https://front.example/hidden%20path ver=0.0.1",
    "snowflake": f"snowflake 192.0.2.3:80 {KEY} fingerprint={KEY} url=https://broker.example/ "
    "fronts=a.example,b.example ice=stun:stun.example:3478 utls-imitate=hellorandomizedalpn",
}
FAKE_TOR = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = -f ] && /bin/cat "$2" >"${0%/*}/torrc"; shift; done
exit 3
"""


def _put(folder: Path, name: str, text: str = "#!/bin/sh\n") -> str:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return str(folder / name)


@pytest.mark.parametrize("transport", list(BRIDGES))
@pytest.mark.parametrize("installed", ["its-own", "lyrebird", ""])
async def test_a_bridge_by_a_transport_starts_tor_with_its_program(
    transport: str, installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("rozaneh.dialers.helper._PATH", "")
    _put(tmp_path, "tor", FAKE_TOR)
    way = parse_link(BRIDGES[transport]).way
    own = f"{transport}-client"
    if not installed:
        with pytest.raises(SpecError, match=f"the program {own} or lyrebird is not installed here"):
            build(way, RealNetwork())
        return
    path = _put(tmp_path, own if installed == "its-own" else installed)
    assert await outcome(way) == "unknown_failure"  # this tor writes down what it was told, and ends
    told = (tmp_path / "torrc").read_text().splitlines()
    assert f"ClientTransportPlugin {transport} exec {path}" in told
    assert f"Bridge {BRIDGES[transport]}" in told
    assert "UseBridges 1" in told
    assert BRIDGES[transport].split()[1] not in build(way, RealNetwork()).spec.redacted()


async def test_a_program_that_ends_is_a_failure() -> None:
    way = program([PYTHON, "-c", "pass", "{port}"]).way
    assert await outcome(way) == "unknown_failure"
    assert await outcome(program(["/nonexistent", "{port}"]).way) == "unknown_failure"


async def test_a_program_that_listens_for_others_is_ended() -> None:
    way = program([PYTHON, "-c", LISTEN, "0.0.0.0", "{port}"]).way
    assert await outcome(way) == "unknown_failure"


def test_a_program_ends_with_us_even_when_we_are_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    child = (
        f"import os,sys,time; open({str(told)!r},'w').write(str(os.getpid())); sys.argv[1:]=['127.0.0.1',sys.argv[1]]; "
        + LISTEN
    )
    script = f"""
import sys
import anyio
from rozaneh.dialers import build
from rozaneh.net.real import RealNetwork
from rozaneh.links.own import program
async def main():
    way = build(program([{PYTHON!r}, "-c", {child!r}, "{{port}}"]).way, RealNetwork())
    await way.helper.port()
    print("up", flush=True)
    sys.stdin.readline()
anyio.run(main)
"""
    for killed in (False, True):
        with subprocess.Popen([PYTHON, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"up\n"
            pid = int(told.read_text())
            assert _alive(pid)
            if killed:
                parent.kill()
        assert _gone(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _gone(pid: int) -> bool:
    for _ in range(250):
        try:
            if not _alive(pid):
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("way", ["exec:/bin/true {port}", "tor", "plugin:obfs-local"])
def test_a_program_is_no_way_of_another_network(way: str) -> None:
    with pytest.raises(SpecError, match="this machine's own network"):
        build(way, MemoryNetwork())


@pytest.mark.parametrize(
    ("words", "reason"),
    [([], "a program"), (["x"], "{port}"), (["{port}"], "{port}"), (["x", "{port}", "a\x00"], "U\\+0000")],
)
def test_a_wrong_program_is_named(words: list[str], reason: str) -> None:
    with pytest.raises(SpecError, match=reason.replace("{", r"\{")):
        program(words)


def test_a_program_s_words_stay_whole() -> None:
    words = ["/opt/my prog", "a|b", "50%", "{port}", "س"]
    way = program(words)
    assert "|" not in way.way
    assert way.shown == "exec:***"
    from rozaneh.links.own import words_of

    assert words_of(way.way.removeprefix("exec:")) == words


def test_an_unknown_program_is_said_before_it_is_needed() -> None:
    with pytest.raises(SpecError, match="is not installed here"):
        build("exec:no-such-program-here {port}", RealNetwork())


def test_tor_is_configured_for_us_alone() -> None:
    line = "obfs4 192.95.36.142:443 CDF2E852BF539B82BD10E27E9115A31734E378C2 cert=x iat-mode=0"
    text = torrc(9999, "folder", (bridge(line),), {"obfs4": "/usr/bin/obfs4proxy"})
    assert "SocksPort 127.0.0.1:9999\n" in text
    assert f"Bridge {line}\n" in text
    assert "UseBridges 1\n" in text
    assert "ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy\n" in text
    assert "UseBridges 0\n" in torrc(9999, "folder", (), {})


@pytest.mark.peers
async def test_ssh_through_openssh(peer: Peer, tmp_path: Path) -> None:
    port, command = sshd(peer, tmp_path)
    with running(port, *command):
        assert await outcome(ssh_way(tmp_path, port)) is None
        assert await outcome(ssh_way(tmp_path, port, "other")) == "ssl_unknown_authority"
        assert await outcome(ssh_way(tmp_path, port, user="other")) == "unknown_failure"


def test_ssh_without_a_pinned_key_is_refused() -> None:
    with pytest.raises(SpecError, match="hostkey="):
        build("ssh://user@h.example|tcp", MemoryNetwork())


@pytest.mark.peers
@pytest.mark.parametrize("dress", ["http", "tls"])
async def test_shadowsocks_through_simple_obfs(dress: str, peer: Peer) -> None:
    inner = free_port()
    server = (peer("ss-server"), "-s", "127.0.0.1", "-p", str(inner), "-k", "lab", "-m", "aes-256-gcm")
    port, front = obfs(peer, dress, inner)
    with running(inner, *server), running(port, *front):
        link = parse_link(dressed(f"ss://aes-256-gcm:lab@127.0.0.1:{port}", dress))
        assert not link.way, "a plugin never starts because a link says so"
        assert await outcome(with_plugin(link).way) is None


def test_a_link_cannot_choose_any_program() -> None:
    for plugin in ("sh", "%2Fbin%2Fsh", "..%2Fobfs-local", ""):
        way = parse_link(f"ss://aes-256-gcm:lab@127.0.0.1:1?plugin={plugin}%3Bx")
        with pytest.raises(SpecError, match="is not known"):
            with_plugin(way)

"""A Tor network of its own on loopback, a bridge by obfs4 into it, and our way through both: a part of ``make prove``.

One authority, three relays that are exits, and a bridge; all are Debian's ``tor`` and ``obfs4proxy``. The way is the
element ``tor:`` as anybody would use it. Only the ``tor`` that it finds first on the PATH is a script, which tells
the real one about this network, because the real one knows the real authorities alone. Then the probe's experiment lets
that ``tor`` start, and must say that it did.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import Target
from rozaneh.dialers import build
from rozaneh.links import parse
from rozaneh.net import measure
from rozaneh.net.memory import echo
from rozaneh.net.real import RealNetwork
from rozaneh.net.streams import receive_exactly
from rozaneh.probe.experiments.tor import bootstrapped

_SIZE = 200_000
_PATIENCE = 150.0
_COMMON = """
TestingTorNetwork 1
Address 127.0.0.1
SocksPort 0
ControlPort 0
ShutdownWaitLength 0
AssumeReachable 1
ExitPolicyRejectPrivate 0
ExitPolicy accept *:*
ContactInfo nobody@example.org
PidFile {folder}/pid
Log notice file {folder}/log
"""
_AUTHORITY = """
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
DirPort 127.0.0.1:{dir_port}
TestingV3AuthInitialVotingInterval 10
TestingV3AuthInitialVoteDelay 3
TestingV3AuthInitialDistDelay 3
V3AuthVotingInterval 20
V3AuthVoteDelay 4
V3AuthDistDelay 4
TestingMinExitFlagThreshold 0
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
"""


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _tor(*arguments: str) -> str:
    ran = subprocess.run(["tor", "--quiet", *arguments], capture_output=True, text=True, check=True)
    return ran.stdout


class _Node:
    """One ``tor`` of the network."""

    def __init__(self, top: Path, name: str, extra: str = "") -> None:
        self.folder = top / name
        self.folder.mkdir(mode=0o700)
        self.name = name
        self.or_port = _port()
        self.torrc = self.folder / "torrc"
        self.extra = extra

    def fingerprint(self) -> str:
        self.torrc.write_text(f"DataDirectory {self.folder}\nOrPort {self.or_port}\nNickname {self.name}\n")
        told = _tor("--list-fingerprint", "-f", str(self.torrc), "--DirAuthority", f"x 127.0.0.1:1 {'F' * 40}")
        return "".join(told.split()[1:])

    @contextmanager
    def running(self, authority: str) -> Iterator[None]:
        text = f"DataDirectory {self.folder}\nNickname {self.name}\nOrPort 127.0.0.1:{self.or_port}\n"
        self.torrc.write_text(text + _COMMON.format(folder=self.folder) + self.extra + authority)
        process = subprocess.Popen(["tor", "--quiet", "-f", str(self.torrc), "--defaults-torrc", "/dev/null"])
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _authority(top: Path) -> tuple[_Node, str]:
    dir_port = _port()
    node = _Node(top, "authority", _AUTHORITY.format(dir_port=dir_port))
    keys = node.folder / "keys"
    keys.mkdir(mode=0o700)
    made = ["-i", str(keys / "authority_identity_key"), "-s", str(keys / "authority_signing_key")]
    made += ["-c", str(keys / "authority_certificate"), "-m", "12", "-a", f"127.0.0.1:{dir_port}"]
    subprocess.run(
        ["tor-gencert", "--create-identity-key", "--passphrase-fd", "0", *made],
        input=b"x\n",
        capture_output=True,
        check=True,
    )
    found = re.search(r"^fingerprint ([0-9A-F]{40})$", (keys / "authority_certificate").read_text(), re.MULTILINE)
    assert found is not None
    line = f"orport={node.or_port} v3ident={found.group(1)} 127.0.0.1:{dir_port} {node.fingerprint()}"
    return node, f"\nDirAuthority authority {line}\n"


def _bridge_line(node: _Node, fingerprint: str, port: int) -> str:
    path = node.folder / "pt_state" / "obfs4_bridgeline.txt"
    ends = time.monotonic() + 60
    while not path.exists() and time.monotonic() < ends:
        time.sleep(0.2)
    told = re.search(r"cert=\S+ iat-mode=\d", path.read_text())
    assert told is not None
    return f"obfs4 127.0.0.1:{port} {fingerprint} {told.group()}"


async def _there_and_back(way: str) -> str:
    network = RealNetwork()
    listener = await network.listen_tcp("127.0.0.1", 0)

    async def handle(stream: ByteStream) -> None:
        async with stream:
            await echo(stream)

    dialer = build(way, network)
    ends = anyio.current_time() + _PATIENCE
    failure = "it was not tried"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        target = Target(host="127.0.0.1", port=listener.extra(SocketAttribute.local_port))
        while failure and anyio.current_time() < ends:
            async with await measure(dialer, target) as measured:
                failure = f"{measured.failure} {measured.detail}" if measured.stream is None else ""
                if measured.stream is not None:
                    async with anyio.create_task_group() as both:
                        both.start_soon(measured.stream.send, bytes(_SIZE))
                        assert await receive_exactly(measured.stream, _SIZE) == bytes(_SIZE)
            await anyio.sleep(2)
        group.cancel_scope.cancel()
    return failure


def tor_network() -> str:
    """What went wrong, or nothing."""
    real = shutil.which("tor", path=os.environ["PATH"] + ":/usr/sbin")
    if real is None or not shutil.which("obfs4proxy") or not shutil.which("tor-gencert"):
        return "tor and obfs4proxy are not installed"
    os.environ["PATH"] = f"{Path(real).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        top = Path(folder)
        authority, line = _authority(top)
        port = _port()
        transport = f"BridgeRelay 1\nServerTransportPlugin obfs4 exec {shutil.which('obfs4proxy')}\n"
        bridge = _Node(top, "bridge", f"{transport}ServerTransportListenAddr obfs4 127.0.0.1:{port}\nExtORPort auto\n")
        fingerprint = bridge.fingerprint()
        for node in (authority, bridge, *(_Node(top, f"relay{n}", "ExitRelay 1\n") for n in range(3))):
            stack.enter_context(node.running(line))
        script = top / "bin" / "tor"
        script.parent.mkdir()
        words = line.strip().removeprefix("DirAuthority ")
        told = f"--TestingTorNetwork 1 --DirAuthority '{words}' --ClientRejectInternalAddresses 0"
        script.write_text(f'#!/bin/sh\nexec {real} "$@" {told}\n')
        script.chmod(0o755)
        os.environ["PATH"] = f"{script.parent}:{os.environ['PATH']}"
        way = parse(_bridge_line(bridge, fingerprint, port)).way
        return anyio.run(_there_and_back, way) or anyio.run(_started, str(script))


async def _started(program: str) -> str:
    """What the probe's experiment says of a ``tor`` that starts in this network, or nothing if it is right."""
    seen = await bootstrapped(program, _PATIENCE)
    return "" if seen is not None and seen.success and seen.tor_progress == 100 else f"the experiment says {seen}"

"""A Tor network of its own, and a bridge by obfs4 into it: Debian's ``tor`` and ``obfs4proxy``.

One authority, three relays that are exits, and a bridge. The real ``tor`` of a client knows the real authorities alone,
so :attr:`TorNetwork.script` stands in for it: it tells the real one about this network, and changes nothing else.
"""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.dialers.peers import free_port

__all__ = ["TorNetwork"]

Starts = Callable[[Sequence[str]], "subprocess.Popen[bytes]"]
"""Starts a program where the network is to be."""

_PATH = "/usr/sbin:/sbin"
_COMMON = """
TestingTorNetwork 1
SocksPort 0
ControlPort 0
ShutdownWaitLength 0
AssumeReachable 1
ExitPolicyRejectPrivate 0
ExitPolicy accept *:*
ServerDNSDetectHijacking 0
ContactInfo nobody@example.org
"""
# As often as a network for tests may: the first consensus is there after five seconds.
_AUTHORITY = """
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingMinExitFlagThreshold 0
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
"""


class TorNetwork:
    """The network, from when it is entered until it is left.

    Args:
        folder: for its keys and for :attr:`script`.
        address: where all of it stands.
        starts: starts a program there.
    """

    def __init__(self, folder: Path, address: str, starts: Starts) -> None:
        self._folder = folder
        self._address = address
        self._starts = starts
        self._undo = ExitStack()
        self._real = _program("tor")
        self.bridge_port = free_port()
        self._words: list[str] = []
        self._fingerprint = ""

    def __enter__(self) -> Self:
        authority, line = self._authority()
        self._words = ["--TestingTorNetwork", "1", "--DirAuthority", line, "--ClientRejectInternalAddresses", "0"]
        bridge = self._node("bridge", self._bridge())
        self._fingerprint = self._identity(bridge)
        for torrc in (authority, bridge, *(self._node(f"relay{n}", "ExitRelay 1\n") for n in range(3))):
            with torrc.open("a") as file:
                file.write(f"DirAuthority {line}\n")
            self._undo.callback(_end, self._starts([self._real, "--quiet", "-f", str(torrc)]))
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def script(self) -> Path:
        """What is to be found as ``tor`` by whoever uses this network."""
        path = self._folder / "bin" / "tor"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {self._real} "$@" {shlex.join(self._words)}\n')
        path.chmod(0o755)
        return path

    def bridge_line(self) -> str:
        """What a person would paste; the bridge's own program has written it by then."""
        found = self._says("bridge/pt_state/obfs4_bridgeline.txt", r"cert=\S+ iat-mode=\d")
        return f"obfs4 {self._address}:{self.bridge_port} {self._fingerprint} {found}"

    def wait(self) -> None:
        """Until its relays know of each other, so that whoever comes finds a way through."""
        self._says("bridge/log", r"Bootstrapped 100%")

    def _says(self, name: str, what: str) -> str:
        path, ends = self._folder / name, time.monotonic() + 90
        while time.monotonic() < ends:
            found = re.search(what, path.read_text()) if path.exists() else None
            if found is not None:
                return found.group()
            time.sleep(0.1)
        raise TimeoutError(f"{name} never says {what}")

    def _node(self, name: str, extra: str, or_port: int = 0) -> Path:
        folder = self._folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        torrc = folder / "torrc"
        torrc.write_text(
            f"DataDirectory {folder}\nNickname {name}\nORPort {self._address}:{or_port or free_port()}\n"
            f"Address {self._address}\n{_COMMON}Log notice file {folder}/log\n{extra}"
        )
        return torrc

    def _bridge(self) -> str:
        return (
            f"BridgeRelay 1\nExtORPort auto\nServerTransportPlugin obfs4 exec {_program('obfs4proxy')}\n"
            f"ServerTransportListenAddr obfs4 {self._address}:{self.bridge_port}\n"
        )

    def _authority(self) -> tuple[Path, str]:
        or_port, dir_port = free_port(), free_port()
        torrc = self._node("authority", f"{_AUTHORITY}DirPort {self._address}:{dir_port}\n", or_port)
        keys = torrc.parent / "keys"
        keys.mkdir(mode=0o700)
        made = ["-i", str(keys / "authority_identity_key"), "-s", str(keys / "authority_signing_key")]
        made += ["-c", str(keys / "authority_certificate"), "-m", "12", "-a", f"{self._address}:{dir_port}"]
        subprocess.run(
            [_program("tor-gencert"), "--create-identity-key", "--passphrase-fd", "0", *made],
            input=b"x\n", capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        found = re.search(r"^fingerprint ([0-9A-F]{40})$", (keys / "authority_certificate").read_text(), re.MULTILINE)
        assert found is not None
        place = f"{self._address}:{dir_port} {self._identity(torrc)}"
        return torrc, f"authority orport={or_port} v3ident={found.group(1)} {place}"

    def _identity(self, torrc: Path) -> str:
        """A node's fingerprint, which makes its keys."""
        asked = ["--quiet", "--list-fingerprint", "-f", str(torrc), "--DirAuthority", f"x 127.0.0.1:1 {'F' * 40}"]
        told = subprocess.run(
            [self._real, *asked], capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return "".join(told.stdout.split()[1:])


def _program(name: str) -> str:
    path = shutil.which(name, path=os.environ["PATH"] + os.pathsep + _PATH)
    assert path is not None, f"{name} is not installed"
    return path


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()

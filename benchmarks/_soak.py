"""A gateway in the lab under mixed load while the censor changes all the time: what it holds must not grow."""

import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec

from benchmarks._traffic import resident_megabytes
from rozaneh.core import Target
from rozaneh.dialers import build
from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from rozaneh.net import Dialer
from rozaneh.net.trace import NETWORK_ERRORS
from rozaneh.trial import get

__all__ = ["Held", "soak"]

_PORT = 1080
_RELAY = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388"
_CENSORS = (
    "sni-reset", "sni-drop", "dns-injection-race", "record-fragments-dropped", "address-drop",
    "shutdown-domestic-stays", "clear",
)  # fmt: skip
_EVERY = 20.0
_REST = 0.4
"""Seconds between the beginnings of two connections."""
_PATIENCE = 15.0
_PAGES = tuple(
    Target.parse(url)
    for url in (
        "https://blocked.example/", "https://example.org/", "https://blocked.example/bytes/100000", "http://example.org/",
        "https://www.blocked.example/", "https://down.example/", "https://domestic.example/", "https://nowhere.example/",
    )
)  # fmt: skip
_NONSENSE = (
    b"\x05\x01",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"\x00" * 300,
    b"\x05\x01\x00\x05\x01\x00\x03\xff",
)
_MEGABYTES_MORE = 6.0
_FILES_MORE = 12
_THREADS_MORE = 4


class Held(msgspec.Struct, frozen=True):
    """What a process holds at one moment."""

    megabytes: float
    files: int
    threads: int


def _itself(pid: int) -> int:
    """The gateway, below the program of the lab that starts it in its host."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def _held(started: int) -> Held:
    pid = _itself(started)
    folder = Path(f"/proc/{pid}")
    files, threads = (len(list((folder / name).iterdir())) for name in ("fd", "task"))
    return Held(resident_megabytes(pid), files, threads)


def soak(seconds: float, say: Callable[[str], None]) -> list[str]:
    """What has grown, one line each; growth is looked for between the first whole round of censors and the last."""
    with Lab() as lab, tempfile.TemporaryDirectory() as state:
        client = lab.client("mobile", load_scenario(_CENSORS[0]))
        argv = [
            sys.executable,
            "-m",
            "rozaneh.cli",
            "up",
            "--port",
            str(_PORT),
            "--state",
            state,
            "--way",
            _RELAY,
            "--json",
        ]
        with client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as gateway:
            try:
                assert gateway.stdout is not None
                json.loads(gateway.stdout.readline())
                rounds = anyio.run(_loaded, lab, client, gateway, seconds, say, backend_options={"use_uvloop": True})
            finally:
                gateway.terminate()
                _, wrong = gateway.communicate(timeout=30)
                client.close()
    found = [f"the gateway ended with status {gateway.returncode}"] if gateway.returncode else []
    found += [
        f"the gateway said: {line}" for line in wrong.decode(errors="replace").splitlines() if "Traceback" in line
    ]
    return found + _grown(rounds)


def _grown(rounds: list[Held]) -> list[str]:
    if len(rounds) < 3:
        return ["too short for a judgement: it takes three rounds of all censors"]
    first, last = rounds[0], rounds[-1]
    return [
        f"{what} grew from {before:.1f} to {after:.1f}"
        for what, before, after, most in (
            ("megabytes", first.megabytes, last.megabytes, _MEGABYTES_MORE),
            ("files", first.files, last.files, _FILES_MORE),
            ("threads", first.threads, last.threads, _THREADS_MORE),
        )
        if after > before + most
    ]


async def _loaded(
    lab: Lab, client: LabClient, gateway: "subprocess.Popen[bytes]", seconds: float, say: Callable[[str], None]
) -> list[Held]:
    dialer = build(f"socks5://127.0.0.1:{_PORT}|tcp", client.network)
    rounds: list[Held] = []
    counts = {"came": 0, "failed": 0}
    ends = time.monotonic() + seconds
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_drained, gateway)
        tasks.start_soon(_clients, lab, client, dialer, counts)
        for turn in itertools.count():
            name = _CENSORS[turn % len(_CENSORS)]
            lab.load(client, load_scenario(name))
            await anyio.sleep(_EVERY)
            held = _held(gateway.pid)
            say(f"{name}: {held.megabytes:.1f} MB, {held.files} files, {held.threads} threads; {counts}")
            if name == _CENSORS[-1]:
                rounds.append(held)
            if time.monotonic() > ends or gateway.poll() is not None:
                break
        tasks.cancel_scope.cancel()
    return rounds


async def _drained(gateway: "subprocess.Popen[bytes]") -> None:
    """Take what it tells, so that the pipe is never full."""
    assert gateway.stdout is not None
    while await anyio.to_thread.run_sync(gateway.stdout.readline, abandon_on_cancel=True):
        pass


async def _clients(lab: Lab, client: LabClient, dialer: Dialer, counts: dict[str, int]) -> None:
    chance = random.Random(1401)
    async with anyio.create_task_group() as tasks:
        while True:
            if chance.random() < 0.2:
                tasks.start_soon(_nonsense, client, chance.choice(_NONSENSE))
            else:
                tasks.start_soon(_page, lab, dialer, chance.choice(_PAGES), counts)
            await anyio.sleep(_REST)


async def _page(lab: Lab, dialer: Dialer, target: Target, counts: dict[str, int]) -> None:
    with anyio.move_on_after(_PATIENCE):
        got = await get(dialer, target, lab)
        counts["came" if got.outcome == "ok" else "failed"] += 1


async def _nonsense(client: LabClient, data: bytes) -> None:
    with anyio.move_on_after(_PATIENCE):
        try:
            async with await client.network.connect_tcp("127.0.0.1", _PORT) as stream:
                await stream.send(data)
                while True:
                    await stream.receive()
        except NETWORK_ERRORS:
            return

"""Real programs of other people, started on loopback for one test and killed after it."""

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import anyio
import trustme
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import Failure, Target
from rozaneh.dialers import build
from rozaneh.net import Trace, measure
from rozaneh.net.memory import echo
from rozaneh.net.real import RealNetwork
from rozaneh.net.streams import receive_exactly
from rozaneh.net.trust import Trust
from tests.dialers.world import authority

NAME = "relay.example"
DATA = bytes(range(256)) * 1000


@contextmanager
def running(port: int, *command: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """A program, from when it listens on a loopback port until the test is over."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, f"{command[0]} has ended"
            time.sleep(0.02)
        else:
            raise AssertionError(f"{command[0]} does not listen on {port}")
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of loopback that nothing listens on, and that no test beside this one is given.

    It is none of those that the system gives to connections on their way out (32768 and up on Linux): one of these may
    be taken again before its server has started, by whatever another test connects to.
    """
    for port in _ports:
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port of loopback is free")


def _ports_of_this_process() -> Iterator[int]:
    """Each once, and from a share of its own for each process of the suite."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 12000 + 2000 * (worker % 8)
    yield from random.sample(range(first, first + 2000), 2000)


_ports = _ports_of_this_process()


@cache
def _certificate() -> trustme.LeafCert:
    return authority().issue_cert(NAME, "127.0.0.1")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for :data:`NAME` and its key, as files."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in _certificate().cert_chain_pems))
    key.write_bytes(_certificate().private_key_pem.bytes())
    return chain, key


def both_as_one(folder: Path) -> Path:
    """The same in one file, as haproxy wants it."""
    chain, key = certificate(folder)
    one = folder / "one.pem"
    one.write_bytes(chain.read_bytes() + key.read_bytes())
    return one


async def there_and_back(stream: ByteStream, _trace: Trace) -> None:
    """Send much, and hear the same."""
    with anyio.fail_after(30):  # a proxy that fell silent
        async with anyio.create_task_group() as group:
            group.start_soon(stream.send, DATA)
            assert await receive_exactly(stream, len(DATA)) == DATA


async def outcome(way: str, trust: Trust | None = None) -> Failure | None:
    """Dial an echo through a way, exchange much with it, and say how it went."""
    network = RealNetwork()
    listener = await network.listen_tcp("127.0.0.1", 0)

    async def handle(stream: ByteStream) -> None:
        async with stream:
            await echo(stream)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        target = Target(host="127.0.0.1", port=listener.extra(SocketAttribute.local_port))
        async with await measure(build(way, network, trust=trust), target) as measured:
            if measured.stream is not None:
                await there_and_back(measured.stream, measured.trace)
        group.cancel_scope.cancel()
    return measured.failure

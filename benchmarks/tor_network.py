"""A Tor network of its own on loopback, a bridge by obfs4 into it, and our way through both: a part of ``make prove``.

The way is the element ``tor:`` as anybody would use it, and carries much in both directions. Then the probe's
experiment lets that ``tor`` start, and must say that it did.
"""

import os
import shutil
import subprocess
import tempfile
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
from tests.dialers.tor_network import TorNetwork

_SIZE = 200_000
_PATIENCE = 150.0


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
    places = f"{os.environ['PATH']}:/usr/sbin"
    if not all(shutil.which(each, path=places) for each in ("tor", "obfs4proxy", "tor-gencert")):
        return "tor and obfs4proxy are not installed"
    with tempfile.TemporaryDirectory() as folder, TorNetwork(Path(folder), "127.0.0.1", subprocess.Popen) as network:
        os.environ["PATH"] = f"{network.script.parent}:{places}"
        way = parse(network.bridge_line()).way
        return anyio.run(_there_and_back, way) or anyio.run(_started, str(network.script))


async def _started(program: str) -> str:
    """What the probe's experiment says of a ``tor`` that starts in this network, or nothing if it is right."""
    seen = await bootstrapped(program, _PATIENCE)
    return "" if seen is not None and seen.success and seen.tor_progress == 100 else f"the experiment says {seen}"

"""A WireGuard tunnel for longer than its keys last, and after its server has begun anew: a part of ``make prove``.

A session's keys are made anew after two minutes (WireGuard's paper, 6.1: Rekey-After-Time is 120 s), and refused after
three. Here a connection is held, and used, for longer than that. Then the server vanishes and comes back with nothing
known of anybody: the client finds out by silence, after fifteen seconds (Keepalive-Timeout and Rekey-Timeout).
"""

import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
from anyio.abc import ByteStream

from rozaneh.core import Target
from rozaneh.dialers import build
from rozaneh.lab.lab import Lab
from rozaneh.net import Deadlines, measure
from rozaneh.net.memory import echo
from rozaneh.net.streams import receive_exactly
from tests.dialers.vpn import Server

_HELD = 200.0
_EVERY = 5.0
_BACK_WITHIN = 60.0
_SERVICE = Target(host="10.9.0.1", port=8080)


def wireguard_keys() -> str:
    """What went wrong, or nothing."""
    if not all(shutil.which(each) for each in ("wireguard-go", "wg", "ip")):
        return "wireguard-go, wg and ip are not installed"
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        server = Server(lab.host("relay"), Path(folder))
        if not server.start():
            return "no tunnel is allowed here"
        try:
            return anyio.run(_held_and_back, lab, server)
        finally:
            server.stop()


async def _held_and_back(lab: Lab, server: Server) -> str:
    async with AsyncExitStack() as undo, anyio.create_task_group() as tasks:
        listener = await lab.host("relay").network.listen_tcp(_SERVICE.host, _SERVICE.port)
        await undo.enter_async_context(listener)
        tasks.start_soon(listener.serve, _once)
        with lab.client("mobile", programs=False) as home:
            way = build(server.way, home.network)
            async with await measure(way, _SERVICE) as measured:
                if measured.stream is None:
                    return f"{measured.failure} {measured.detail}"
                ends = anyio.current_time() + _HELD
                while anyio.current_time() < ends:
                    with anyio.move_on_after(_EVERY * 2) as late:
                        await measured.stream.send(bytes(1000))
                        await receive_exactly(measured.stream, 1000)
                    if late.cancelled_caught:
                        return f"silent {ends - anyio.current_time():.0f} s before the end"
                    await anyio.sleep(_EVERY)
            server.stop()
            server.start()
            ends = anyio.current_time() + _BACK_WITHIN
            while anyio.current_time() < ends:
                async with await measure(way, _SERVICE, deadlines=Deadlines(connect=3.0)) as measured:
                    if measured.stream is not None:
                        tasks.cancel_scope.cancel()
                        return ""
        tasks.cancel_scope.cancel()
    return f"no connection within {_BACK_WITHIN:.0f} s after the server came back"


async def _once(stream: ByteStream) -> None:
    async with stream:
        await echo(stream)

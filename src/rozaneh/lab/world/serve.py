"""The world as a process: put every server on its host, say that it is ready, serve until told to end."""

import asyncio
import json
import logging
import resource
import signal
import socket
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.topology import Service, World
from rozaneh.lab.world.kinds import Servers
from rozaneh.lab.world.prober import Prober
from rozaneh.lab.world.sockets import HostSockets, NamespaceSockets

CA_FILE = "ca.pem"
_LONGEST_MESSAGE = 1 << 16
_MANY_SOCKETS = 20_000


class RunningWorld:
    """All servers of the lab in the running event loop.

    Args:
        world: what stands where.
        sockets: where sockets come from.
        room: a directory for the authority's certificate and for short-lived files.
    """

    def __init__(self, world: World, sockets: HostSockets, room: Path) -> None:
        _allow_many_sockets()
        self._servers = Servers(world, sockets, room)
        self._world = world
        (room / CA_FILE).write_bytes(self._servers.authority.certificate)

    def start(self) -> None:
        """Put every server on its host.

        Raises:
            LocalFault: a service of no known kind, or two that want the same place.
            OSError: a socket could not be bound.
        """
        for service in self._world.service:
            self._servers.stand(service)

    def add(self, service: Service) -> None:
        """Put one more service on hosts that exist. Raises as :meth:`start` does."""
        self._servers.directory.add(service)
        self._servers.stand(service)

    @property
    def prober(self) -> Prober:
        """Who probes servers for the censors."""
        return self._servers.prober

    async def warm(self) -> None:
        """Do in the background what would make first visitors wait."""
        await self._servers.warm()

    async def close(self) -> None:
        """End everything."""
        await self._servers.close()


def main(
    world: World,
    namespaces: Mapping[str, int],
    room: Path,
    control: socket.socket,
    probes: socket.socket | None = None,
) -> None:
    """Serve until the control socket ends or SIGTERM comes.

    Args:
        world: what stands where.
        namespaces: an open file descriptor of each host's network namespace.
        room: a directory; the authority's certificate is ``ca.pem`` in it before the world says that it is ready.
        control: a SEQPACKET socket. The world says ``{"event": "ready", "seconds": 0.2}`` or ``{"event": "error",
            "text": …}`` once. It takes ``{"do": "add_service", "service": {…}}`` and answers ``{"ok": true}`` or
            ``{"ok": false, "text": …}``.
        probes: a SEQPACKET socket on which the censors order active probes, see :mod:`rozaneh.lab.world.prober`.
    """
    asyncio.run(_serve(world, namespaces, room, control, probes))


async def _serve(
    world: World, namespaces: Mapping[str, int], room: Path, control: socket.socket, probes: socket.socket | None
) -> None:
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_note)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, ended.set)
    control.setblocking(False)  # noqa: FBT003 - the socket module takes it by position alone
    try:
        running = RunningWorld(world, NamespaceSockets(namespaces), room)
        running.start()
    except (LocalFault, OSError) as error:
        await _say(control, {"event": "error", "text": str(error)})
        return
    await _say(control, {"event": "ready", "seconds": round(time.perf_counter() - began, 3)})
    work: list[Coroutine[Any, Any, object]] = [_obey(control, running), ended.wait(), running.warm()]
    if probes is not None:
        probes.setblocking(False)  # noqa: FBT003 - as above
        work.append(running.prober.obey(probes))
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await running.close()


def _allow_many_sockets() -> None:
    """A socket for each address and port of the world is more than the thousand that a process usually may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _MANY_SOCKETS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(_MANY_SOCKETS, hard), hard))


async def _obey(control: socket.socket, running: RunningWorld) -> None:
    while message := await asyncio.get_running_loop().sock_recv(control, _LONGEST_MESSAGE):
        await _say(control, _done(message, running))


def _done(message: bytes, running: RunningWorld) -> dict[str, object]:
    try:
        order = msgspec.json.decode(message, type=_AddService)
        running.add(order.service)
    except (msgspec.DecodeError, LocalFault, OSError) as error:
        return {"ok": False, "text": str(error)}
    return {"ok": True}


class _AddService(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="add_service"
):
    service: Service


async def _say(control: socket.socket, what: dict[str, object]) -> None:
    with suppress(OSError):
        await asyncio.get_running_loop().sock_sendall(control, json.dumps(what).encode())


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What asyncio would print about connections that a peer broke: nobody's fault, and expected here."""
    del loop
    logging.getLogger("rozaneh.lab.world").debug("%s: %s", context.get("message"), context.get("exception"))

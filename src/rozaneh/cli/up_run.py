"""One gateway, from its start until somebody asks it to stop: its doors, its page, and whoever asks about it."""

import os
import signal
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
import anyio.to_thread
from anyio.abc import Listener, SocketAttribute

from rozaneh.cli import background
from rozaneh.cli.sharing import Shared
from rozaneh.cli.up_view import LOOPBACK, Screen
from rozaneh.core import LocalFault
from rozaneh.gateway import Event, Gateway, Limits, control
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.handing import NAME, Taken
from rozaneh.gateway.page.guard import Guard
from rozaneh.gateway.page.server import Page, place_of
from rozaneh.net import ByteStream
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import SocketListener
from rozaneh.words import Words, later, text_of

__all__ = ["Run"]

_OPTIONS = {"gateway": "--port", "shared": "--share", "page": "--page-port"}
"""What each door is for, and the option that says where it is."""

_DRAIN = 600.0
"""Seconds that connections are given to end after another process has taken over."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What runs.

    Attributes:
        desk: the gateway's.
        screen: shows what it does.
        tongue: the language of refusals, and of the page until somebody chooses.
        others: with whom it is shared; none for nobody.
        ready: told where it listens, in the background; none in a terminal.
        show_hosts: whether hosts are shown.
        local: whether it leads to this machine and its network.
        room: for how many clients.
    """

    desk: Desk
    screen: Screen
    tongue: Words
    others: Shared | None
    ready: background.Notice | None
    show_hosts: bool
    local: bool
    room: int

    async def serve(self, port: int, page_port: int, taken: Taken | None = None) -> None:
        """Listen and serve until a signal, or until another process has taken over and the last client has gone.

        Args:
            port: of the gateway.
            page_port: of its status page.
            taken: the doors of the gateway that ran before; none to open them.

        Raises:
            LocalFault: one of the ports cannot be had.
        """
        if self.desk.curfew is not None:
            self.desk.curfew.tell = self.screen.prepared
        async with AsyncExitStack() as stack:
            doors = _Doors(taken)
            if taken is not None and taken.paused:
                self.desk.switch.pause()
            others = self.others.after(taken.password) if self.others is not None and taken is not None else self.others
            listener = await stack.enter_async_context(await doors.open("gateway", LOOPBACK, port, moves=False))
            shared = None
            if others is not None:
                shared = await stack.enter_async_context(await doors.open("shared", others.address, others.port))
                others = others.at(shared.extra(SocketAttribute.local_port))
                doors.password = others.password
                self.desk.shared = others.link
            paged = await stack.enter_async_context(await doors.open("page", LOOPBACK, page_port))
            doors.close_unused()
            if taken is not None:
                await anyio.to_thread.run_sync(taken.ready)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            self.desk.proxy = place_of(listener)
            page = Page(self.desk, Guard(place_of(paged)), self.tongue.language)
            tasks.start_soon(_until_asked_to_stop, tasks.cancel_scope)
            tasks.start_soon(self._attend, page, paged, doors, tasks.cancel_scope)
            self._say_ready()
            with self.screen.showing(self.desk.proxy, page.guard.link):
                async with anyio.create_task_group() as served:
                    served.start_soon(self._gateway(None).serve, listener)
                    if others is not None and shared is not None:
                        self.screen.share(others.link)
                        served.start_soon(self._gateway(others.credentials).serve, shared)
            tasks.cancel_scope.cancel()

    def _say_ready(self) -> None:
        background.tell_systemd()
        if self.ready is None:
            return
        listening = self.tongue.say("Listening on {place}: SOCKS5 and HTTP CONNECT.", place=self.desk.proxy)
        page = self.tongue.say("Its status page: {command}", command="rozaneh status --page")
        stop = self.tongue.say("To stop it: {command}", command=f"kill {os.getpid()}")
        self.ready(f"{listening}\n{page}\n{stop}")

    def _gateway(self, credentials: tuple[str, str] | None) -> Gateway:
        return Gateway(
            self.desk.finder,
            tell=self._tell,
            warn=self.desk.warn,
            words=self.tongue,
            credentials=credentials,
            allow_local=self.local and credentials is None,
            show_hosts=self.show_hosts,
            switch=self.desk.switch,
            limits=Limits(clients=self.room),
        )

    def _tell(self, event: Event) -> None:
        self.desk.state.note(event)
        self.screen.tell(event)

    async def _attend(
        self, page: Page, paged: Listener[ByteStream], doors: "_Doors", everything: anyio.CancelScope
    ) -> None:
        """Everything beside the clients, until another process has the doors; then wait for those who are here."""
        async with anyio.create_task_group() as duties:
            duties.start_soon(page.serve, paged)
            duties.start_soon(self._answer_questions, page, doors)
            if self.desk.curfew is not None:
                duties.start_soon(self.desk.curfew.watch)
            await doors.left.wait()
            duties.cancel_scope.cancel()
        self.desk.warn("another process has taken over; what is open here goes on until it ends")
        await doors.aclose()
        await anyio.sleep(_DRAIN)
        everything.cancel()

    async def _answer_questions(self, page: Page, doors: "_Doors") -> None:
        folder = self.desk.folder
        if folder is None:
            return
        try:
            listening = control.listen(folder)
        except LocalFault as fault:
            self.desk.warn(text_of(fault))
            return
        with listening:
            try:
                await control.serve(listening, self.desk, page.guard.link, doors)
            finally:
                if not doors.left.is_set():  # else another process listens there by now
                    (folder / NAME).unlink(missing_ok=True)


class _Doors:
    """The sockets on which clients come, as they are opened here, taken from the process before, and given to the next.

    Args:
        taken: from the process before; none where there was none.
    """

    def __init__(self, taken: Taken | None) -> None:
        self.left = anyio.Event()
        self.password = ""
        self._taken = taken.doors if taken is not None else {}
        self._open: dict[str, Listener[ByteStream]] = {}

    async def open(self, kind: str, address: str, port: int, *, moves: bool = True) -> Listener[ByteStream]:
        """The one of the process before, if it is at that address, else a new one.

        Args:
            kind: what it is for, one of :data:`_OPTIONS`.
            address: where it is to be.
            port: its port; 0 for any.
            moves: whether it goes to another port when that is wanted; else the one before stays.

        Raises:
            LocalFault: it cannot be had.
        """
        known = self._taken.get(kind)
        if (
            known is not None
            and known.getsockname()[0] == address
            and (not moves or port in (0, known.getsockname()[1]))
        ):
            found: Listener[ByteStream] = SocketListener(self._taken.pop(kind))
        else:
            found = await _listen(address, port, _OPTIONS[kind])
        self._open[kind] = found
        return found

    def close_unused(self) -> None:
        """Close what was taken and is not wanted."""
        while self._taken:
            self._taken.popitem()[1].close()

    def doors(self) -> dict[str, socket.socket]:
        """The sockets, by what they are for."""
        return {kind: each.extra(SocketAttribute.raw_socket) for kind, each in self._open.items()}

    def given(self) -> None:
        """Another process has them."""
        self.left.set()

    async def aclose(self) -> None:
        """Accept nobody any more."""
        for each in self._open.values():
            await each.aclose()


async def _listen(address: str, port: int, option: str) -> Listener[ByteStream]:
    try:
        return await RealNetwork().listen_tcp(address, port)
    except OSError as error:
        raise LocalFault(
            later(
                "cannot listen on {address}, port {port!s}: {why}; choose another one with {option}",
                address=address,
                port=port,
                why=error.strerror,
                option=option,
            )
        ) from error


async def _until_asked_to_stop(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return

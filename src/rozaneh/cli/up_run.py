"""One gateway, from its start until somebody asks it to stop: its doors, its page, and whoever asks about it."""

import os
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
from anyio.abc import Listener

from rozaneh.cli import background
from rozaneh.cli.sharing import Shared
from rozaneh.cli.up_view import LOOPBACK, Screen
from rozaneh.core import LocalFault
from rozaneh.gateway import Event, Gateway, control
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.page.guard import Guard
from rozaneh.gateway.page.server import Page, place_of
from rozaneh.net import ByteStream
from rozaneh.net.real import RealNetwork
from rozaneh.words import Words

__all__ = ["Run"]


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
    """

    desk: Desk
    screen: Screen
    tongue: Words
    others: Shared | None
    ready: background.Notice | None
    show_hosts: bool
    local: bool

    async def serve(self, port: int, page_port: int) -> None:
        """Listen and serve until a signal.

        Args:
            port: of the gateway.
            page_port: of its status page.

        Raises:
            LocalFault: one of the ports cannot be had.
        """
        if self.desk.curfew is not None:
            self.desk.curfew.tell = self.screen.prepared
        async with AsyncExitStack() as stack:
            listener = await stack.enter_async_context(await _listen(LOOPBACK, port, "--port"))
            paged = await stack.enter_async_context(await _listen(LOOPBACK, page_port, "--page-port"))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            self.desk.proxy = place_of(listener)
            page = Page(self.desk, Guard(place_of(paged)), self.tongue.language)
            tasks.start_soon(_until_asked_to_stop, tasks.cancel_scope)
            tasks.start_soon(page.serve, paged)
            tasks.start_soon(self._answer_questions, page)
            if self.desk.curfew is not None:
                tasks.start_soon(self.desk.curfew.watch)
            if self.others is not None:
                tasks.start_soon(self._share, self.others)
            self._say_ready()
            with self.screen.showing(self.desk.proxy, page.guard.link):
                await self._gateway(None).serve(listener)

    def _say_ready(self) -> None:
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
        )

    def _tell(self, event: Event) -> None:
        self.desk.state.note(event)
        self.screen.tell(event)

    async def _share(self, others: Shared) -> None:
        async with await _listen(others.address, others.port, "--port") as listener:
            self.screen.share(others.link, others.code())
            await self._gateway(others.credentials).serve(listener)

    async def _answer_questions(self, page: Page) -> None:
        folder = self.desk.folder
        if folder is None:
            return
        try:
            listening = control.listen(folder)
        except LocalFault as fault:
            self.desk.warn(str(fault))
            return
        with listening:
            try:
                await control.serve(listening, self.desk, page.guard.link)
            finally:
                (folder / control.NAME).unlink(missing_ok=True)


async def _listen(address: str, port: int, option: str) -> Listener[ByteStream]:
    try:
        return await RealNetwork().listen_tcp(address, port)
    except OSError as error:
        raise LocalFault(
            f"cannot listen on {address}, port {port}: {error.strerror}; choose another one with {option}"
        ) from error


async def _until_asked_to_stop(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return

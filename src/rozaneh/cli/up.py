"""``rozaneh up``: the local gateway."""

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import anyio
import typer
from anyio.abc import Listener, SocketAttribute

from rozaneh.cli import background
from rozaneh.cli.options import Json, Lang, console, words
from rozaneh.cli.servers import WaysFile, WaysGiven, servers
from rozaneh.cli.sharing import Shared, shared
from rozaneh.cli.up_view import LOOPBACK, Screen
from rozaneh.core import LocalFault
from rozaneh.finder import Finder
from rozaneh.finder.place import identity, read_route
from rozaneh.finder.routes import Routes, parse_route
from rozaneh.gateway import Event, Gateway, control
from rozaneh.gateway.given import open_state, state_folder
from rozaneh.gateway.state import State
from rozaneh.gateway.stored import stored_ways
from rozaneh.net import ByteStream
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Words, mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=mark("Start the local gateway that finds the way that works."),
    epilog=mark("Servers in the environment variable ROZANEH_WAYS, one on each line, are used as well."),
)
def up(
    *,
    port: Annotated[
        int, typer.Option(help=mark("The port on this machine; 0 takes a free one."), min=0, max=65535)
    ] = 1080,
    way: WaysGiven = None,
    ways_file: WaysFile = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST=KIND", help=mark("A rule: HOST or .HOST, and direct, abroad or refuse; repeatable.")
        ),
    ] = None,
    remember: Annotated[
        bool, typer.Option("--remember/--memory-only", help=mark("Keep what works on disk, without any host name."))
    ] = True,
    state: Annotated[Path | None, typer.Option(help=mark("The folder for that."))] = None,
    share: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=mark("Let others on the home network use it there, with a password.")),
    ] = None,
    daemon: Annotated[bool, typer.Option("--daemon", help=mark("Go on in the background."))] = False,
    unit: Annotated[bool, typer.Option("--unit", help=mark("Print a unit for systemd instead, and end."))] = False,
    show_hosts: Annotated[bool, typer.Option("--show-hosts", help=mark("Show which hosts are reached."))] = False,
    allow_local: Annotated[
        bool, typer.Option("--allow-local", help=mark("Lead to this machine and its network as well."))
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Parse, start, print."""
    tongue = words(lang)
    if unit:
        typer.echo(background.unit([each for each in sys.argv[2:] if each not in ("--unit", "--daemon")]), nl=False)
        return
    notes = console(errors=True)

    def warn(text: str) -> None:
        notes.print(tongue.say("Note: {text}", text=text))

    given = servers(way or [], ways_file, warn)
    routes = Routes(map(parse_route, route or []))
    with_others = shared(share, port) if share is not None else None
    said, ready = background.detach() if daemon else ("", None)
    if said:
        typer.echo(said)
        return
    folder = (state or state_folder()) if remember else None
    memory, salt = open_state(folder, warn)
    _raise_limit()
    clock = clock_from_environment()
    network = RealNetwork()
    finder = Finder(
        network,
        ways=[*given, *stored_ways(state or state_folder(), network, warn)],
        memory=memory,
        clock=clock,
        trust=Trust.system(),
        where=lambda: identity(salt, read_route()),
        salt=salt,
        warn=warn,
        routes=routes,
    )
    screen = Screen(console(), tongue, as_json=as_json, show_hosts=show_hosts)
    run = _Run(
        finder, screen, State(clock), tongue, warn, folder, with_others, ready, show_hosts=show_hosts, local=allow_local
    )
    try:
        anyio.run(run.serve, port, backend_options={"use_uvloop": True})
    finally:
        memory.close()


@dataclass(frozen=True)
class _Run:
    """One gateway, from its start until somebody asks it to stop."""

    finder: Finder
    screen: Screen
    state: State
    tongue: Words
    warn: Callable[[str], None]
    folder: Path | None
    others: Shared | None
    ready: background.Notice | None
    show_hosts: bool
    local: bool

    async def serve(self, port: int) -> None:
        listener = await _listen(LOOPBACK, port)
        taken = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(_until_asked_to_stop, tasks.cancel_scope)
            tasks.start_soon(self._answer_questions)
            if self.others is not None:
                tasks.start_soon(self._share, self.others)
            if self.ready is not None:
                place = f"{LOOPBACK}:{taken}"
                listening = self.tongue.say("Listening on {place}: SOCKS5 and HTTP CONNECT.", place=place)
                stop = self.tongue.say("To stop it: {command}", command=f"kill {os.getpid()}")
                self.ready(f"{listening}\n{stop}")
            with self.screen.showing(taken):
                await self._gateway(None).serve(listener)

    def _gateway(self, credentials: tuple[str, str] | None) -> Gateway:
        return Gateway(
            self.finder,
            tell=self._tell,
            warn=self.warn,
            words=self.tongue,
            credentials=credentials,
            allow_local=self.local and credentials is None,
            show_hosts=self.show_hosts,
        )

    def _tell(self, event: Event) -> None:
        self.state.note(event)
        self.screen.tell(event)

    async def _share(self, others: Shared) -> None:
        async with await _listen(others.address, others.port) as listener:
            self.screen.share(others.link, others.code())
            await self._gateway(others.credentials).serve(listener)

    async def _answer_questions(self) -> None:
        if self.folder is None:
            return
        try:
            listening = control.listen(self.folder)
        except LocalFault as fault:
            self.warn(str(fault))
            return
        with listening:
            try:
                await control.serve(listening, self.finder, self.state)
            finally:
                (self.folder / control.NAME).unlink(missing_ok=True)


async def _listen(address: str, port: int) -> Listener[ByteStream]:
    try:
        return await RealNetwork().listen_tcp(address, port)
    except OSError as error:
        raise LocalFault(
            f"cannot listen on {address}, port {port}: {error.strerror}; choose another one with --port"
        ) from error


async def _until_asked_to_stop(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _raise_limit() -> None:
    """Allow as many connections as this user may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

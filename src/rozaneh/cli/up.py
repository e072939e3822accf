"""``rozaneh up``: the local gateway."""

import os
import resource
import signal
import statistics
import sys
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from anyio.abc import SocketAttribute
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rozaneh.cli.options import Json, Lang, console, words
from rozaneh.core import LocalFault, Spec
from rozaneh.finder import Finder
from rozaneh.finder.place import identity, read_route
from rozaneh.gateway import Closed, Event, Gateway, Opened, Refused
from rozaneh.gateway.given import open_state, parse_way, parse_ways, read_ways, state_folder
from rozaneh.gateway.stored import stored_ways
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Words, mark

_LOOPBACK = "127.0.0.1"
_WAYS = "ROZANEH_WAYS"
_LAST = 8
_SAMPLES = 64

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
    way: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVER", help=mark("A server of yours, such as ss://… or socks5://…; may be repeated.")),
    ] = None,
    ways_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help=mark("A file with servers, one on each line; - reads standard input.")),
    ] = None,
    remember: Annotated[
        bool, typer.Option("--remember/--memory-only", help=mark("Keep what works on disk, without any host name."))
    ] = True,
    state: Annotated[Path | None, typer.Option(help=mark("The folder for that."))] = None,
    show_hosts: Annotated[bool, typer.Option("--show-hosts", help=mark("Show which hosts are reached."))] = False,
    allow_local: Annotated[
        bool, typer.Option("--allow-local", help=mark("Lead to this machine and its network as well."))
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Parse, start, print."""
    tongue = words(lang)
    notes = console(errors=True)

    def warn(text: str) -> None:
        notes.print(tongue.say("Note: {text}", text=text))

    screen = _Screen(console(), tongue, as_json=as_json, show_hosts=show_hosts)
    memory, salt = open_state((state or state_folder()) if remember else None, warn)
    _raise_limit()
    network = RealNetwork()
    finder = Finder(
        network,
        ways=[*_servers(way or [], ways_file, warn), *stored_ways(state or state_folder(), network, warn)],
        memory=memory,
        clock=clock_from_environment(),
        trust=Trust.system(),
        where=lambda: identity(salt, read_route()),
        salt=salt,
        warn=warn,
    )
    gateway = Gateway(finder, tell=screen.tell, warn=warn, words=tongue, allow_local=allow_local, show_hosts=show_hosts)
    try:
        anyio.run(_serve, gateway, network, port, screen, backend_options={"use_uvloop": True})
    finally:
        memory.close()


async def _serve(gateway: Gateway, network: RealNetwork, port: int, screen: "_Screen") -> None:
    try:
        listener = await network.listen_tcp(_LOOPBACK, port)
    except OSError as error:
        raise LocalFault(f"cannot listen on port {port}: {error.strerror}; choose another one with --port") from error
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(_until_asked_to_stop, tasks.cancel_scope)
        with screen.showing(listener.extra(SocketAttribute.local_port)):
            await gateway.serve(listener)


async def _until_asked_to_stop(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _servers(given: list[str], file: str | None, warn: Callable[[str], None]) -> list[Spec]:
    """All servers: of the command line, the environment and the file. Only a wrong one on the command line is fatal."""
    found = [parse_way(text) for text in given]
    found += parse_ways(os.environ.get(_WAYS, "").splitlines(), _WAYS, warn)
    if file == "-":
        found += parse_ways(sys.stdin, "standard input", warn)
    elif file is not None:
        found += read_ways(Path(file), warn)
    return list(dict.fromkeys(found))


def _raise_limit() -> None:
    """Allow as many connections as this user may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Tally:
    """What became of the connections by one way against one obstacle."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds: deque[float] = deque(maxlen=_SAMPLES)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds.append(seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else 0.0


class _Screen:
    """Shows events: a live table on a terminal, one line each anywhere else, JSON where that was asked for."""

    def __init__(self, out: Console, tongue: Words, *, as_json: bool, show_hosts: bool) -> None:
        self._out = out
        self._words = tongue
        self._as_json = as_json
        self._show_hosts = show_hosts
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._last: deque[str] = deque(maxlen=_LAST)
        self._bytes = [0, 0]
        self._port = 0

    def showing(self, port: int) -> AbstractContextManager[object]:
        """Show where the gateway listens, and then its events for as long as it runs."""
        self._port = port
        if self._as_json:
            self._write({"event": "listening", "address": _LOOPBACK, "port": port})
            return nullcontext()
        self._out.print(self._words.say("Listening on {place}: SOCKS5 and HTTP CONNECT.", place=f"{_LOOPBACK}:{port}"))
        self._out.print(self._words.say("Try: {command}", command=self._example))
        return Live(self, console=self._out, refresh_per_second=4) if self._out.is_terminal else nullcontext()

    def tell(self, event: Event) -> None:
        """Take note of an event, and show it."""
        if isinstance(event, Closed):
            self._bytes[0] += event.up
            self._bytes[1] += event.down
        else:
            self._tallies.setdefault(self._kind(event), _Tally()).add(event.seconds)
        if self._as_json:
            self._write(event)
        elif not isinstance(event, Closed):
            self._last.append(self._line(event))
            if not self._out.is_terminal:
                self._out.print(self._last[-1])

    @property
    def _example(self) -> str:
        return f"curl --socks5-hostname {_LOOPBACK}:{self._port} https://www.wikipedia.org/"

    @staticmethod
    def _kind(event: Opened | Refused) -> tuple[str, str]:
        return (event.way, event.obstacle) if isinstance(event, Opened) else ("", event.obstacle)

    @staticmethod
    def _write(value: object) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
        sys.stdout.flush()

    def _line(self, event: Opened | Refused) -> str:
        if isinstance(event, Refused):
            text = self._words.say(
                "refused after {took:.2f} s: {obstacle}", took=event.seconds, obstacle=event.obstacle
            )
        elif event.obstacle:
            text = self._words.say(
                "connected in {took:.2f} s past {obstacle} by {way}",
                took=event.seconds,
                obstacle=event.obstacle,
                way=event.way,
            )
        else:
            text = self._words.say("connected in {took:.2f} s directly", took=event.seconds)
        return f"{event.host} {text}" if event.host else str(text)

    def __rich__(self) -> Group:
        say = self._words.say
        table = Table(box=None, pad_edge=False)
        table.add_column(say("way"))
        table.add_column(say("obstacle"))
        table.add_column(say("connections"), justify="right")
        table.add_column(say("typical seconds"), justify="right")
        for (way, obstacle), tally in sorted(self._tallies.items()):
            shown = (say("direct") if way == "tcp" else way) if way else say("none")
            median = self._words.number(tally.median, ".2f")
            table.add_row(shown, obstacle or "-", self._words.number(tally.count), median)
        moved = say("{up:.1f} MB sent, {down:.1f} MB received", up=self._bytes[0] / 1e6, down=self._bytes[1] / 1e6)
        hosts = [Text(line) for line in self._last] if self._show_hosts else []
        return Group(table, Text(str(moved)), *hosts)

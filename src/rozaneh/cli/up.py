"""``rozaneh up``: the local gateway."""

import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import anyio
import typer

from rozaneh.cli import background
from rozaneh.cli.lasting import forsake
from rozaneh.cli.options import Json, Lang, console, words
from rozaneh.cli.servers import WaysFile, WaysGiven, servers
from rozaneh.cli.sharing import shared
from rozaneh.cli.up_run import Run
from rozaneh.cli.up_view import Screen
from rozaneh.finder import Finder
from rozaneh.finder.place import Here
from rozaneh.finder.routes import Routes, parse_route
from rozaneh.gateway.curfew import CurfewMode
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.given import open_state, state_folder
from rozaneh.gateway.handing import take_over
from rozaneh.gateway.keeping import Keeper, read_list
from rozaneh.gateway.state import State
from rozaneh.gateway.stored import stored_ways
from rozaneh.gateway.switch import Switch
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Words, mark

_KEPT_BACK = 64
"""Descriptors for what is no client: doors, the page, the memory, whoever asks."""
_NOT_OF_A_UNIT = ("--unit", "--install-unit", "--daemon", "--replace")

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
    replace: Annotated[
        bool, typer.Option("--replace", help=mark("Take over from the gateway that runs; its connections finish."))
    ] = False,
    install: Annotated[
        bool,
        typer.Option("--install-unit", help=mark("Write that unit for the user's systemd, and say how to start it.")),
    ] = False,
    unit: Annotated[bool, typer.Option("--unit", help=mark("Print a unit for systemd instead, and end."))] = False,
    page: Annotated[
        int, typer.Option("--page-port", help=mark("The status page's port; 0 takes a free one."), min=0, max=65535)
    ] = 0,
    watched: Annotated[
        Path | None,
        typer.Option("--watched", metavar="FILE", help=mark("What rozaneh watch --store writes, to know of cuts by.")),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="LIST", help=mark("A list of pages and files to fetch before a usual cut.")),
    ] = None,
    keep_in: Annotated[Path, typer.Option("--keep-in", metavar="FOLDER", help=mark("Where they are kept."))] = Path(
        "kept"
    ),
    keep_most: Annotated[
        float, typer.Option("--keep-most", help=mark("Megabytes of them at most."), min=0.1, max=100_000)
    ] = 50.0,
    show_hosts: Annotated[bool, typer.Option("--show-hosts", help=mark("Show which hosts are reached."))] = False,
    allow_local: Annotated[
        bool, typer.Option("--allow-local", help=mark("Lead to this machine and its network as well."))
    ] = False,
    clear_dns: Annotated[
        bool,
        typer.Option(
            "--allow-clear-dns",
            help=mark(
                "Where no resolver can be asked in secret, ask for names of blocked sites so that others see it."
            ),
        ),
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Parse, start, print."""
    tongue = words(lang)
    if unit or install:
        text = background.unit([each for each in sys.argv[2:] if each not in _NOT_OF_A_UNIT])
        _unit(text, tongue, install=install)
        return
    notes = console(errors=True, lasting=True)

    def warn(text: str) -> None:
        notes.print(tongue.say("Note: {text}", text=text))

    given = servers(way or [], ways_file, warn)
    routes = Routes(map(parse_route, route or []))
    urls = read_list(keep) if keep is not None else ()
    with_others = shared(share, port) if share is not None else None
    said, ready = background.detach() if daemon else ("", None)
    if said:
        typer.echo(said)
        return
    folder = (state or state_folder()) if remember else None
    memory, salt = open_state(folder, warn)
    room = _raise_limit()
    clock = clock_from_environment()
    memory.forget(clock.now().timestamp())
    network = RealNetwork()
    kept = stored_ways(state or state_folder(), network, warn)
    finder = Finder(
        network,
        ways=[*given, *kept],
        memory=memory,
        clock=clock,
        trust=Trust.system(),
        where=Here(salt),
        salt=salt,
        warn=warn,
        routes=routes,
        clear_lookups=clear_dns,
    )
    screen = Screen(console(lasting=True), tongue, as_json=as_json, show_hosts=show_hosts)
    keeper = Keeper(finder, finder.trust, urls, keep_in.absolute(), round(keep_most * 1e6))
    switch = Switch()
    curfew = CurfewMode(finder, clock, warn=warn, keeper=keeper, watched=watched, switch=switch)
    desk = Desk(finder, State(clock), switch, network, folder, given=given, kept=kept, warn=warn, curfew=curfew)
    run = Run(
        desk=desk,
        screen=screen,
        tongue=tongue,
        others=with_others,
        ready=ready,
        show_hosts=show_hosts,
        local=allow_local,
        room=room,
    )
    # What was imported until now is never garbage; a collector that looks at it again takes a tenth of all work.
    gc.freeze()
    try:
        taken = take_over(folder) if replace and folder is not None else None
        anyio.run(run.serve, port, page, taken, backend_options={"use_uvloop": True})
    finally:
        memory.close()
        forsake(sys.stdout)
        forsake(sys.stderr)


def _unit(text: str, tongue: Words, *, install: bool) -> None:
    """Print the unit, or write it."""
    if not install:
        typer.echo(text, nl=False)
        return
    path = background.install(text)
    typer.echo(tongue.say("Written: {path}", path=path))
    for command in ("systemctl --user daemon-reload", "systemctl --user enable --now rozaneh"):
        typer.echo(tongue.say("Now: {command}", command=command))
    typer.echo(tongue.say("To be there before you log in: {command}", command="loginctl enable-linger"))


def _raise_limit() -> int:
    """Allow as many connections as this user may have; how many clients there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # Three for each: its own, the way to where it goes, and some for ways that are tried side by side.
    return 1 << 20 if most == resource.RLIM_INFINITY else max(16, (most - _KEPT_BACK) // 3)

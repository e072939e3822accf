"""``rozaneh lab run``, ``shell`` and ``tiers``: programs inside the lab."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.words import Words, mark

if TYPE_CHECKING:
    import subprocess

    from rozaneh.lab import Lab, LabClient

_SIGNALLED = 128  # as shells have it
_END_WITHIN = 3.0
_FROM_THE_TERMINAL = {signal.SIGINT, signal.SIGQUIT}

Name = Annotated[str, typer.Argument(help=mark("A scenario: its name, or the path of a file."), metavar="NAME")]
On = Annotated[str, typer.Option("--on", metavar="mobile|fixed", help=mark("The home network to stand in."))]
At = Annotated[
    str | None, typer.Option("--at", metavar="HH:MM", help=mark("The lab's time of day at the start, in Tehran."))
]
Pcap = Annotated[
    str | None, typer.Option("--pcap", metavar="FILE", help=mark("Write what this home sends and gets to a pcap file."))
]
TierChoice = Annotated[
    str, typer.Option("--tier", metavar="auto|T0|T1|T2", help=mark("What the lab runs on; see: rozaneh lab tiers"))
]
Seed = Annotated[int, typer.Option("--seed", help=mark("Of everything that is drawn by chance."))]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=mark("Say nothing about the lab itself."))]
Command = Annotated[
    list[str], typer.Argument(help=mark("The program and its arguments, after --"), metavar="COMMAND...")
]


app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.command("run", help=mark("Run a program in a home behind the censors of a scenario."))
def run(
    name: Name,
    command: Command,
    *,
    on: On = "mobile",
    at: At = None,
    pcap: Pcap = None,
    tier: TierChoice = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    lang: Lang = None,
) -> None:
    """Run a program in a home behind the censors of a scenario, and end as it ends."""
    spoken = words(lang)
    raise typer.Exit(_in_lab(name, command, on, at, pcap, tier, seed, None if quiet else spoken))


@app.command("shell", help=mark("Open a shell in a home behind the censors of a scenario."))
def shell(
    name: Name,
    *,
    on: On = "mobile",
    at: At = None,
    pcap: Pcap = None,
    tier: TierChoice = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    lang: Lang = None,
) -> None:
    """Open a shell in a home behind the censors of a scenario."""
    spoken = words(lang)
    command = [os.environ.get("SHELL") or "/bin/sh"]
    raise typer.Exit(_in_lab(name, command, on, at, pcap, tier, seed, None if quiet else spoken))


@app.command("tiers", help=mark("Try what the lab can run on here, and say why not where it cannot."))
def tiers(as_json: Json = False, lang: Lang = None) -> None:
    """Try each tier and say how it fared."""
    from rozaneh.lab.probe import try_tiers  # noqa: PLC0415 - the lab is imported where it is used

    spoken = words(lang)
    trials = try_tiers()
    if as_json:
        print_json(trials)
        return
    out = console()
    about = {
        "T0": spoken.say("loopback addresses; no privileges, no real packets"),
        "T1": spoken.say("network namespaces, veth and AF_PACKET; no root needed"),
        "T2": spoken.say("network namespaces and TUN; needs root"),
    }
    for trial in trials:
        fared = spoken.say("works") if trial.works else spoken.say("does not work")
        out.print(f"{trial.tier}  {fared}: {about[trial.tier]}")
        if not trial.works:
            out.print(f"    {trial.call}: {os.strerror(trial.errno)} ({trial.errno})")
            out.print(f"    {trial.advice}")
    chosen = next((name for name in ("T1", "T2") if any(t.tier == name and t.works for t in trials)), "T0")
    out.print(spoken.say("The lab takes {tier} unless told otherwise.", tier=chosen))


def _in_lab(  # noqa: PLR0917 - the options of two commands, in their order
    name: str,
    command: Sequence[str],
    on: str,
    at: str | None,
    pcap: str | None,
    tier: str,
    seed: int,
    spoken: Words | None,
) -> int:
    from rozaneh.lab import Lab, world_for  # noqa: PLC0415 - the lab is imported where it is used
    from rozaneh.lab.scenario import load_scenario  # noqa: PLC0415 - as above

    signal.signal(signal.SIGTERM, _leave)
    scenario = load_scenario(name)
    with Lab(tier, world=world_for([scenario]), pcap=pcap, seed=seed) as lab:
        home = lab.client(on, scenario, at)
        if spoken is not None:
            _introduce(spoken, scenario.id, lab, home)
        return _run_to_end(lambda: home.popen(list(command)))


def _introduce(spoken: Words, scenario: str, lab: "Lab", home: "LabClient") -> None:
    console(errors=True).print(
        spoken.say(
            "lab: {scenario} on {network}, {time}, tier {tier} ({reason})",
            scenario=scenario,
            network=home.home_network,
            time=f"{home.clock.now():%Y-%m-%d %H:%M}",
            tier=lab.tier.name,
            reason=lab.tier.reason,
        )
    )


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(_SIGNALLED + number)


def _run_to_end(start: "Callable[[], subprocess.Popen[Any]]") -> int:
    """Run a program in the foreground: the terminal's signals are its own, the others are passed on to it."""
    for number in _FROM_THE_TERMINAL:
        signal.signal(number, _nothing)
    # One that comes while there is no program yet must wait for it, not be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_THE_TERMINAL)
    try:
        process = start()
        for number in signal.sigpending() & _FROM_THE_TERMINAL:
            process.send_signal(number)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FROM_THE_TERMINAL)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(_SIGNALLED + number))
        signal.setitimer(signal.ITIMER_REAL, _END_WITHIN)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    try:
        status = process.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if process.poll() is None:
            process.kill()
            process.wait()
    return _SIGNALLED - status if status < 0 else status


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler, where ignoring would be inherited by the program."""

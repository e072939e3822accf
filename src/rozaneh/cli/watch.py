"""``rozaneh watch``: see cuts and curfews begin and end, for little."""

import random
import signal
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import msgspec
import typer

from rozaneh.cli.options import Json, Lang, console, print_bytes, words
from rozaneh.cli.remember import Controls, Remember
from rozaneh.net.clock import Clock, clock_from_environment
from rozaneh.net.counting import CountingNetwork
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe import ServiceResult, catalogue, check, choose, vantages
from rozaneh.probe import consent as agreement
from rozaneh.probe.dials import Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.watch import Deciding, Means, Reach, Round, Rules, State, watch
from rozaneh.probe.watch.deciding import Event
from rozaneh.probe.watch.light import DEADLINES, Light
from rozaneh.probe.watch.watching import append, moment_of, read_power, resume
from rozaneh.words import Words, mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_WRONG_USE = 2
_REACH = {
    Reach.OPEN: mark("The line is open: places abroad answer."),
    Reach.PARTLY: mark("The line reaches only some places abroad."),
    Reach.DOMESTIC_ONLY: mark("Only domestic places answer: the line abroad is cut."),
    Reach.OFFLINE: mark("Nothing answers: there is no connection at all."),
}


@app.command(
    "watch",
    help=mark("Watch this line: see cuts and curfews begin and end, for little."),
    epilog=mark("Example: rozaneh watch --per-day 5 --json"),
)
def watch_(
    *,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE|URL]...", help=mark("What a full round checks; without any, the whole list.")),
    ] = None,
    every: Annotated[float, typer.Option(min=2.0, max=86_400.0, help=mark("Seconds between light rounds."))] = 180.0,
    per_day: Annotated[
        float, typer.Option(min=0.1, max=10_000.0, help=mark("Megabytes that a day may cost, full rounds included."))
    ] = 20.0,
    full: Annotated[
        bool, typer.Option("--full/--light-only", help=mark("Check services when something has changed."))
    ] = True,
    rounds: Annotated[int | None, typer.Option(min=1, help=mark("End after so many light rounds."))] = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=mark("Write events into a file; go on from it next time.")),
    ] = None,
    remember: Remember = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask for consent, watch, print."""
    tongue = words(lang)
    given = agreement.load(agreement.place())
    if agreement.needed() and (given.version != agreement.VERSION or agreement.ORDINARY not in given.categories):
        console(errors=True).print(tongue.say("Nothing was measured. To agree: rozaneh consent --yes"))
        raise typer.Exit(_WRONG_USE)
    clock = clock_from_environment()
    rules = Rules(every=every, per_day=round(per_day * 1e6))
    state, left = resume(store, rules.per_day, clock.now()) if store else (None, None)
    deciding = Deciding(rules, random.Random(), state, left)
    screen = _Screen(tongue, clock, deciding, as_json=as_json, store=store)
    controls = Controls.kept(remember=remember)
    anyio.run(partial(_watch, services or [], deciding, screen, clock, rounds=rounds, controls=controls, full=full))


async def _watch(
    named: list[str],
    deciding: Deciding,
    screen: "_Screen",
    clock: Clock,
    *,
    rounds: int | None,
    controls: Controls,
    full: bool,
) -> None:
    network = CountingNetwork(RealNetwork())
    trust, whom = Trust.system(), vantages()
    chosen = choose(named, catalogue()) or tuple(service for service in catalogue() if not service.risky)
    light = Light(Dials(network, trust, Pace(), DEADLINES), whom, lambda: network.spent, random.Random())

    async def full_round() -> int:
        before = network.spent
        screen.full(await check(chosen, network, trust, clock, whom, remembered=controls.remembered))
        controls.keep()
        return network.spent - before

    async def nothing() -> int:
        return 0

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_asked_to_stop, tasks.cancel_scope)
        means = Means(light.round, full_round if full else nothing, lambda: moment_of(clock), read_power)
        await watch(deciding, means, screen.tell, rounds=rounds)
        tasks.cancel_scope.cancel()


async def _until_asked_to_stop(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


class _Screen:
    """Prints plain lines or JSON, and writes the file where one was asked for."""

    def __init__(self, tongue: Words, clock: Clock, deciding: Deciding, *, as_json: bool, store: Path | None) -> None:
        self._words = tongue
        self._clock = clock
        self._deciding = deciding
        self._as_json = as_json
        self._store = store
        self._out = console()

    def tell(self, what: Event | Round) -> None:
        """A round or an event."""
        now = self._clock.now()
        if isinstance(what, Round):
            self._line(now, {"event": "round", **msgspec.to_builtins(what), "reach": what.reach.value})
            return
        self._line(now, msgspec.to_builtins(what))
        if not self._as_json:
            self._out.print(self._sentence(what))

    def full(self, results: list[ServiceResult]) -> None:
        """A full round."""
        verdicts = {result.service.id: result.verdict.verdict.value for result in results}
        self._line(self._clock.now(), {"event": "full", "services": verdicts})
        if not self._as_json:
            blocked = sorted(name for name, verdict in verdicts.items() if verdict == "blocked")
            self._out.print(
                self._words.say_n(
                    "{time} Full round: {n} service is blocked here: {names}",
                    "{time} Full round: {n} services are blocked here: {names}",
                    len(blocked),
                    time=_hour(self._clock.now()),
                    names=", ".join(blocked) or "-",
                )
            )

    def _line(self, now: datetime, what: dict[str, Any]) -> None:
        line = msgspec.json.encode(
            {**what, "time": now.isoformat(timespec="seconds"), "left": round(self._deciding.budget.left)}
        )
        if self._as_json:
            print_bytes(line + b"\n")
            sys.stdout.flush()
        if self._store is not None:
            append(self._store, line)

    def _sentence(self, event: Event) -> str:
        say, time = self._words.say, _hour(event.time)
        if event.event == "slept":
            return say("{time} This machine slept for {minutes:.0f} minutes.", time=time, minutes=event.seconds / 60)
        if event.event == "clock_jumped":
            return say("{time} The clock was set by {minutes:.0f} minutes.", time=time, minutes=event.seconds / 60)
        state = event.state or State(reach=Reach.PARTLY)
        parts = [say("{time} {reach}", time=time, reach=say(_REACH[state.reach]))]
        if not state.dns:
            parts.append(say("Names are not resolved."))
        if not state.udp:
            parts.append(say("Datagrams (UDP) do not get abroad."))
        if state.slow:
            parts.append(say("The line abroad is very slow."))
        return " ".join(parts)


def _hour(moment: datetime) -> str:
    return moment.strftime("%H:%M")

"""``rozaneh lab list | show | schema | check | matrix``: what scenarios there are, and whether they hold."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rozaneh.cli.matrix_view import matrix_lines, matrix_table
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.cli.trial_view import try_gateway, write_json, write_trial
from rozaneh.core import LocalFault
from rozaneh.lab import describe
from rozaneh.lab.check import runner as checks
from rozaneh.lab.lab import Lab, world_for
from rozaneh.lab.matrix import ALIASES, Cell, Matrix, choose_ways, differing, left_out, plan, run
from rozaneh.lab.matrix.runner import AT_ONCE
from rozaneh.lab.scenario import Scenario, load_scenario, scenario_files
from rozaneh.lab.scenario.reference import json_schema, reference
from rozaneh.words import Words, later, mark

app = typer.Typer(no_args_is_help=True)

_HAS_UVLOOP = find_spec("uvloop") is not None

LIMITS = mark(
    "The lab shows that code reacts rightly to a modelled censor. It cannot show that a way works in Iran, or anywhere."
)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME|FILE|DIRECTORY]...", help=mark("Scenarios; all without any."))
]
Tier = Annotated[str, typer.Option("--tier", metavar="auto|T0|T1|T2", help=mark("What the lab is to run on."))]
Pcap = Annotated[Path | None, typer.Option("--pcap", metavar="FILE", help=mark("Write all packets into a file."))]


@app.command("list")
def list_(as_json: Json = False, lang: Lang = None) -> None:
    """List the scenarios: what each models and what a plain client sees in it."""
    say = words(lang).say
    scenarios = choose_scenarios(())
    if as_json:
        print_json([_summary(scenario) for scenario in scenarios])
        return
    table = Table(box=None, pad_edge=False)
    for title in (say("Scenario"), say("Atlas"), say("Plain client sees"), say("What it is")):
        table.add_column(title, overflow="fold")
    for scenario in scenarios:
        table.add_row(scenario.id, ", ".join(scenario.atlas), describe.seen_by_plain(scenario), scenario.title)
    out = console()
    out.print(table)
    out.print(say("Show one: {command}", command="rozaneh lab show NAME"))


def _summary(scenario: Scenario) -> dict[str, object]:
    return {
        "id": scenario.id,
        "title": scenario.title,
        "atlas": scenario.atlas,
        "plain": describe.seen_by_plain(scenario),
        "tier": scenario.tier,
    }


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help=mark("The scenario."))],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Show one scenario: its rules in plain words, where they were documented, and what is expected."""
    say = words(lang).say
    scenario = load_scenario(name)
    if as_json:
        print_json(scenario)
        return
    out = console()
    out.print(f"{scenario.id}: {scenario.title}", style="bold")
    if scenario.about:
        out.print(scenario.about.strip())
    out.print(say("Rows of the atlas: {rows}", rows=", ".join(scenario.atlas) or "-"))
    _section(say("Censors"), [line for rule in scenario.rules for line in describe.rule_lines(rule)], out.print)
    marks = {"1": say("one person's account"), "?": say("conjecture"), "m": say("recalled, to be checked")}
    sources = [
        " ".join(filter(None, (source.url, f"({source.date})", source.note, marks.get(source.mark, ""))))
        for source in scenario.sources
    ]
    _section(say("Sources"), sources, out.print)
    _section(say("Guesses, which no source gives"), [f"{k.path}: {k.why}" for k in scenario.knobs], out.print)
    _section(say("Expected"), [describe.expectation_line(expect) for expect in scenario.expect], out.print)
    out.print(say(LIMITS))


def _section(title: str, lines: Sequence[str], put: object) -> None:
    if lines and callable(put):
        put()
        put(title, style="bold")
        for line in lines:
            put(f"  {line}")


@app.command()
def schema(as_json: Json = False) -> None:
    """Print everything that a scenario file may say. With --json: as JSON Schema, for editors."""
    if as_json:
        print_json(json_schema())
    else:
        sys.stdout.write(reference().rstrip() + "\n")


@app.command()
def check(
    *, names: Names = None, as_json: Json = False, pcap: Pcap = None, tier: Tier = "auto", lang: Lang = None
) -> None:
    """Prove with real programs that each scenario does what it says, and that without it they work."""
    said = words(lang)
    scenarios = choose_scenarios(names or ())
    wanted = checks.items(scenarios)
    with _progress() as progress, Lab(tier=tier, world=world_for(scenarios), pcap=pcap) as lab:
        task = progress.add_task(said.say("checking"), total=len(wanted))
        found = anyio.run(lambda: checks.run(wanted, lab, report=lambda _: progress.advance(task)))
        name, reason = lab.tier.name, lab.tier.reason
    failed = [item for item in found if not item.ok and not item.skipped]
    if as_json:
        print_json(found)
    else:
        _print_checks(found, said)
        out = console()
        out.print(said.say("Tier {tier}: {reason}", tier=name, reason=reason))
        out.print(said.say(LIMITS))
    raise typer.Exit(1 if failed else 0)


def _print_checks(found: Sequence[checks.Checked], said: Words) -> None:
    out = console()
    table = Table(box=None, pad_edge=False)
    for title in (said.say("Scenario"), said.say("Client"), said.say("Target"), said.say("Observed"), ""):
        table.add_column(title, overflow="fold")
    for item in found:
        word = said.say("skipped") if item.skipped else said.say("ok") if item.ok else said.say("WRONG")
        choice, hour = f" [{item.vary}]" if item.vary else "", f" {item.at}" if item.at else ""
        place = f"{item.scenario}{choice} {item.network}{hour}"
        seen = " ".join(filter(None, (item.observed, item.reason)))
        table.add_row(place, item.client, item.target, seen, word, style=None if item.ok else "bold")
    out.print(table)
    good, skipped = sum(item.ok for item in found), sum(item.skipped for item in found)
    out.print(
        said.say(
            "{good} of {all} checks as expected, {wrong} wrong, {skipped} skipped.",
            good=good,
            all=len(found),
            wrong=len(found) - good - skipped,
            skipped=skipped,
        )
    )


@app.command()
def matrix(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE|DIRECTORY|WAY]...", help=mark("Scenarios and ways; all without any.")),
    ] = None,
    scenarios: Annotated[
        list[str] | None, typer.Option("--scenarios", metavar="DIRECTORY|NAME", help=mark("Scenarios; repeatable."))
    ] = None,
    ways: Annotated[
        list[str] | None, typer.Option("--ways", metavar="SPEC", help=mark("A way or its alias; repeatable."))
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", metavar="mobile|fixed", help=mark("A home network; repeatable."))
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help=mark("Write the cells as JSON; - is the output."))
    ] = None,
    pcap: Pcap = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=500, help=mark("How many dials at the same time."))
    ] = AT_ONCE,
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=1000, help=mark("Run so often, and compare."))] = 1,
    through_gateway: Annotated[
        bool, typer.Option("--through-gateway", help=mark("Ask the whole gateway, and the best way beside it."))
    ] = False,
    tier: Tier = "auto",
    lang: Lang = None,
) -> None:
    """Try every way in every scenario at once, and compare with what the scenarios expect."""
    said = words(lang)
    if json_file is not None and json_file != "-":
        write_json(Path(json_file), [])  # what cannot be written is said before the work, not after
    given = names or []
    chosen_ways = choose_ways([*(ways or []), *filter(_is_way, given)]) if ways or any(map(_is_way, given)) else ()
    chosen = choose_scenarios([*(scenarios or []), *(name for name in given if not _is_way(name))])
    with _progress() as progress, Lab(tier=tier, world=world_for(chosen), pcap=pcap) as lab:
        cells = plan(chosen, chosen_ways, networks=network or (), real_packets=lab.tier.packets)
        task = progress.add_task(said.say("asking"), total=None)
        if not lab.tier.packets and (left := left_out(chosen, chosen_ways)):
            console(errors=True).print(
                said.say(
                    "Tier {tier} has no real packets; left out: {names}.", tier=lab.tier.name, names=", ".join(left)
                )
            )
        if through_gateway:
            trial = try_gateway(cells, lab, chosen_ways, partial(progress.update, task))
            write_trial(trial, json_file, said)
            raise typer.Exit(0 if trial.ok else 1)
        runs = [_once(cells, lab, concurrency, partial(progress.update, task)) for _ in range(repeat)]
        name, reason = lab.tier.name, lab.tier.reason
    result = differing(runs)
    if json_file == "-":
        print_json(result.cells)
    else:
        if json_file is not None:
            write_json(Path(json_file), result.cells)
        out = console()
        out.print(matrix_table(result))
        for line in matrix_lines(result, runs, said):
            out.print(line)
        out.print(said.say("Tier {tier}: {reason}", tier=name, reason=reason))
        out.print(said.say(LIMITS))
    raise typer.Exit(0 if result.ok else 1)


def _once(cells: Sequence[Cell], lab: Lab, at_once: int, update: Callable[..., None]) -> Matrix:
    def report(done: int, total: int) -> None:
        update(completed=done, total=total)

    return anyio.run(
        lambda: run(cells, lab, at_once=at_once, progress=report), backend_options={"use_uvloop": _HAS_UVLOOP}
    )


def _is_way(text: str) -> bool:
    return text in ALIASES or text == "tcp" or "|" in text


def choose_scenarios(texts: Sequence[str]) -> list[Scenario]:
    """Scenarios by name, file or directory; those of the repository without any.

    Raises:
        LocalFault: one cannot be read, or a directory holds none.
    """
    if not texts:
        return [load_scenario(file) for file in scenario_files()]
    found: list[Scenario] = []
    for text in texts:
        if Path(text).is_dir():
            files = scenario_files(text)
            if not files:
                raise LocalFault(later("{text}: no scenario (*.toml) in this directory", text=text))
            found += [load_scenario(file) for file in files]
        else:
            found.append(load_scenario(text))
    return found


def _progress() -> Progress:
    out = console(errors=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)

"""``rozaneh check``: what is blocked here, how, and by whom."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from rozaneh.cli.check_experiment import list_experiments, run_experiment
from rozaneh.cli.check_files import create, urls_of, write
from rozaneh.cli.check_view import View
from rozaneh.cli.consent import ask, show_text
from rozaneh.cli.keeping import Keeping, MyAddress
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.cli.place import Country, Network, NetworksFile, Placed, Placing
from rozaneh.cli.remember import Controls, Remember
from rozaneh.diagnosis import Outcome
from rozaneh.finder import Finder, Found
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe import Service, ServiceResult, catalogue, choose, vantages
from rozaneh.probe import check as run_check
from rozaneh.probe import consent as agreement
from rozaneh.probe.consent import Consent
from rozaneh.probe.dials import Dials
from rozaneh.probe.experiments import named
from rozaneh.probe.pace import Pace
from rozaneh.probe.services import read_services, together
from rozaneh.probe.share.whoami import seen_from_outside
from rozaneh.probe.whereabouts import Whereabouts
from rozaneh.words import Words, mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_WRONG_USE, _TOO_LITTLE = 2, 3


@app.command(
    help=mark("What is blocked here, how, and by whom."),
    epilog=mark("Example: rozaneh check instagram whatsapp https://fa.wikipedia.org/"),
)
def check(
    *,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE|URL]...", help=mark("Which; without any, the whole list.")),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=mark("The whole list, circumvention tools among it if you agreed to that."))
    ] = False,
    services_file: Annotated[
        Path | None,
        typer.Option("--services", metavar="FILE", help=mark("A catalogue of your own, beside the one that ships.")),
    ] = None,
    urls: Annotated[
        Path | None,
        typer.Option(
            "--urls",
            metavar="FILE|NAME",
            help=mark("A test list: Citizen Lab's CSV, one URL on each line, or the name of one in 'rozaneh lists'."),
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option("--category", metavar="CODE", help=mark("With --urls: measure this risky category too.")),
    ] = None,
    ooni: Annotated[
        Path | None,
        typer.Option("--ooni", metavar="FILE", help=mark("Also write what was seen to a new file, in OONI's format.")),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=mark("Run one experiment instead of a check; 'list' says which there are.")),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help=mark("Only list the services that are known."))] = False,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help=mark("One service after another: slower, and less conspicuous."))
    ] = False,
    timeout: Annotated[float, typer.Option(min=1.0, max=3600.0, help=mark("Seconds for the whole check."))] = 60.0,
    my_address: MyAddress = None,
    network: Network = None,
    country: Country = None,
    networks: NetworksFile = None,
    remember: Remember = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Choose, ask for consent, measure, print."""
    tongue = words(lang)
    own = read_services(services_file) if services_file else ()
    known = together(own, catalogue())
    if listing:
        _list(known, tongue, as_json=as_json)
        return
    if experiment is not None:
        _experiment(experiment, services or (), known, tongue, as_json=as_json)
        return
    asked = [*(services or [service.id for service in own]), *(urls_of(urls, category or (), tongue) if urls else ())]
    placing = Placing.given(network, country, networks)
    chosen = _permitted(asked, known, tongue, everything=everything)
    kept = create(ooni) if ooni else None
    view = View(console(), tongue, silent=as_json)
    keep = Keeping.agreed()
    run = _Run(
        placing, Controls.kept(remember=remember), tuple(my_address or ()), outside=keep is not None or kept is not None
    )
    results = anyio.run(partial(run.measure, chosen, view, one_at_a_time=one_at_a_time, seconds=timeout))
    if kept is not None:
        write(kept, results, run.placed, run.seen, tongue)
    if keep is not None:
        keep.all(results, run.seen, run.placed)
    if as_json:
        print_json([result.as_json(view.sentence(result)) for result in results])
    if keep is not None:
        keep.tell(console(errors=True), tongue)
    if all(result.verdict.verdict is Outcome.CANNOT_TELL for result in results):
        raise typer.Exit(_TOO_LITTLE)


@dataclass
class _Run:
    """One check, and what is learnt beside it of where it was made.

    Attributes:
        placing: what the user said of that.
        controls: what control vantages said before.
        seen: addresses under which others see this machine; asked for after the check, where it must be known.
        outside: whether it must be.
        placed: network and country.
    """

    placing: Placing
    controls: Controls
    seen: tuple[str, ...]
    outside: bool
    placed: Placed = field(default_factory=Placed)

    async def measure(
        self, chosen: Sequence[Service], view: View, *, one_at_a_time: bool, seconds: float
    ) -> list[ServiceResult]:
        """Check, keep what was asked to be kept, and say where it was."""
        network, trust, clock = RealNetwork(), Trust.system(), clock_from_environment()
        whereabouts = Whereabouts()
        with view.running(chosen):
            results = await run_check(
                chosen,
                network,
                trust,
                clock,
                vantages(),
                way=Found(Finder(network, trust=trust, clock=clock)),
                progress=view.progress,
                one_at_a_time=one_at_a_time,
                seconds=seconds,
                remembered=self.controls.remembered,
                whereabouts=whereabouts,
            )
        self.controls.keep()
        if not self.seen and (self.outside or self.placing.networks is not None):
            self.seen = await seen_from_outside(Dials(network, trust, Pace()), vantages().whoami)
        self.placed = self.placing.placed(whereabouts, self.seen)
        return results


def _permitted(
    asked: Sequence[str], known: Sequence[Service], tongue: Words, *, everything: bool
) -> tuple[Service, ...]:
    """What was asked for, as far as the user agreed to it; leaves with a line that says what to do where not."""
    named = choose(asked, known)
    chosen = named or tuple(service for service in known if everything or not service.risky)
    given = _agreed(tongue)
    if given is None:
        return chosen
    allowed = tuple(service for service in chosen if given.allows(service))
    refused = [service.id for service in chosen if not given.allows(service)]
    if refused:
        _left_out(refused, tongue)
    if not allowed:
        raise typer.Exit(_WRONG_USE)
    return allowed


def _agreed(tongue: Words) -> Consent | None:
    """What the user has agreed to, asked for now if need be; none where nothing has to be agreed to."""
    if not agreement.needed():
        return None
    given = agreement.load(agreement.place())
    notes = console(errors=True)
    if given.version != agreement.VERSION or agreement.ORDINARY not in given.categories:
        show_text(notes, tongue)
        if not ask(tongue):
            notes.print(tongue.say("Nothing was measured. To agree: rozaneh consent --yes"))
            raise typer.Exit(_WRONG_USE)
        given = agreement.agree(agreement.place(), (agreement.ORDINARY,), dt.datetime.now().astimezone().date())
    return given


def _left_out(names: Sequence[str], tongue: Words) -> None:
    console(errors=True).print(
        tongue.say(
            "Left out, because you have not agreed to measuring circumvention tools: {services}."
            " To agree: rozaneh consent --yes --category circumvention",
            services=", ".join(names),
        )
    )


def _experiment(name: str, asked: Sequence[str], known: Sequence[Service], tongue: Words, *, as_json: bool) -> None:
    if name == "list":
        list_experiments(tongue, as_json=as_json)
        return
    chosen = named(name)
    services = _permitted(asked, known, tongue, everything=False) if asked else ()
    given = _agreed(tongue)
    if given is not None and chosen.risky and "circumvention" not in given.categories:
        _left_out([chosen.name], tongue)
        raise typer.Exit(_WRONG_USE)
    findings = run_experiment(chosen, services, tongue, as_json=as_json)
    if all(finding.verdict.verdict is Outcome.CANNOT_TELL for finding in findings):
        raise typer.Exit(_TOO_LITTLE)


def _list(known: Sequence[Service], tongue: Words, *, as_json: bool) -> None:
    if as_json:
        print_json([{"service": each.id, "category": each.category, "name": each.name} for each in known])
        return
    screen = console()
    for service in known:
        screen.print(
            tongue.say(
                "{id}: {name} ({category})",
                id=service.id,
                name=service.name.in_language(tongue.language),
                category=service.category,
            )
        )

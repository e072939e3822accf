"""``rozaneh why``: why a host is reached in the way in which it is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import anyio
import typer

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.cli.servers import WaysFile, WaysGiven, servers
from rozaneh.core import LocalFault, Target, TargetError
from rozaneh.finder import Finder, Memory, Refusal, Why
from rozaneh.finder.greeting import greeting
from rozaneh.finder.place import Here, read_salt
from rozaneh.finder.search import RESOLVERS_SILENT
from rozaneh.finder.why import TriedWay
from rozaneh.gateway.control import Question, ask
from rozaneh.gateway.given import state_folder
from rozaneh.gateway.sentences import what_is_wrong
from rozaneh.gateway.stored import stored_ways
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Words, mark

_NO_DATA = 3

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=mark("Tell what was tried for a host, what was seen, and why it is reached in this way."),
    epilog=mark("A running gateway is asked; without one, or where it knows nothing, a fresh search is made now."),
)
def why(
    *,
    host: Annotated[str, typer.Argument(metavar="HOST|URL", help=mark("The host, or an address of a page."))],
    way: WaysGiven = None,
    ways_file: WaysFile = None,
    state: Annotated[Path | None, typer.Option(help=mark("The folder of the gateway to ask."))] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help=mark("Search anew, whatever the gateway knows."))] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask the gateway or search, and print."""
    tongue = words(lang)
    notes = console(errors=True)
    target = _target(host)
    folder = state or state_folder()
    answer = None if fresh else ask(folder, Question(ask="why", host=target.host))
    if answer is not None and answer.error:
        raise LocalFault(f"the gateway says: {answer.error}")
    known = answer.why if answer is not None else ()
    if not known:
        given = servers(way or [], ways_file, lambda text: notes.print(tongue.say("Note: {text}", text=text)))
        salt = read_salt(folder / "key") if os.access(folder / "key", os.R_OK) else b""
        network = RealNetwork()
        finder = Finder(
            network,
            ways=[*given, *stored_ways(folder, network, lambda _: None)],
            memory=Memory(),
            clock=clock_from_environment(),
            trust=Trust.system(),
            where=Here(salt),
            salt=salt,
        )
        known = anyio.run(_search, finder, target)
    if as_json:
        print_json(known)
    else:
        out = console()
        for one in known:
            for line in lines(one, tongue):
                out.print(line)
    raise typer.Exit(0 if known else _NO_DATA)


async def _search(finder: Finder, target: Target) -> tuple[Why, ...]:
    made = await finder.connect(target, greeting(target))
    if not isinstance(made, Refusal):
        await anyio.aclose_forcefully(made.stream)
    return finder.why(target.host)


def _target(text: str) -> Target:
    try:
        return Target.parse(text if "://" in text else f"https://{text}")
    except TargetError as error:
        raise LocalFault(str(error)) from error


def lines(why: Why, tongue: Words) -> list[str]:
    """What is known of one destination, one fact a line."""
    said = [_outcome(why, tongue), *_reasons(why, tongue)]
    for tried in why.tried:
        said += _tried(tried, tongue)
    return said


def _outcome(why: Why, tongue: Words) -> str:
    place = f"{why.host}:{why.port}"
    if why.way and why.obstacle:
        text = mark("{place} is reached by {way}. Without that: {reason} ({obstacle}).")
    elif why.way:
        text = mark("{place} is reached directly: nothing was seen in the way.")
    elif why.refusal or why.obstacle:
        text = mark("No way to {place} was found: {reason}.")
    else:
        text = mark("Nothing is settled yet about {place}.")
    reason = what_is_wrong(why.refusal or why.obstacle, tongue)
    return tongue.say(text, place=place, obstacle=why.obstacle, way=why.way, reason=reason)


def _reasons(why: Why, tongue: Words) -> Iterator[str]:
    if why.needs_upstream:
        yield tongue.say("A server abroad may help. To add one: rozaneh ways add --file -")
    if why.refusal == RESOLVERS_SILENT:
        yield tongue.say(
            "Others would see the name if it were asked for in the clear. To allow that: rozaneh up --allow-clear-dns"
        )
    evidence = why.evidence
    if evidence is not None:
        yield tongue.say(
            "Why this way: {level} evidence from {country}, {seen}: {source}",
            level=evidence.level,
            country=evidence.place,
            seen=evidence.seen.isoformat(),
            source=evidence.source,
        )
        if evidence.expired:
            yield tongue.say("That evidence is too old to count for more than a guess.")
        yield tongue.say(
            "Here, around this hour, it worked {good:.1f} times and failed {bad:.1f} times, faded with age.",
            good=evidence.worked_here,
            bad=evidence.failed_here,
        )
    if why.verified_again_in:
        yield tongue.say("The obstacle is looked at anew in {minutes:.0f} minutes.", minutes=why.verified_again_in / 60)


def _tried(tried: TriedWay, tongue: Words) -> Iterator[str]:
    if not tried.failure:
        text = mark("tried {way}: an answer came after {took:.2f} s")
    elif tried.failure == "interrupted":
        text = mark("tried {way}: given up after {took:.2f} s, for another way or because it could bring nothing new")
    else:
        text = mark("tried {way}: {failure} at {step} after {took:.2f} s")
    yield tongue.say(text, way=tried.way, failure=tried.failure, step=tried.step or "-", took=tried.seconds)
    if tried.suggests:
        yield tongue.say(
            "that suggests {obstacle}", obstacle=max(tried.suggests, key=lambda name: tried.suggests[name])
        )

"""``rozaneh share``: what waits to be shared; send it, carry it, or forget it. Nothing leaves by itself."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import anyio
import msgspec
import typer

from rozaneh.cli.keeping import MyAddress, waiting
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.core import LocalFault, RemoteFault
from rozaneh.dialers import build
from rozaneh.finder import Finder, Found
from rozaneh.gateway.given import parse_ways
from rozaneh.net.clock import clock_from_environment
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe import consent as agreement
from rozaneh.probe.share import bundle as bundles
from rozaneh.probe.share.collector import Collector, Sent, parse_url
from rozaneh.probe.share.private import Private, this_machine
from rozaneh.probe.share.scrub import vouch
from rozaneh.probe.share.waiting import Waiting
from rozaneh.words import Said, Words, later, mark

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark("What waits to be shared: send it, carry it, or forget it. Nothing leaves by itself."),
)

_FAILED, _WRONG_USE, _TOO_LITTLE = 1, 2, 3

DryRun = Annotated[
    bool, typer.Option("--dry-run", help=mark("Show the very bytes that would leave, and send nothing."))
]


@app.command(help=mark("Say what waits, and where."))
def status(*, as_json: Json = False, lang: Lang = None) -> None:
    """Count."""
    tongue, held = words(lang), waiting()
    found, sent = list(held), held.sent()
    agreed = agreement.load(agreement.place()).sharing
    if as_json:
        print_json({"agreed": agreed, "waiting": found, "sent": sent, "folder": str(held.folder)})
        return
    screen = console()
    if not agreed:
        screen.print(tongue.say("You have not agreed to sharing: nothing is kept. To agree: {command}", command=_AGREE))
    screen.print(tongue.say_n("{n} measurement waits to be shared.", "{n} measurements wait to be shared.", len(found)))
    screen.print(tongue.say_n("{n} measurement was sent before.", "{n} measurements were sent before.", len(sent)))
    if held.folder.exists():
        screen.print(tongue.say("They are in {folder}.", folder=str(held.folder)))


_AGREE = "rozaneh consent --yes --category sharing"


@app.command(help=mark("Write all that waits into one file, to carry it by hand."))
def bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=mark("The file to write, such as carry.jsonl.gz."))],
    *,
    dry_run: DryRun = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Pack."""
    tongue, held = words(lang), waiting()
    measurements = _may_leave(held, this_machine((), again=True), tongue)
    if dry_run:
        _show(measurements)
        return
    _something(measurements, tongue, as_json=as_json)
    data = bundles.packed(measurements)
    try:
        with file.open("xb") as out:
            out.write(data)
    except OSError as error:
        raise LocalFault(later("cannot write {file}: {why}", file=file, why=error.strerror)) from error
    if as_json:
        print_json({"file": str(file), "measurements": len(measurements), "bytes": len(data)})
        return
    console().print(
        tongue.say_n(
            "{n} measurement is in {file}. It stays in the folder too, until it is sent or forgotten.",
            "{n} measurements are in {file}. They stay in the folder too, until they are sent or forgotten.",
            len(measurements),
            file=str(file),
        )
    )


@app.command("import", help=mark("Take in a file that somebody packed, to send or carry it on."))
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=mark("The file to read."))],
    *,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Unpack what is signed and unchanged; say of the rest why it is left out."""
    tongue, held, notes = words(lang), waiting(), console(errors=True)
    if not agreement.load(agreement.place()).sharing:
        raise LocalFault(
            tongue.say("You have not agreed to sharing: nothing is kept. To agree: {command}", command=_AGREE)
        )
    known = {*held, *held.sent()}
    taken: list[str] = []
    here: list[str] = []
    wrong: list[dict[str, Any]] = []
    for number, value in bundles.read(file):
        try:
            digest = held.take_in(_measurement(value))
            (here if digest in known else taken).append(digest)
            known.add(digest)
        except RemoteFault as fault:
            wrong.append({"line": number, "reason": str(fault)})
            notes.print(tongue.say("Line {number} is left out: {reason}", number=number, reason=fault))
    if as_json:
        print_json({"taken": taken, "known": here, "left_out": wrong})
    else:
        console().print(tongue.say_n("{n} measurement was taken in.", "{n} measurements were taken in.", len(taken)))
        if here:
            console().print(
                tongue.say_n(
                    "{n} measurement was known already, because it waits here or was sent.",
                    "{n} measurements were known already, because they wait here or were sent.",
                    len(here),
                )
            )
    if not taken and not here:
        raise typer.Exit(_FAILED)


@app.command(help=mark("Send all that waits to a collector that speaks OONI's protocol, by any way that is open."))
def submit(
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help=mark("The collector, such as https://collector.example/."))
    ],
    my_address: MyAddress = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Look at the bytes once more, and send them."""
    tongue, held = words(lang), waiting()
    parse_url(to)
    private = this_machine(my_address or (), again=True)
    measurements = _may_leave(held, private, tongue)
    if dry_run:
        _show(measurements)
        return
    _something(measurements, tongue, as_json=as_json)
    if not agreement.load(agreement.place()).sharing:
        raise LocalFault(
            tongue.say("You have not agreed to sharing: nothing is sent. To agree: {command}", command=_AGREE)
        )
    done = anyio.run(_send, to, held, private)
    if as_json:
        print_json(done)
    else:
        _tell(done, tongue)
    if done.failure is not None:
        raise typer.Exit(_FAILED)


async def _send(url: str, held: Waiting, private: Private) -> Sent:
    network, trust = RealNetwork(), Trust.system()
    ways = parse_ways(os.environ.get("ROZANEH_WAYS", "").splitlines(), "ROZANEH_WAYS", lambda _: None)
    finder = Finder(network, ways=ways, trust=trust, clock=clock_from_environment())
    return await Collector(url, trust, (build("tcp", network, trust=trust), Found(finder))).send_all(held, private)


@app.command(help=mark("Remove all that waits, the record of what was sent, and the key."))
def forget(*, as_json: Json = False, lang: Lang = None) -> None:
    """Remove, and say what."""
    tongue, gone = words(lang), waiting().forget()
    if as_json:
        print_json({"removed": [str(path) for path in gone]})
        return
    screen = console()
    for path in gone:
        screen.print(str(path), markup=False)
    screen.print(
        tongue.say_n(
            "{n} file was removed. A disk may keep blocks of it for a while.",
            "{n} files were removed. A disk may keep blocks of them for a while.",
            len(gone),
        )
    )


def _measurement(value: dict[str, Any] | str) -> dict[str, Any]:
    if isinstance(value, str):
        raise RemoteFault(value)
    return value


def _may_leave(held: Waiting, private: Private, tongue: Words) -> list[dict[str, Any]]:
    """What waits, without what cannot be read or may not leave; of these is said why."""
    found = []
    for digest in held:
        try:
            measurement = held.read(digest)
            vouch(msgspec.json.encode(measurement), private)
        except LocalFault as fault:
            console(errors=True).print(tongue.say("Note: {text}", text=Said(f"{digest}: {tongue.again(fault)}")))
        else:
            found.append(measurement)
    return found


def _something(measurements: Sequence[Any], tongue: Words, *, as_json: bool) -> None:
    """Leave if there is nothing to share."""
    if not measurements:
        if as_json:
            print_json({"sent": [], "left": 0})
        else:
            console().print(tongue.say("Nothing waits to be shared."))
        raise typer.Exit(_TOO_LITTLE)


def _show(measurements: Sequence[Any]) -> None:
    for each in measurements:
        sys.stdout.buffer.write(msgspec.json.encode(each) + b"\n")
    sys.stdout.flush()


def _tell(done: Sent, tongue: Words) -> None:
    screen = console()
    screen.print(tongue.say_n("{n} measurement was sent.", "{n} measurements were sent.", len(done.sent)))
    if done.way and done.way != "tcp":
        screen.print(tongue.say("The collector was reached by another way: {way}.", way=done.way))
    if done.failure is not None:
        screen.print(
            tongue.say(
                "The collector could not be reached ({failure}); what waits stays, and can be sent later or carried.",
                failure=done.failure.value,
            )
        )

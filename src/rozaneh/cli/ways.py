"""``rozaneh ways``: the servers and programs that the gateway may go through."""

import codecs
import sys
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from rozaneh.cli import codes
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.cli.ways_pictures import read_pictures
from rozaneh.cli.ways_try import Tried, try_all
from rozaneh.cli.ways_view import print_ways, print_wrong, shown
from rozaneh.core import LocalFault, SpecError, Target
from rozaneh.core.ordinary import read_ordinary
from rozaneh.gateway.control import Question, ask
from rozaneh.gateway.given import state_folder
from rozaneh.gateway.stored import FILE, Stored, WayFile, sound
from rozaneh.links import LONGEST_FILE, Given, Wrong, read
from rozaneh.links.own import program, with_key, with_plugin, without_key
from rozaneh.links.text import LONGEST_LINE
from rozaneh.net.real import RealNetwork
from rozaneh.words import Words, later, mark

_FAILED, _WRONG_USE = 1, 2
_SITE = "https://www.wikipedia.org/"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark("Your servers: what the gateway may go through when nothing cheaper gets past."),
)
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help=mark("Which; without any, all."))]
State = Annotated[Path | None, typer.Option(help=mark("The folder they are kept in."))]


@app.command(help=mark("Add ways from links, a list or a program."), epilog=mark("Example: rozaneh ways add --file -"))
def add(
    *,
    links: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LINK]...", help=mark("Links; they hold secrets, so a file is the better place.")),
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help=mark("A list, subscription or .conf; - reads standard input."))
    ] = None,
    qr: Annotated[
        list[Path] | None,
        typer.Option("--qr", metavar="PICTURE", help=mark("A picture of QR codes: JPEG, PNG or WebP.")),
    ] = None,
    execute: Annotated[
        bool,
        typer.Option("--exec", help=mark("The words are a program of yours that offers SOCKS5 on port {port}.")),
    ] = False,
    plugins: Annotated[
        bool,
        typer.Option("--allow-plugin", help=mark("Start the plugin that a link asks for, a program of this machine.")),
    ] = False,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help=mark("For ssh:// links: the file with your key to that server."))
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help=mark("What to call it."))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=mark("Only say what would be added."))] = False,
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Read, show, keep."""
    tongue, screen = words(lang), console()
    if not links and file is None and not qr:
        raise typer.BadParameter(tongue.say("Give a link, a list with --file, or a picture of a QR code with --qr."))
    if execute and qr:
        raise typer.BadParameter(tongue.say("A QR code names no program: give --exec and --qr apart."))
    if execute:
        found, wrong = [program(links or [], name=name or Path((links or ["program"])[0]).name)], list[Wrong]()
    else:
        found, wrong = read_given(links or [], file)
        ways, left = read_pictures(qr or [], Words("en") if as_json else tongue)
        found, wrong = found + ways, wrong + left
        found = [with_plugin(way) for way in found] if plugins else found
        found = _with_key(found, key, tongue) if key is not None else found
    fit, unfit = sound(found, RealNetwork())
    found, wrong = [each.way for each in fit], wrong + unfit
    kept = _file(state, tongue)
    there = {each.way.text for each in kept.load()}
    if dry_run:
        added = [Stored(name=each.name or each.kind, way=each) for each in found if each.text not in there]
    else:
        added = kept.add(found, name=name)
    if as_json:
        print_json({"added": [shown(each.name, each.way) for each in added], "left_out": wrong, "dry_run": dry_run})
    else:
        print_ways(screen, tongue, added)
        print_wrong(console(errors=True), tongue, wrong)
        screen.print(tongue.say_n("{n} way was added.", "{n} ways were added.", 0 if dry_run else len(added)))
    if added and not dry_run:
        used = _told(state)
        if not as_json:
            screen.print(
                tongue.say("The gateway that runs uses it from now on.")
                if used
                else tongue.say("It is used once the gateway runs: {command}", command="rozaneh up")
            )
    if not found:
        raise typer.Exit(_FAILED)


def _with_key(found: list[Given], key: Path, tongue: Words) -> list[Given]:
    """No link can name a file of this device, so its owner does."""
    if not any(way.kind == "ssh" for way in found):
        raise typer.BadParameter(tongue.say("A key goes with the link of an SSH server: ssh://…"))
    try:
        read_ordinary(key, LONGEST_FILE)
    except OSError as error:
        raise LocalFault(later("cannot read {key}: {why}", key=key, why=error.strerror)) from error
    return [with_key(way, key.resolve()) for way in found]


@app.command("list", help=mark("The ways that are kept, without their secrets."))
def show(*, names: Names = None, state: State = None, as_json: Json = False, lang: Lang = None) -> None:
    """Print them."""
    tongue, screen = words(lang), console()
    found = _file(state, tongue).find(names or ())
    if as_json:
        print_json([shown(each.name, each.way) for each in found])
        return
    print_ways(screen, tongue, found)
    if not found:
        screen.print(tongue.say("No way is kept yet. Add one with: {command}", command="rozaneh ways add LINK"))


@app.command("test", help=mark("Go each way and say how far it leads."))
def go(
    *,
    names: Names = None,
    target: Annotated[str, typer.Option(metavar="URL", help=mark("A page to ask for through each way."))] = _SITE,
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Dial, one after another; ways of the same owner are never shown to the network together."""
    tongue, screen = words(lang), console()
    found = _file(state, tongue).find(names or ())
    if not found:
        raise LocalFault(tongue.say("No way is kept yet. Add one with: {command}", command="rozaneh ways add LINK"))

    def tell(tried: Tried) -> None:
        if not as_json:
            screen.print(tried.sentence(tongue))

    results = anyio.run(try_all, found, Target.parse(target), tell)
    if as_json:
        print_json(results)
    if not any(each.ok for each in results):
        raise typer.Exit(_FAILED)


@app.command(help=mark("Remove ways."))
def remove(
    *,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help=mark("Which."))],
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Remove them from the file."""
    tongue = words(lang)
    gone = _file(state, tongue).remove(names)
    _told(state)
    if as_json:
        print_json({"removed": [each.name for each in gone]})
        return
    for each in gone:
        console().print(tongue.say("{name} was removed.", name=each.name))


@app.command(help=mark("Give a way to somebody: the whole link, as text or QR code. It holds your secret."))
def share(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help=mark("Which."))],
    qr: Annotated[bool, typer.Option("--qr", help=mark("Show a QR code."))] = False,
    qr_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=mark("Write the QR code to a .svg or .png file."))
    ] = None,
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Print what the file holds, secrets and all: that is what was asked for."""
    tongue = words(lang)
    (found,) = _file(state, tongue).find([name])
    if found.way.kind == "exec":
        raise LocalFault(tongue.say("A program of this device cannot be shared as a link."))
    way = without_key(found.way)
    if way != found.way:
        console(errors=True).print(tongue.say("Your key to the server stays here; whoever gets this needs one too."))
    console(errors=True).print(tongue.say("Whoever has this can use your server, and whoever sees it pass can too."))
    if as_json:
        print_json({"name": found.name, "kind": way.kind, "text": way.text})
    else:
        sys.stdout.write(way.text.rstrip("\n") + "\n")
    if qr:
        codes.show(way.text, tongue)
    if qr_file is not None:
        if qr_file.suffix not in (".svg", ".png"):
            raise LocalFault(tongue.say("Name a file that ends in .svg or .png."))
        for each in codes.save(way.text, qr_file):
            console(errors=True).print(tongue.say("Written: {path}", path=each))


def _file(state: Path | None, tongue: Words) -> WayFile:
    screen = console(errors=True)
    return WayFile((state or state_folder()) / FILE, lambda text: screen.print(tongue.say("Note: {text}", text=text)))


def _told(state: Path | None) -> bool:
    """Tell the gateway that runs that its servers have changed; whether one runs."""
    answer = ask(state or state_folder(), Question(ask="ways"))
    if answer is not None and answer.error:
        raise LocalFault(answer.error)
    return answer is not None


def read_given(links: list[str], file: str | None) -> tuple[list[Given], list[Wrong]]:
    """Everything that was given, each entry named by its place.

    Raises:
        LocalFault: the file cannot be read, or is too large.
    """
    found: list[Given] = []
    wrong: list[Wrong] = []
    for number, link in enumerate(links, 1):
        if "\n" in link or len(link.encode("utf-8", "replace")) > LONGEST_LINE:
            raise SpecError(later("one argument is one link; a list is read with --file"))
        ways, left = read(link)
        found += ways
        wrong += [msgspec.structs.replace(each, place=later("link {number}", number=number), line=0) for each in left]
    if file is not None:
        ways, left = read(_text(file))
        found, wrong = found + ways, wrong + left
    return found, wrong


def _decoded(data: bytes) -> str:
    """A file's text; some editors write UTF-16, and say so in its first two bytes."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8", "replace")


def _text(file: str) -> str:
    try:
        if file == "-":
            return _decoded(sys.stdin.buffer.read(LONGEST_FILE + 1))
        return _decoded(read_ordinary(Path(file), LONGEST_FILE))
    except OSError as error:
        raise LocalFault(later("cannot read {file}: {why}", file=file, why=error.strerror)) from error

"""``rozaneh wipe``: remove what is known from this device, also while the gateway runs."""

from typing import Annotated

import typer

from rozaneh.cli.asking import State
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.gateway.control import Question, ask
from rozaneh.gateway.given import state_folder
from rozaneh.gateway.wiping import wipe
from rozaneh.words import mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_FAILED = 1


@app.command(
    "wipe",
    help=mark(
        "Remove what Rozaneh knows from this device: what worked where, its key, test lists, measurements that wait."
    ),
    epilog=mark("Example: rozaneh wipe --servers --yes"),
)
def wipe_(
    *,
    servers: Annotated[bool, typer.Option("--servers", help=mark("Remove your servers as well."))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=mark("Do not ask."))] = False,
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask, remove, print. A gateway that runs forgets first, or it would write what it knows again."""
    tongue, folder = words(lang), state or state_folder()
    if not yes and not typer.confirm(tongue.say("Remove it for good?")):
        raise typer.Exit(_FAILED)
    answer = ask(folder, Question(ask="wipe", servers=servers))
    wiped = answer.wiped if answer is not None else None
    if wiped is None:
        wiped = wipe(folder, servers=servers)
    if as_json:
        print_json(wiped)
    else:
        screen = console()
        screen.print(tongue.say_n("{n} file was removed.", "{n} files were removed.", wiped.removed))
        for each in wiped.left:
            screen.print(tongue.say("This could not be removed: {file}", file=each))
        screen.print(tongue.say("A disk may keep copies that no program can remove, and this program itself stays."))
    if wiped.left:
        raise typer.Exit(_FAILED)

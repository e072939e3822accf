"""``rozaneh status``: what the gateway's page shows, in a terminal, and the way to that page."""

import datetime as dt
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rozaneh.cli.asking import State, asked
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.core import LocalFault
from rozaneh.gateway.control import Question
from rozaneh.gateway.desk import Look
from rozaneh.gateway.given import state_folder
from rozaneh.gateway.telling import blocked, coming, headline, used
from rozaneh.words import Words, later, mark
from rozaneh.words.dates import Dates

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_FAILED = 1
_LEADS_ON = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={link}">\n'


@app.command(
    help=mark("Whether the gateway works, through what, and what is blocked here."),
    epilog=mark("Example: rozaneh status --page"),
)
def status(
    *,
    page: Annotated[
        bool, typer.Option("--page", help=mark("Print a link to the status page, for one browser."))
    ] = False,
    opens: Annotated[bool, typer.Option("--open", help=mark("Open that page."))] = False,
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask, print."""
    tongue, screen = words(lang), console()
    if page or opens:
        link = asked(state, Question(ask="link"), tongue).link
        if opens:
            _open(link, state or state_folder())
        elif as_json:
            print_json({"page": link})
        else:
            screen.print(link)
        return
    look = asked(state, Question(ask="look"), tongue).look
    if look is None:
        raise typer.Exit(_FAILED)
    if as_json:
        print_json(look)
    else:
        _print(screen, look, tongue)


def _print(screen: Console, look: Look, tongue: Words) -> None:
    dates = Dates(tongue, look.state.now.tzinfo or dt.UTC)
    screen.print(headline(look, tongue)[1])
    for way in used(look.state.ways, tongue, dates):
        screen.print(way.sentence)
        screen.print(f"  {way.line}")
    for each in blocked(look.state, tongue, dates):
        screen.print(each.sentence)
        screen.print(f"  {each.since} {each.passed}")
    for line in coming(look, tongue, dates):
        screen.print(line)


def _open(link: str, folder: Path) -> None:
    """Open the link through a file of the user's own: the arguments of a program can be read by everybody here."""
    leads = folder / "open.html"
    try:
        leads.unlink(missing_ok=True)
        with os.fdopen(os.open(leads, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(_LEADS_ON.format(link=link))
        done = subprocess.run(["xdg-open", str(leads)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise LocalFault(
            later("cannot open a browser ({why}); use: rozaneh status --page", why=error.strerror)
        ) from error
    if done.returncode:
        raise LocalFault(later("no browser could be opened; use: rozaneh status --page"))

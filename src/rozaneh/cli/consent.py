"""``rozaneh consent``: what measuring shows to others, and the answer to it."""

import datetime as dt
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.cli.remember import forget_controls
from rozaneh.probe import consent as agreement
from rozaneh.probe.consent import Consent
from rozaneh.probe.services import RISKY
from rozaneh.words import Words, mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_WRONG_USE = 2
_YES = ("yes", "y", "بله", "آری")


@app.command(
    help=mark("Read what measuring shows to others, and agree or not."),
    epilog=mark("Example: rozaneh consent --yes --category circumvention"),
)
def consent(
    *,
    yes: Annotated[bool, typer.Option("--yes", help=mark("Agree."))] = False,
    no: Annotated[bool, typer.Option("--no", help=mark("Refuse, or withdraw what you agreed to."))] = False,
    show: Annotated[bool, typer.Option("--show", help=mark("Only show the text and your answer."))] = False,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=mark("What to agree to as well: circumvention, sharing, or network.")),
    ] = None,
    answer: Annotated[
        list[bool] | None,
        typer.Option(
            metavar="yes|no", help=mark("Your answers to the questions before a risky category, in their order.")
        ),
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Show, ask, keep the answer."""
    tongue, screen, path = words(lang), console(), agreement.place()
    if yes and no:
        raise typer.BadParameter(tongue.say("Say --yes or --no, not both."))
    if not as_json:
        show_text(screen, tongue)
    today = dt.datetime.now().astimezone().date()
    given = agreement.load(path)
    if no:
        agreement.withdraw(path)
        forget_controls()
        given = Consent()
    elif yes:
        _quiz(category or (), answer, screen, tongue)
        given = agreement.agree(path, (agreement.ORDINARY, *(category or ())), today)
    elif not show:
        agreed = ask(tongue)
        if agreed is None:
            screen.print(tongue.say("Nothing was changed. Agree with 'rozaneh consent --yes', or refuse with '--no'."))
            raise typer.Exit(_WRONG_USE)
        if agreed:
            _quiz(category or (), answer, screen, tongue)
            given = agreement.agree(path, (agreement.ORDINARY, *(category or ())), today)
        else:
            given = Consent()
            agreement.withdraw(path)
            forget_controls()
    if as_json:
        print_json({"version": agreement.VERSION, "agreed": _current(given), "categories": given.categories})
    else:
        screen.print(_state(given, tongue))


def show_text(screen: Console, tongue: Words) -> None:
    """Print what has to be read, one fact on each line."""
    for sentence in (*agreement.TEXT, agreement.RISKY_TEXT, agreement.SHARING_TEXT, agreement.PLACE_TEXT):
        screen.print(tongue.say(sentence))


def ask(tongue: Words) -> bool | None:
    """Ask on the terminal; nothing where there is none to ask on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    answer = console(errors=True).input(tongue.say("Do you agree? Type yes or no: "))
    return answer.strip().casefold() in _YES


def _quiz(asked: Sequence[str], answers: Sequence[bool] | None, screen: Console, tongue: Words) -> None:
    """Ask the questions before a risky category; leaves when one was answered wrongly."""
    if RISKY.isdisjoint(asked):
        return
    if answers is None and sys.stdin.isatty() and sys.stderr.isatty():
        prompt = console(errors=True)
        answers = [prompt.input(tongue.say(each.text)).strip().casefold() in _YES for each in agreement.QUIZ]
    wrong = agreement.wrong_answers(answers or ())
    if not wrong:
        return
    for question in wrong:
        screen.print(tongue.say(question.text).strip())
        if answers:
            screen.print(tongue.say(question.because))
    screen.print(
        tongue.say("Nothing was changed. The risky category needs right answers: with --answer, or on a terminal.")
    )
    raise typer.Exit(_WRONG_USE)


def _current(given: Consent) -> bool:
    return given.version == agreement.VERSION and bool(given.categories)


def _state(given: Consent, tongue: Words) -> str:
    if not _current(given):
        return tongue.say("You have not agreed: nothing is measured.")
    return tongue.say("You have agreed to: {categories}.", categories=", ".join(given.categories))

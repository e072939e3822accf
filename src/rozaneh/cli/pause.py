"""``rozaneh pause``: let nothing through for a while."""

from typing import Annotated

import typer

from rozaneh.cli.asking import State, asked
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.gateway.control import Question
from rozaneh.words import mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=mark("Let nothing through the gateway for a while: open connections are broken off, none goes another way."),
    epilog=mark("Example: rozaneh pause --end"),
)
def pause(
    *,
    end: Annotated[bool, typer.Option("--end", help=mark("Let everything through again."))] = False,
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask, print."""
    tongue = words(lang)
    look = asked(state, Question(ask="resume" if end else "pause"), tongue).look
    if as_json:
        print_json({"paused": look is not None and look.paused})
    elif end:
        console().print(tongue.say("Everything goes through Rozaneh again."))
    else:
        console().print(tongue.say("Paused: nothing goes through Rozaneh until you resume."))

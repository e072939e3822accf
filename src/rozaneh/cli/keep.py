"""``rozaneh keep``: mark pages and files to be fetched while the line abroad is there."""

from typing import Annotated

import typer

from rozaneh.cli.asking import State, asked
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.gateway.control import Question
from rozaneh.gateway.keeping import checked
from rozaneh.gateway.telling import held
from rozaneh.words import mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=mark("Have the gateway fetch pages and files: now and before each usual cut, or, during one, after it."),
    epilog=mark("Example: rozaneh keep https://example.org/book.pdf"),
)
def keep(
    *,
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help=mark("Addresses of pages and files."))],
    state: State = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Ask, print. What is marked is known until the gateway ends, and is on no disk but as what was fetched."""
    tongue = words(lang)
    look = asked(state, Question(ask="keep", urls=checked(urls)), tongue).look
    waits, cut = (look.held, look.cut) if look is not None else (0, False)
    if as_json:
        print_json({"held": waits, "cut": cut})
    elif cut:
        console().print(held(waits, tongue))
    else:
        console().print(tongue.say("It is fetched now, and again before each usual cut."))

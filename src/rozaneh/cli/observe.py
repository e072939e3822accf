"""``rozaneh observe``: many measurements together. Each group of subcommands is a module of its own."""

import typer

from rozaneh.cli import observe_events, observe_ingest, observe_pages, observe_verdicts
from rozaneh.words import mark

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark(
        "Many measurements together: what was done to a country's connections, since when, and how sure that is."
    ),
)
app.add_typer(observe_ingest.app)
app.add_typer(observe_verdicts.app)
app.add_typer(observe_events.app)
app.add_typer(observe_pages.app)


@app.callback()
def _root() -> None:
    """The subcommands stand for themselves."""

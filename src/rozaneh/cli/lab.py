"""``rozaneh lab``: the censored internet on this machine. Each group of subcommands is a module of its own."""

import typer

from rozaneh.cli import lab_country, lab_run, lab_scenarios
from rozaneh.words import mark

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark("A censored internet on this machine: real programs, real packets, censors as text files."),
)
app.add_typer(lab_run.app)
app.add_typer(lab_scenarios.app)
app.add_typer(lab_country.app)


@app.callback()
def _root() -> None:
    """The subcommands stand for themselves."""

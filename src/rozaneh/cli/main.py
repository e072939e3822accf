"""``rozaneh``: the commands, each in a module of its own that is imported only when it is used."""

import sys
from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_command

from rozaneh.core import RozanehError

_COMMANDS = {
    "check": "what is blocked here, how, and by whom",
    "consent": "read what measuring shows to others, and agree or not",
    "demo": "one evening in the lab: what is blocked, and the way through",
    "lab": "a censored internet on this machine",
    "up": "start the local gateway that finds the way that works",
}


class _Lazy(TyperGroup):
    """A group that imports a command's module at its first use, so that every start is quick."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002 - typer's own click
        """The names, in alphabetical order."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        app: typer.Typer = import_module(f"rozaneh.cli.{cmd_name}").app
        command = get_command(app)
        command.name = cmd_name
        command.short_help = _COMMANDS[cmd_name]
        return command


app = typer.Typer(cls=_Lazy, no_args_is_help=True, add_completion=False, help="See what is blocked; find the way.")


@app.callback()
def _root() -> None:
    """See what is blocked here, and reach it by the way that works on this network at this hour."""


def main() -> None:
    """The entry point: one line for every error that is ours to explain, never a traceback."""
    try:
        app()
    except RozanehError as error:
        print(f"rozaneh: {error}", file=sys.stderr)  # noqa: T201 - the last resort of a command-line program
        sys.exit(2)

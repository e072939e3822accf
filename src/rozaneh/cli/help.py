"""Help texts in the language of the person who asks for help.

A command's texts are written where the command is, as typer wants it: in docstrings and ``help=``. They are translated
here, once the tree of commands is built. ``make words`` collects them by the same walk.
"""

import sys
from collections.abc import Callable

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from rozaneh.cli import misuse
from rozaneh.words import Words

_TEXTS = ("help", "short_help", "epilog")


def run(app: typer.Typer, arguments: list[str], name: str, words: Words) -> None:
    """Run a command with its help in the given language. Leaves by ``SystemExit``, as typer does.

    Args:
        app: the command.
        arguments: what follows its name on the command line.
        name: how it is called, for the line that says how to use it.
        words: the language.
    """
    command = get_command(app)
    visit(command, words.say)
    if words.language == "en":
        command(args=arguments, prog_name=name)  # which says what is wrong in English, and leaves
    try:
        code = command.main(args=arguments, prog_name=name, standalone_mode=False)
    except TyperException as error:
        if "\n" in error.format_message():  # nothing was asked for, and it is the help
            typer.echo(error.format_message(), err=True)
        else:
            typer.echo(words.say("rozaneh: {what}", what=misuse.told(error, words)), err=True)
        code = error.exit_code
    except typer.Abort:  # a question was not answered
        typer.echo(words.say("rozaneh: {what}", what=words.say("Stopped: nothing was answered.")), err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def visit(command: object, change: Callable[[str], str]) -> None:
    """Give every help text of a command, its options and its subcommands to ``change``, and take what it returns."""
    for described in (command, *getattr(command, "params", ())):
        for name in _TEXTS:
            if text := getattr(described, name, None):
                setattr(described, name, change(text))
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            visit(inner, change)

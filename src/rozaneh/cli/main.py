"""``rozaneh``: the commands, each in a module of its own that is imported only when it is used.

The first word of the command line names the module ``rozaneh.cli.NAME``, whose ``app`` gets the rest; so a start costs
no more than the one command that runs. Without such a word the commands are listed.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from rozaneh import __version__
from rozaneh.cli.help import run
from rozaneh.cli.lasting import forsake
from rozaneh.core import DamagedFile, LocalFault, RozanehError
from rozaneh.words import Words, later, mark, shown

COMMANDS = {
    "check": mark("What is blocked here, how, and by whom."),
    "consent": mark("Read what measuring shows to others, and agree or not."),
    "demo": mark("One evening in the lab: what is blocked, and the way through."),
    "explain": mark("What a verdict means, and what to do."),
    "helper": mark("Host a control vantage: others ask it whether a site works from outside."),
    "keep": mark("Pages and files to be fetched while the line abroad is there."),
    "lab": mark("A censored internet on this machine."),
    "lists": mark("Test lists on this device: see, update, add and remove them."),
    "observe": mark("Many measurements together: outages, curfews and blocks of a country."),
    "ooni": mark("Measurements in OONI's format, judged again from what was observed."),
    "pause": mark("Let nothing through the gateway for a while."),
    "proxy": mark("Set the desktop's proxy to the gateway, and back as it was."),
    "share": mark("What waits to be shared: send it, carry it, or forget it. Nothing leaves by itself."),
    "status": mark("Whether the gateway works, through what, and what is blocked here."),
    "up": mark("Start the local gateway that finds the way that works."),
    "ways": mark("Your servers: add, list, test, share and remove them."),
    "watch": mark("Watch this line: see cuts and curfews begin and end, for little."),
    "why": mark("Why a host is reached in this way: what was tried and seen."),
    "wipe": mark("Remove what Rozaneh knows from this device."),
}
"""Each command, and what it does, in one line."""

_ALONE = {("lab", name): "lab_run" for name in ("run", "shell", "tiers")}
"""Subcommands in a module that does without its neighbours: what a matrix loads takes half of a second."""

_FAILED, _WRONG_USE = 1, 2
_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP)
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """The entry point: one line for every error that is ours to explain, never a traceback."""
    try:
        dispatch(sys.argv[1:])
    except RozanehError as error:
        _tell(error)
        sys.exit(_FAILED if isinstance(error, DamagedFile) else _WRONG_USE)
    except OSError as error:
        # What concerns a file or the network was said where it happened; these are about names that are no names of
        # files, and about where the result goes.
        if error.errno in _NO_NAME:
            _tell(f"{shown(str(error.filename), 80)}: {error.strerror}")
            sys.exit(_WRONG_USE)
        if error.filename is not None or error.errno not in _UNWRITTEN:
            raise
        forsake(sys.stdout)
        _tell(later("cannot write the result: {why}", why=error.strerror))
        sys.exit(_FAILED)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _tell(what: BaseException | str) -> None:
    """Say in one line what is wrong, in the language that was asked for, where that is one that we speak."""
    rest, lang = _leading_language(sys.argv[1:])
    try:
        words = Words.choose(_option_lang(rest) or lang)
    except LocalFault:
        words = Words.choose()
    print(words.say("rozaneh: {what}", what=words.again(what)), file=sys.stderr)  # noqa: T201 - there is no console to print to any more


def dispatch(arguments: Sequence[str]) -> None:
    """Give the arguments to the command that they name. Leaves by ``SystemExit``, as every command does.

    Raises:
        RozanehError: the command cannot do what it was asked; the text is for the person who asked.
    """
    rest, lang = _leading_language(list(arguments))
    if lang:
        os.environ["ROZANEH_LANG"] = lang
    words = Words.choose(_option_lang(rest) or lang)
    name = rest[0] if rest else ""
    if name in COMMANDS:
        module = _ALONE.get((name, "".join(rest[1:2])), name)
        run(import_module(f"rozaneh.cli.{module}").app, rest[1:], f"rozaneh {name}", words)
    else:
        run(overview(), rest, "rozaneh", words)


def _leading_language(arguments: list[str]) -> tuple[list[str], str]:
    """Take ``--lang X`` off the front, where no command has had a chance to read it."""
    if arguments and arguments[0].startswith("--lang="):
        return arguments[1:], arguments[0].partition("=")[2]
    if arguments[:1] == ["--lang"] and len(arguments) > 1:
        return arguments[2:], arguments[1]
    return arguments, ""


def _option_lang(arguments: list[str]) -> str | None:
    """The ``--lang`` among a command's own options, which its help must be in; what follows ``--`` is not ours."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for index, argument in enumerate(ours):
        if argument.startswith("--lang="):
            return argument.partition("=")[2]
        if argument == "--lang" and index + 1 < len(ours):
            return ours[index + 1]
    return None


def overview() -> typer.Typer:
    """What is shown, or said to be wrong, where no command is named."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        help=mark("See what is blocked here, and reach it by the way that works on this network at this hour."),
        epilog=mark("Help on one command: rozaneh check --help. In Persian: rozaneh --lang fa --help"),
    )

    @app.callback()
    def _root(
        version: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=_version, help=mark("Print the version."))
        ] = False,
    ) -> None:
        """The options that stand alone."""

    for name, summary in COMMANDS.items():
        app.command(name, help=summary)(_never)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"rozaneh {__version__}")
        raise typer.Exit


def _never() -> None:
    """Stands in the list of commands; a named command never gets here."""

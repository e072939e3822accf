"""What every command shares: the options ``--lang`` and ``--json``, and printing for terminals and for pipes."""

import select
import sys
from collections.abc import Iterable
from typing import IO, Annotated, cast

import msgspec
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rozaneh.cli.lasting import Lasting
from rozaneh.core import LocalFault
from rozaneh.words import Words, later, mark
from rozaneh.words.foreign import STEERS, escaped, unsteered

Lang = Annotated[
    str | None,
    typer.Option("--lang", metavar="fa|en", help=mark("Speak Persian or English; else the environment decides.")),
]
"""``lang: Lang = None``"""

Json = Annotated[bool, typer.Option("--json", help=mark("Print the result as JSON, for another program to read."))]
"""``as_json: Json = False``"""


Engine = Annotated[
    str,
    typer.Option("--engine", metavar="NAME", help=mark("Where queries run: duckdb, or the address of a ClickHouse.")),
]
"""``engine: Engine = "duckdb"``"""

_NO_WIDTH = 100_000


class _Unsteered(Console):
    """A console that shows what steers a terminal or turns a line around, and does not pass it on.

    Sentences of ours are harmless as they are (:mod:`rozaneh.words`). Whatever else is printed, such as the title in
    somebody's scenario, becomes so here, on its way from a text to the terminal.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of what is to be shown."""
        for piece in super().render(renderable, options):
            if piece.control or not STEERS.search(piece.text):
                yield piece
            else:
                yield Segment(unsteered(piece.text), piece.style)


def console(*, errors: bool = False, lasting: bool = False) -> Console:
    """Where a command prints: colours and live tables on a terminal, plain lines anywhere else.

    Args:
        errors: print to standard error, as progress does, so that standard output holds the result alone.
        lasting: go on where nothing can be written any more; for what runs for long.
    """
    # A pipe has no width: wrapping or cutting there would break the one line that holds a fact. What is to be drawn as
    # on a terminal (FORCE_COLOR, TTY_COMPATIBLE) has the width of one: a rule fills all of it.
    width = None if Console(stderr=errors).is_terminal else _NO_WIDTH
    file = cast("IO[str]", Lasting(sys.stderr if errors else sys.stdout)) if lasting else None
    return _Unsteered(
        file=file, stderr=errors, soft_wrap=width is not None, width=width, highlight=False, markup=False, emoji=False
    )


def print_json(value: object) -> None:
    """Print a value as indented JSON with Latin digits and unescaped Persian; Structs are taken as they are."""
    print_bytes(msgspec.json.format(as_json(value), indent=2) + b"\n")
    sys.stdout.flush()


def as_json(value: object) -> bytes:
    """A value as JSON that a terminal may be shown."""
    return escaped(msgspec.json.encode(value, enc_hook=_plain).decode()).encode()


def print_bytes(data: bytes) -> None:
    """Write all of ``data`` to standard output; what holds it back is the caller's to flush.

    Where Python does not buffer (``python -u``, PYTHONUNBUFFERED) one ``write`` is one system call, and a signal,
    such as the end of a child, cuts it short: the rest would be lost without a word.
    """
    rest = memoryview(data)
    while rest:
        written = sys.stdout.buffer.write(rest)
        if written is None:  # whoever gave us the descriptor does not want to wait at it; we do
            select.select((), (sys.stdout,), ())
        else:
            rest = rest[written:]


def _plain(value: object) -> str:
    """A sentence, which is a text of its own kind, as JSON has it."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def country_code(text: str | None) -> str | None:
    """What ``--country`` says, in capitals.

    Raises:
        LocalFault: it is no country's code.
    """
    if text is not None and not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise LocalFault(later("--country {text!r} is no country: expected two letters, as in IR", text=text))
    return text and text.upper()


def words(lang: str | None) -> Words:
    """The language of a command.

    Raises:
        LocalFault: ``--lang`` names a language that we do not speak.
    """
    return Words.choose(lang)

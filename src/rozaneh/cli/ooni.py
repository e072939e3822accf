"""``rozaneh ooni replay``: measurements in OONI's format, judged from their raw observations."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from rozaneh.cli.options import Json, Lang, as_json, console, print_bytes, words
from rozaneh.diagnosis import sureness
from rozaneh.diagnosis.sentences import SURE, sentence
from rozaneh.ooni.classic import Classic
from rozaneh.ooni.decode import BadMeasurement
from rozaneh.ooni.documents import documents
from rozaneh.ooni.lines import BadLine, Line, Lines
from rozaneh.ooni.replay import Replayed, replay
from rozaneh.words import Said, Words, mark

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark("Measurements in OONI's format, anybody's or our own."),
)

_CHUNK = 1 << 18
_CLASSIC = ("blocking", "accessible", "dns_consistency", "x_blocking_flags", "x_dns_flags")
_VERDICT = ("verdict", "mechanism", "who", "confidence", "rules")
_CLASSIC_TOO, _VERDICT_TOO = ("x_null_null_flags",), ("where", "missing", "also")

FINE = mark("OONI's rules: accessible.")
DOWN = mark("OONI's rules: down, not blocked.")
UNSURE = mark("OONI's rules cannot tell.")
BLOCKED = mark("OONI's rules: blocked ({how}).")


@app.callback()
def _root() -> None:
    """The subcommands stand for themselves."""


@app.command(name="replay")
def _replay(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help=mark("Files of measurements: .json, .jsonl, packed or not."))
    ],
    details: Annotated[
        bool,
        typer.Option("--details", help=mark("With --json: line, test, input, OONI's score and what was missing too.")),
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Judge measurements again, by OONI's rules and by ours, from what was observed and nothing else."""
    said = words(lang)
    output: _AsJson | _AsText = _AsJson(details=details) if as_json else _AsText(said)
    unread = 0
    for path in files:
        read, whole = False, True
        for line, found in _judged(path):
            read = read or isinstance(found, Replayed)
            whole = whole and not (isinstance(line, BadLine) and line.last)
            output.show(path, line.number, found)
        unread += not (read and whole)
    output.end()
    if unread:
        raise typer.Exit(1)


def _judged(path: Path) -> Iterator[tuple[Line | BadLine, Replayed | str]]:
    """Each measurement of a file, judged, or one line of text about what is wrong with it."""
    empty = True
    for line in documents(_lines(path)):
        empty = False
        if isinstance(line, BadLine):
            yield line, line.reason
            continue
        try:
            yield line, replay(line.data)
        except BadMeasurement as error:
            yield line, str(error)
    if empty:
        yield BadLine(0, "the file holds nothing", last=True), "the file holds nothing"


def _lines(path: Path) -> Iterator[Line | BadLine]:
    lines = Lines()
    try:
        with path.open("rb") as file:
            if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
                yield BadLine(0, "a device, which may have no end, is no file", last=True)
                return
            while chunk := file.read(_CHUNK):
                yield from lines.feed(chunk)
    except OSError as error:
        yield BadLine(0, error.strerror or "cannot be read", last=True)
        return
    yield from lines.end()


class _AsJson:
    """A list, written as it comes: a million measurements take no more memory than one."""

    def __init__(self, *, details: bool) -> None:
        self._first = True
        self._entry = _detailed if details else _entry

    def show(self, path: Path, number: int, found: Replayed | str) -> None:
        print_bytes(b"[\n" if self._first else b",\n")
        self._first = False
        print_bytes(as_json(self._entry(path, number, found)))

    def end(self) -> None:
        print_bytes(b"[]\n" if self._first else b"\n]\n")
        sys.stdout.flush()


def _entry(path: Path, _number: int, found: Replayed | str) -> dict[str, Any]:
    """What every reader needs, under keys that stay as they are."""
    if isinstance(found, str):
        return {"file": str(path), "classic": None, "verdict": None, "error": found}
    classic = found.classic
    return {
        "file": str(path),
        "classic": {name: getattr(classic, name) for name in _CLASSIC} if classic is not None else None,
        "verdict": {name: getattr(found.verdict, name) for name in _VERDICT},
        "error": None,
    }


def _detailed(path: Path, number: int, found: Replayed | str) -> dict[str, Any]:
    """The same, and what else is known."""
    entry = {"line": number, "test_name": None, "input": None, "score": None} | _entry(path, number, found)
    if isinstance(found, str):
        return entry
    entry |= {"test_name": found.test_name, "input": found.input, "score": found.score}
    if found.classic is not None:
        entry["classic"] |= {name: getattr(found.classic, name) for name in _CLASSIC_TOO}
    entry["verdict"] |= {name: getattr(found.verdict, name) for name in _VERDICT_TOO}
    return entry


class _AsText:
    """One line for each measurement; what could not be read goes to standard error."""

    def __init__(self, said: Words) -> None:
        self._said = said
        self._out = console()
        self._errors = console(errors=True)

    def show(self, path: Path, number: int, found: Replayed | str) -> None:
        say = self._said.say
        if isinstance(found, str):
            self._errors.print(
                say("{file}, line {number}: {reason}", file=str(path), number=number, reason=found)
                if number
                else say("{file}: {reason}", file=str(path), reason=found)
            )
            return
        subject = found.input or found.test_name
        sure = say(SURE[sureness(found.verdict.confidence)])
        told = say(sentence(found.verdict), service=subject)
        self._out.print(say("{ours} ({sure}) {theirs}", ours=told, sure=sure, theirs=self._theirs(found.classic)))

    def end(self) -> None:
        """Everything is printed as it comes."""

    def _theirs(self, classic: Classic | None) -> Said:
        say = self._said.say
        if classic is None or classic.blocking is None:
            return say(UNSURE) if classic is not None else Said("")
        if classic.blocking is False:
            return say(FINE if classic.accessible else DOWN)
        return say(BLOCKED, how=str(classic.blocking))

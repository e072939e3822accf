"""The files of ``rozaneh check``: a test list that goes in, and measurements in OONI's format that come out."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rozaneh.cli.lists import kept_lists
from rozaneh.cli.options import console
from rozaneh.cli.place import Placed, lines
from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.ooni.testlists import LARGEST, TestList, read_list
from rozaneh.probe import ServiceResult
from rozaneh.probe.share.private import this_machine
from rozaneh.probe.share.scrub import NotScrubbed, scrub, vouch
from rozaneh.words import Words, later

_MOST_NAMED = 20


def urls_of(path: Path, categories: Sequence[str], tongue: Words) -> list[str]:
    """The URLs of a test list, without those of risky categories that nobody asked for.

    Args:
        path: a file, or the name of a list that ``rozaneh lists`` keeps.
        categories: risky ones that were asked for.
        tongue: the language of notes.

    Raises:
        LocalFault: it cannot be read, or nothing is left of it.
    """
    found = _kept(path) or _in_file(path)
    notes = console(errors=True)
    for left in found.left_out[:_MOST_NAMED]:
        notes.print(tongue.say("{file}, line {number}: {reason}", file=str(path), number=left.line, reason=left.reason))
    if len(found.left_out) > _MOST_NAMED:
        notes.print(tongue.say("{count} more lines were left out.", count=len(found.left_out) - _MOST_NAMED))
    sites = found.permitted(categories)
    risky = sorted({site.category for site in found.sites} - {site.category for site in sites})
    if risky:
        notes.print(
            tongue.say(
                "Left out, because to ask for such sites may harm you: {categories}."
                " To measure one: --category {first}",
                categories=", ".join(risky),
                first=risky[0],
            )
        )
    if not sites:
        raise LocalFault(later("{path}: no site is left to measure", path=path))
    return [site.url for site in sites]


def _kept(path: Path) -> TestList | None:
    """A list that 'rozaneh lists' keeps, where no file is called so."""
    return None if path.exists() or path.name != str(path) else kept_lists().named(path.name)


def _in_file(path: Path) -> TestList:
    try:
        with open_ordinary(path) as file:
            return read_list(file.read(LARGEST + 1))
    except OSError as error:
        raise LocalFault(f"{path}: {error.strerror}") from error


def create(path: Path) -> int:
    """A new file that only its owner can read, before anything is measured in vain.

    Raises:
        LocalFault: it is there already, or cannot be written.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise LocalFault(f"{path}: {error.strerror}") from error


def write(
    descriptor: int, results: Sequence[ServiceResult], placed: Placed, seen: Sequence[str], tongue: Words
) -> None:
    """One measurement for each endpoint, one on each line, without the user's addresses: such files are handed on.

    Args:
        descriptor: of the new file.
        results: of a check.
        placed: network and country, as far as they may be said.
        seen: the addresses under which others see this machine, as far as they are known.
        tongue: the language of notes.
    """
    notes = console(errors=True)
    try:
        private = this_machine(seen)
    except LocalFault:
        private = this_machine(seen, again=True)
        notes.print(
            tongue.say(
                "Note: the address under which others see you is not known, so pages that show it may stand in the"
                " file. Before you hand it on, measure again with --my-address."
            )
        )
    with os.fdopen(descriptor, "wb") as file:
        for line in lines(results, placed):
            try:
                clean = msgspec.json.encode(scrub(msgspec.json.decode(line), private))
                vouch(clean, private)
            except NotScrubbed as fault:
                notes.print(tongue.say("Note: {text}", text=fault))
                continue
            file.write(clean + b"\n")

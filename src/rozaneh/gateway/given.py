"""What the user gives the gateway: servers of theirs, and a folder for what it learns."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rozaneh.core import LocalFault, Spec, SpecError
from rozaneh.core.ordinary import read_ordinary
from rozaneh.finder import Memory
from rozaneh.finder.place import read_salt
from rozaneh.links import parse
from rozaneh.words import later

_LEAF = "tcp"
_LONGEST_FILE = 1 << 20
_STATE = "rozaneh"


def parse_way(text: str) -> Spec:
    """A server of the user's: a link of any format, or a stack.

    A stack ends in ``tcp``; one that does not is Outline's, which begins with the innermost (:mod:`rozaneh.links`).

    Raises:
        SpecError: it is no such thing, or leads through no server. The message holds no secret.
    """
    given = parse(text, own=True)
    if not given.way:
        raise SpecError(later("only a program of its own can go this way; 'rozaneh ways add' says what is missing"))
    spec = Spec.parse(given.way)
    if not given.place and spec.elements[-1].name == _LEAF:
        raise SpecError(
            later("expected a server such as ss://…, socks5://… or https://…; tricks without one are tried anyway")
        )
    return spec


def parse_ways(lines: Iterable[str], origin: str, warn: Callable[[str], None]) -> list[Spec]:
    """The servers in a text, one on each line; empty lines and those that begin with ``#`` are passed over.

    A line that is wrong is named and left out, and the others are kept.

    Args:
        lines: the text.
        origin: what to call it.
        warn: told of each wrong line.
    """
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            found.append(parse_way(text))
        except SpecError as error:
            warn(f"{origin}, line {number}: left out: {error}")
    return found


def read_ways(path: Path, warn: Callable[[str], None]) -> list[Spec]:
    """The servers in a file.

    Raises:
        LocalFault: the file cannot be read.
    """
    try:
        text = read_ordinary(path, _LONGEST_FILE).decode("utf-8-sig")
    except OSError as error:
        raise LocalFault(later("cannot read the servers in {path}: {why}", path=path, why=error.strerror)) from error
    except UnicodeDecodeError as error:
        raise LocalFault(later("cannot read the servers in {path}: it is no text in UTF-8", path=path)) from error
    return parse_ways(text.splitlines(), str(path), warn)


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where this user's programs keep their state (XDG Base Directory Specification, version 0.8)."""
    base = environment.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / _STATE


def open_state(folder: Path | None, warn: Callable[[str], None]) -> tuple[Memory, bytes]:
    """The memory and the device's key; without a folder both are gone when the program ends."""
    if folder is None:
        return Memory(), read_salt(None)
    return Memory(folder / "memory.sqlite", warn=warn), read_salt(folder / "key", warn)

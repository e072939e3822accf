"""The ways that this device's owner has added: a file of theirs alone, one way on each line.

The file holds secrets, so it is made for its owner only (mode 0600) and replaced whole, so that a full disk or a lost
battery leaves the old one. A line that cannot be read is named and kept as it is; the others are used.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from rozaneh.core import LocalFault, NotHere, Spec, SpecError
from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.private import turn, write_in_turn
from rozaneh.dialers import build
from rozaneh.links import Given, Wrong, parse
from rozaneh.links import given as as_way
from rozaneh.links.own import program, with_plugin, words_of
from rozaneh.links.wireguard import parse as parse_wireguard
from rozaneh.net import Network
from rozaneh.words import later, text_of

FILE = "ways.jsonl"
_LONGEST_FILE = 4 << 20
_MOST = 1000
_UNFIT = re.compile(r"[^\w.-]+")


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=65536)]
    plugin: bool = False


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A way that was added.

    Attributes:
        name: what it is called here; no other has the same.
        way: what it says.
    """

    name: str
    way: Given


class WayFile:
    """The file.

    Args:
        path: where it is.
        warn: told, in one line without a secret, of what is wrong in it.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._warn = warn

    def load(self) -> list[Stored]:
        """The ways in it; none where there is no file.

        Raises:
            LocalFault: it cannot be read, or others than its owner may read it.
        """
        return [line for line in self._lines() if isinstance(line, Stored)]

    def add(self, ways: Iterable[Given], *, name: str = "") -> list[Stored]:
        """Add ways, each under a name of its own; one that is there already is passed over.

        Returns:
            Those that are new.

        Raises:
            LocalFault: the file cannot be written, or would hold too many.
        """
        with self._changing():
            lines = self._lines()
            there = [line for line in lines if isinstance(line, Stored)]
            names = {each.name for each in there}
            known = {each.way.text for each in there}
            added = []
            for way in ways:
                if way.text not in known:
                    known.add(way.text)
                    added.append(Stored(name=_free(name or way.name or way.place or way.kind, names), way=way))
                    names.add(added[-1].name)
            room = max(0, _MOST - len(there))
            if len(added) > room:
                if not room:
                    raise LocalFault(later("at most {most} ways are kept; remove some first", most=_MOST))
                self._warn(f"at most {_MOST} ways are kept: the last {len(added) - room} of these are left out")
                added = added[:room]
            if added:
                self._write([*lines, *added])
            return added

    def remove(self, names: Iterable[str]) -> list[Stored]:
        """Remove ways by their names.

        Raises:
            LocalFault: one of the names is unknown, or the file cannot be written. Nothing is removed then.
        """
        names = [*names]
        self.find(names)  # where there is nothing to remove, nothing is made either
        with self._changing():
            lines = self._lines()
            there = {line.name: line for line in lines if isinstance(line, Stored)}
            gone = [self._found(there, name) for name in dict.fromkeys(names)]
            self._write([line for line in lines if line not in gone])
            return gone

    def find(self, names: Iterable[str]) -> list[Stored]:
        """The ways with these names, or all without any.

        Raises:
            LocalFault: one of the names is unknown.
        """
        there = {each.name: each for each in self.load()}
        return [self._found(there, name) for name in names] or list(there.values())

    @staticmethod
    def _found(there: dict[str, Stored], name: str) -> Stored:
        if name not in there:
            raise LocalFault(later("no way is called {name!r}; 'rozaneh ways list' shows their names", name=name[:60]))
        return there[name]

    def _lines(self) -> list[Stored | bytes]:
        try:
            data = read_ordinary(self.path, _LONGEST_FILE)
            if self.path.stat().st_mode & 0o077:
                raise LocalFault(
                    later(
                        "{path} can be read by others; it holds secrets: {command}",
                        path=self.path,
                        command=f"chmod 600 {self.path}",
                    )
                )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LocalFault(later("cannot read {path}: {why}", path=self.path, why=error.strerror)) from error
        return [self._line(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]

    def _line(self, number: int, line: bytes) -> Stored | bytes:
        try:
            read = msgspec.json.decode(line, type=_Line)
            return Stored(name=read.name, way=_way(read))
        except (msgspec.DecodeError, SpecError) as error:
            self._warn(f"{self.path}, line {number}: left out: {error}")
            return line

    def _write(self, lines: Iterable[Stored | bytes]) -> None:
        data = b"".join((line if isinstance(line, bytes) else _printed(line)) + b"\n" for line in lines)
        if len(data) > _LONGEST_FILE:  # what is beyond that would not be read, and be gone with the next change
            raise LocalFault(
                later("the ways would take more than {n} MiB; remove some, or add fewer", n=_LONGEST_FILE >> 20)
            )
        write_in_turn(self.path, data)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Of two that change it at once, as a command and the page may, the second reads what the first wrote."""
        try:
            with turn(self.path.parent):
                yield
        except OSError as error:
            raise LocalFault(later("cannot write {path}: {why}", path=self.path, why=error.strerror)) from error


class Sound(NamedTuple):
    """A way that is well written.

    Attributes:
        way: what was read.
        spec: as it is dialled; none where it cannot be gone here.
        missing: why not, or empty.
    """

    way: Given
    spec: Spec | None
    missing: str = ""


def sound(ways: Iterable[Given], network: Network) -> tuple[list[Sound], list[Wrong]]:
    """The ways that are well written, whether or not they can be gone here; of the others, what is wrong.

    Each part of a stack is judged by what dials it, so a parser of links cannot say this.

    Args:
        ways: what was read.
        network: what they would be dialled on.
    """
    good, wrong = list[Sound](), list[Wrong]()
    for way in ways:
        if not way.way:
            good.append(Sound(way, None, later("only a program of its own can go this way")))
            continue
        try:
            good.append(Sound(way, build(way.way, network).spec))
        except NotHere as error:
            good.append(Sound(way, None, text_of(error)))
        except SpecError as error:
            wrong.append(Wrong(place=way.shown, reason=text_of(error)))
    return good, wrong


def stored_ways(folder: Path, network: Network, warn: Callable[[str], None]) -> list[Spec]:
    """The stacks of the ways in a folder that can be gone on this machine; of the others it is said why not.

    Args:
        folder: where the file is.
        network: what they would be dialled on.
        warn: told, in one line without a secret, of each that is left out.
    """
    found = []
    for each in WayFile(folder / FILE, warn).load():
        if not each.way.way:
            continue
        try:
            found.append(build(each.way.way, network).spec)
        except SpecError as error:
            warn(f"the way {each.name} is left out: {error}")
    return found


def _way(line: _Line) -> Given:
    """What a line says, judged by the parser of its format again. The file is its owner's, so it may name a program."""
    if line.kind == "exec":
        return program(words_of(line.text.removeprefix("exec:")), name=line.name)
    if line.kind == "wireguard":
        return as_way(parse_wireguard(line.text))
    way = parse(line.text, own=True)
    return with_plugin(way) if line.plugin else way


def _printed(stored: Stored) -> bytes:
    return msgspec.json.encode(
        _Line(name=stored.name, kind=stored.way.kind, text=stored.way.text, plugin="|plugin:" in stored.way.way)
    )


def _free(wanted: str, taken: set[str]) -> str:
    base = _UNFIT.sub("-", wanted).strip("-.")[:40] or "way"
    return next(name for n in range(1, _MOST + 2) if (name := base if n == 1 else f"{base}-{n}") not in taken)

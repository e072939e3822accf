"""How ways are shown: without their secrets, with what should be known about them first."""

from collections.abc import Iterable, Iterator

import msgspec
from rich.console import Console

from rozaneh.gateway.stored import Stored
from rozaneh.links import Given, Remark, Wrong
from rozaneh.words import Words, mark

REMARKS = {
    Remark.INSECURE_IGNORED: mark("The link asks not to verify the server's certificate; it is verified all the same."),
    Remark.NEEDS_PLUGIN: mark("The link asks for a plugin, a program; it is started only with --allow-plugin."),
    Remark.NEEDS_PROGRAM: mark("Only a program of its own can go this way; add that program with --exec."),
    Remark.IN_THE_CLEAR: mark("The way to this proxy is not encrypted: whoever is on it reads which hosts you reach."),
    Remark.NO_HOST_KEY: mark(
        "The server's key is not given (hostkey=), so nobody could tell it from another; not used."
    ),
    Remark.PLACEHOLDER: mark("The address in this line stands for nothing and is never dialled."),
    Remark.FINGERPRINT_NOT_WORN: mark("The link wants to look like a browser; this program's handshake does not."),
}
"""What to say for each remark."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A way as ``--json`` has it: the keys are an interface and only grow.

    Attributes:
        name: what it is called.
        kind: its format.
        way: the stack that is dialled, without secrets; empty where it is not used.
        place: ``host:port`` of the server.
        usable: whether the gateway uses it.
        unknown: settings that were not understood and are not obeyed.
        remarks: what should be known first, as stable words.
    """

    name: str
    kind: str
    way: str
    place: str
    usable: bool
    unknown: tuple[str, ...]
    remarks: tuple[str, ...]


def shown(name: str, way: Given) -> Shown:
    """A way without its secrets."""
    return Shown(
        name=name,
        kind=way.kind,
        way=way.shown if way.way else "",
        place=way.place,
        usable=bool(way.way),
        unknown=way.unknown,
        remarks=tuple(str(each) for each in way.remarks),
    )


def print_ways(screen: Console, tongue: Words, ways: Iterable[Stored]) -> None:
    """One line for each way, and one for each thing that should be known about it."""
    for each in ways:
        screen.print(
            tongue.say("{name}: {kind} at {place}", name=each.name, kind=each.way.kind, place=_place(each.way))
        )
        for line in _notes(tongue, each.way):
            screen.print(f"  {line}")


def print_wrong(screen: Console, tongue: Words, wrong: Iterable[Wrong]) -> None:
    """One line for each entry that was left out."""
    for each in wrong:
        screen.print(tongue.say("Left out, {place}: {reason}", place=each.place, reason=each.reason))


def _place(way: Given) -> str:
    return way.place or way.shown


def _notes(tongue: Words, way: Given) -> Iterator[str]:
    for remark in way.remarks:
        yield tongue.say(REMARKS[remark])
    if way.unknown:
        yield tongue.say("Not understood and not obeyed: {keys}.", keys=", ".join(way.unknown))

"""What somebody can see of a running gateway, and do with it: for its page, and for the commands that ask it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from rozaneh.core import LocalFault, Spec, SpecError
from rozaneh.finder import Finder
from rozaneh.finder.curfew import Curfew
from rozaneh.gateway.curfew import CurfewMode
from rozaneh.gateway.events import Prepared
from rozaneh.gateway.state import Snapshot, State
from rozaneh.gateway.stored import FILE, WayFile, sound, stored_ways
from rozaneh.gateway.switch import Switch
from rozaneh.gateway.wiping import Wiped, wipe
from rozaneh.links import Given, Wrong, parts, read
from rozaneh.net import Network
from rozaneh.words import text_of

__all__ = ["Added", "Desk", "Look"]

_MOST_PARTS = 2 * parts.MOST


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to see.

    Attributes:
        proxy: ``address:port`` of the gateway.
        state: of its connections.
        paused: whether nobody is let through.
        curfew: the usual cut that is on or comes next; none where none is known.
        servers: how many of the user's own can be used.
        prepared: what was done for that cut.
        held: how many entries that were marked to be kept wait for the line to be there.
        cut: whether the line abroad is cut now, or usually is at this hour.
    """

    proxy: str
    state: Snapshot
    paused: bool = False
    curfew: Curfew | None = None
    servers: int = 0
    prepared: Prepared | None = None
    held: int = 0
    cut: bool = False


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What became of links that were given.

    Attributes:
        ways: those that can be used from now on.
        unusable: those that are kept but that this machine cannot go, with the reason.
        wrong: what could not be read, by its place.
        kept: whether they are on disk, or known until the gateway ends.
        waits: whether these were parts of a text, and others of it are still to come.
    """

    ways: tuple[Given, ...] = ()
    unusable: tuple[str, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    kept: bool = True
    waits: bool = False


@dataclass
class Desk:
    """One gateway's.

    Attributes:
        finder: makes its connections.
        state: what it has done.
        switch: lets clients through or not.
        network: what ways would be dialled on.
        folder: where it keeps things; none in memory only.
        given: the servers that it was started with.
        kept: those that its folder held then.
        warn: told, in one line, of what is wrong on this side.
        proxy: ``address:port`` of the gateway, once it listens.
        curfew: knows of usual cuts; none where nobody looks for them.
        shared: the link by which others on the home network use it, with its password; empty where nobody may.
    """

    finder: Finder
    state: State
    switch: Switch
    network: Network
    folder: Path | None
    given: Sequence[Spec] = ()
    kept: Sequence[Spec] = ()
    warn: Callable[[str], None] = lambda _: None
    proxy: str = ""
    curfew: CurfewMode | None = None
    shared: str = ""
    _using: list[Spec] = field(default_factory=list)
    _parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._using = [*self.given, *self.kept]

    def look(self) -> Look:
        """What it is now."""
        return Look(
            proxy=self.proxy,
            state=self.state.snapshot(self.finder.outage()),
            paused=self.switch.paused,
            curfew=self.curfew.expected() if self.curfew is not None else self.finder.curfew(),
            servers=len(self._using),
            prepared=self.curfew.prepared if self.curfew is not None else None,
            cut=self.curfew is not None and self.curfew.is_cut(),
            held=len(self.curfew.held) if self.curfew is not None else 0,
        )

    def add(self, text: str) -> Added:
        """Take the links in a text: keep them, and use them from now on. Nothing in it starts a program.

        Raises:
            SpecError: it is no list of links at all.
            LocalFault: they cannot be kept.
        """
        given, wrong = read(text)
        found, unfit = sound(given, self.network)
        kept = self.folder is not None
        if self.folder is not None and found:
            WayFile(self.folder / FILE, self.warn).add(each.way for each in found)
        usable: list[Given] = []
        unusable = []
        for way, spec, missing in found:
            if spec is None:
                unusable.append(f"{way.shown}: {missing}")
                continue
            usable.append(way)
            if spec not in self._using:
                self._using.append(spec)
        self.finder.use(self._using)
        return Added(ways=tuple(usable), unusable=tuple(unusable), wrong=(*wrong, *unfit), kept=kept)

    def add_codes(self, texts: Sequence[str]) -> list[Added]:
        """Take what QR codes say as :meth:`add` takes what is pasted, each by itself: one may hold a whole file.

        Parts of one text may come in several pictures; until the last has come they are remembered, in memory alone.
        """
        pieces = [each for each in texts if parts.is_part(each)]
        results = [unless_wrong(self, each) for each in texts if not parts.is_part(each)]
        if pieces:
            gathered = tuple(dict.fromkeys((*self._parts, *pieces)))
            added = unless_wrong(self, "\n".join(gathered))
            self._parts = tuple(parts.waiting(gathered))[-_MOST_PARTS:]
            results.append(msgspec.structs.replace(added, waits=bool(self._parts) and not added.ways))
        return results

    def read_again(self) -> None:
        """Use the servers that the folder holds now: another program has added some, or removed some.

        Raises:
            LocalFault: the file cannot be read.
        """
        if self.folder is not None:
            self.kept = stored_ways(self.folder, self.network, self.warn)
            self._using = list(dict.fromkeys((*self.given, *self.kept)))
            self.finder.use(self._using)

    def wipe(self, *, servers: bool) -> Wiped:
        """Forget everything and remove it from disk; until it ends the gateway keeps nothing more there.

        Args:
            servers: whether the user's own servers go too; connections through them are broken off.
        """
        self.switch.break_off()
        self.finder.forget()
        self.state.forget()
        if self.curfew is not None:
            self.curfew.forget()
        self._parts = ()
        folder, self.folder = self.folder, None
        if servers:
            self._using = []
            self.finder.use(())
        return wipe(folder, servers=servers)


def unless_wrong(desk: Desk, text: str) -> Added:
    """As :meth:`Desk.add`, with what is wrong as a whole told in the same way as what is wrong in a part."""
    try:
        return desk.add(text)
    except (SpecError, LocalFault) as fault:
        return Added(wrong=(Wrong(place="", reason=text_of(fault)),))

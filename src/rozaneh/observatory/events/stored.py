"""The events of a store, in a small file that is replaced as a whole."""

from pathlib import Path

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.replaced import replaced
from rozaneh.observatory.events.event import Found, Withheld
from rozaneh.observatory.events.sentences import CHANGES, KINDS, REASONS, STATES
from rozaneh.observatory.schema import EVENTS
from rozaneh.words import later

FILE = "events.json"
"""Its name, below the store's directory of events."""

_LARGEST = 64 << 20
_YEARS = range(1990, 2101)
"""Of which signals have times; measurements have those of fewer."""


class Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found in a store.

    Attributes:
        found: the events.
        withheld: claims that there is not enough for.
        too_large: countries that were not looked at: the machine's memory did not hold them.
    """

    found: tuple[Found, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    too_large: tuple[str, ...] = ()


def stored(place: Path) -> Stored | None:
    """The events of a store; nothing where nobody has looked for them yet.

    Raises:
        LocalFault: the file is not what this version writes.
    """
    path = place / EVENTS / FILE
    try:
        data = read_ordinary(path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalFault(
            later("{path}: {why}; find the events again with 'rozaneh observe events'", path=path, why=error.strerror)
        ) from error
    try:
        read = msgspec.json.decode(data, type=Stored)
        _check(read)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LocalFault(
            later("{path}: {error}; find the events again with 'rozaneh observe events'", path=path, error=error)
        ) from error
    return read


def _check(read: Stored) -> None:
    """Refuse what no version writes: whoever hands a store on can write there what he likes.

    Raises:
        ValueError: a word that has no sentence, or a time that none can be.
    """
    for event in (*(found.event for found in read.found), *(held.event for held in read.withheld)):
        if event.kind not in KINDS:
            raise ValueError(f"no event is called {event.kind[:40]!r}")
        for moment in (event.start, event.end):
            if moment is not None and (moment.tzinfo is None or moment.year not in _YEARS):
                raise ValueError(f"no event begins or ends at {moment.isoformat()}")
    for found in read.found:
        if found.evidence.state not in STATES or not CHANGES.keys() >= set(found.evidence.would_change):
            raise ValueError("it says of an event what has no meaning")
    if any(withheld.reason not in REASONS for withheld in read.withheld):
        raise ValueError("it says why a claim is not made in a word that has no meaning")


def keep(place: Path, what: Stored) -> None:
    """Put the events of a store in place of those that were there.

    Raises:
        LocalFault: they cannot be written.
    """
    path = place / EVENTS / FILE
    with replaced(path) as fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(what, order="deterministic"), indent=1))

"""The events of a store, in a small file that is replaced as a whole."""

from pathlib import Path

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.replaced import replaced
from rozaneh.observatory.events.event import Found, Withheld
from rozaneh.observatory.schema import EVENTS

FILE = "events.json"
"""Its name, below the store's directory of events."""

_LARGEST = 64 << 20


class Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found in a store.

    Attributes:
        found: the events.
        withheld: claims that there is not enough for.
    """

    found: tuple[Found, ...] = ()
    withheld: tuple[Withheld, ...] = ()


def stored(place: Path) -> Stored:
    """The events of a store; none where nobody has looked for them yet.

    Raises:
        LocalFault: the file is not what this version writes.
    """
    path = place / EVENTS / FILE
    try:
        data = read_ordinary(path, _LARGEST)
    except FileNotFoundError:
        return Stored()
    except OSError as error:
        raise LocalFault(f"{path}: {error.strerror}; find the events again with 'rozaneh observe events'") from error
    try:
        return msgspec.json.decode(data, type=Stored)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LocalFault(f"{path}: {error}; find the events again with 'rozaneh observe events'") from error


def keep(place: Path, what: Stored) -> None:
    """Put the events of a store in place of those that were there.

    Raises:
        LocalFault: they cannot be written.
    """
    path = place / EVENTS / FILE
    with replaced(path) as fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(what, order="deterministic"), indent=1))

"""From what was seen to the way that is dialled next, and to what is remembered of it.

Every dial is a measurement. The first way to a destination is the direct one or the one that worked there last. When
it fails, the diagnosis says what that suggests; the table (``table.toml``: dated evidence with sources) says what gets
past it; the memory says what of that worked on this network around this hour; and the best is dialled, with the
client's own first bytes as its test. What wins is remembered for the destination in RAM, and for network x hour x
obstacle on disk.

:class:`Finder` is the door; :class:`Found` makes it a dialer, for what this program itself has to reach.
:class:`Opening` is one connection being made, :class:`Connection` or :class:`Refusal` its
end, and :class:`Flight` what the client said first.
"""

from rozaneh.finder.dialer import Found
from rozaneh.finder.finder import Finder
from rozaneh.finder.flight import Flight, FlightReader
from rozaneh.finder.memory import Memory
from rozaneh.finder.opening import Opening
from rozaneh.finder.race import Connection, Rules
from rozaneh.finder.refusal import Refusal
from rozaneh.finder.shortcut import Shortcut
from rozaneh.finder.table import Table
from rozaneh.finder.why import Why

__all__ = [
    "Connection",
    "Finder",
    "Flight",
    "FlightReader",
    "Found",
    "Memory",
    "Opening",
    "Refusal",
    "Rules",
    "Shortcut",
    "Table",
    "Why",
]

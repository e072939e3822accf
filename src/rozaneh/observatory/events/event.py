"""An event: a claim about a series, with what it rests on."""

import re
from datetime import datetime

import msgspec

OF_ALL = ("curfew", "outage", "domestic_only")
"""Kinds of events in which everything is cut, at home or not."""

_ASN = re.compile(r"AS(\d{1,10})", re.ASCII)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done to people's connections, from when to when.

    Attributes:
        kind: ``outage``, ``domestic_only``, ``curfew``, ``block``, ``throttling``, ``protocol_block``, ``refusal`` or
            ``silence`` (measurements that stopped coming, which by itself is no outage).
        country: two capitals; ``ZZ`` where it is not known.
        networks: autonomous systems such as ``AS44244``, or what signals from elsewhere call them; empty where the
            series does not tell networks apart.
        services: services, or host names where the catalogue has none; empty where it is everything.
        start: when it began, UTC.
        end: when it ended, UTC; none while it lasts.
        hours: for a curfew, the hours of the local day, 0 to 23, in which it is in force, in their order; else none.
        mechanism: a Mechanism of :mod:`rozaneh.diagnosis`.
        confidence: 0 to 1.
        samples: how many samples or measurements lie in it.
        sources: how many independent ones: signals that fell, or sources of measurements.
        rule: id of the detector's rule, which is permanent.
    """

    kind: str
    country: str
    networks: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    start: datetime
    end: datetime | None = None
    hours: tuple[int, ...] | None = None
    mechanism: str
    confidence: float
    samples: int
    sources: int
    rule: str

    @property
    def asns(self) -> tuple[int, ...]:
        """The numbers of its networks, as far as they are called by them."""
        return tuple(int(number[1]) for name in self.networks if (number := _ASN.fullmatch(name)))


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal says of an event.

    Attributes:
        signal: its name.
        fell: whether it fell.
        start: when it fell.
        end: when it was back; none while it is not.
        lowest: the least share of its usual level that it came down to.
    """

    signal: str
    fell: bool
    start: datetime | None = None
    end: datetime | None = None
    lowest: float | None = None


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When a curfew is expected next.

    Attributes:
        start: of the next window, UTC.
        end: of it.
        chance: share of the days since its start on which it came.
        hits: days that it was forecast and came, looking back.
        misses: days that it was forecast and did not come.
    """

    start: datetime
    end: datetime
    chance: float
    hits: int
    misses: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What an event rests on, and what would change it.

    Attributes:
        state: ``down``, ``partly back`` or ``over``.
        before: whether it was so already when the data begin: then ``start`` says when those begin, and no more.
        began_between: the last moment before it that was well, and the first that was not.
        lowest: the least share of the usual level, or the largest share of measurements that failed.
        usual: that share before it.
        votes: of each signal.
        days: for a curfew, the local days on which it was in force, ISO 8601.
        weekdays: for a curfew, the days of the week, 0 is Monday.
        zone: time zone of ``hours`` and ``days``.
        forecast: for a curfew that lasts.
        second_opinion: what another detector says: ``agrees``, ``disagrees`` or empty where none was asked.
        marks: changes of the pipeline (software, lists, rules) near its start.
        published: when it could first have been published, by the receipt of what it rests on; a full hour.
        would_change: what would change it, as keys of :data:`rozaneh.observatory.events.sentences.CHANGES`.
    """

    state: str = "over"
    before: bool = False
    began_between: tuple[datetime, datetime] | None = None
    lowest: float | None = None
    usual: float | None = None
    votes: tuple[Vote, ...] = ()
    days: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    zone: str = "UTC"
    forecast: Forecast | None = None
    second_opinion: str = ""
    marks: tuple[str, ...] = ()
    published: datetime | None = None
    would_change: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its evidence."""

    event: Event
    evidence: Evidence = Evidence()


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that is not made, and why: "not enough" is a result that is published too.

    Attributes:
        event: what would have been claimed.
        reason: a key of :data:`rozaneh.observatory.events.sentences.REASONS`.
        wanted: how many would be enough.
        had: how many there were.
    """

    event: Event
    reason: str
    wanted: int
    had: int


def order(event: Event) -> tuple[object, ...]:
    """A key that sorts events the same way whatever the order of input."""
    return (event.start, event.country, event.kind, event.networks, event.services, event.mechanism, event.rule)

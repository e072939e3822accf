"""What fails in most countries from the same hours on is no block of any of them: the service is down, or the test is.

A single country cannot tell these apart where the control is missing, or is deceived as everybody is. Several can.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from rozaneh.observatory.events.baseline import DAY
from rozaneh.observatory.events.counts import Counts
from rozaneh.observatory.events.event import Event, Found, Withheld

_KINDS = ("block", "protocol_block")
_HOUR = dt.timedelta(hours=1)


class EverywhereSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    countries_least: int
    share: float
    hours_apart: float


@dataclass(frozen=True)
class Seen:
    """On which days what was measured in a country.

    Attributes:
        country: two capitals.
        start: first hour.
        days: for each subject whether it was measured, of 24 hours each from that hour on.
    """

    country: str
    start: dt.datetime
    days: dict[str, np.ndarray]

    @classmethod
    def of(cls, counts: Counts) -> "Seen":
        """By the counts of the country."""
        measured = np.maximum.reduceat(counts.n, np.arange(0, counts.hours, DAY), axis=1) > 0
        days: dict[str, np.ndarray] = {}
        for (_, subject), row in zip(counts.series, measured, strict=True):
            days[subject] = days[subject] | row if subject in days else row
        return cls(counts.country, counts.start, days)

    def measured(self, subject: str, at: dt.datetime) -> bool:
        """Whether the subject was measured on the day of a moment."""
        day = int((at - self.start) // (DAY * _HOUR))
        days = self.days.get(subject)
        return days is not None and 0 <= day < len(days) and bool(days[day])


def not_everywhere(
    found: Sequence[Found], withheld: Sequence[Withheld], seen: Sequence[Seen], settings: EverywhereSettings
) -> tuple[list[Found], list[Withheld]]:
    """Leave out the blocks that begin in most countries at once.

    Args:
        found: events of all countries.
        withheld: what there is not enough for: it says as much of when a service began to fail.
        seen: what was measured in each country.
        settings: the numbers of the rule.

    Returns:
        The events that are left, and what there is not enough for, those among it.
    """
    if len(seen) < settings.countries_least:
        return list(found), list(withheld)
    begun = [(each.event, each.evidence.before) for each in found]
    begun += [(each.event, False) for each in withheld]
    told = [event for event, before in begun if event.kind in _KINDS and not before]
    kept, left = [], list(withheld)
    for each in found:
        many = 0 if each.evidence.before else _countries(each.event, told, seen, settings)
        if many:
            left.append(Withheld(event=each.event, reason="everywhere", wanted=0, had=many))
        else:
            kept.append(each)
    return kept, left


def _countries(event: Event, told: Sequence[Event], seen: Sequence[Seen], settings: EverywhereSettings) -> int:
    """In how many countries it begins together, where these are most of those that measure it; else none."""
    if event.kind not in _KINDS:
        return 0
    services = set(event.services)
    apart = settings.hours_apart * _HOUR
    where = {
        other.country for other in told if services & set(other.services) and abs(other.start - event.start) <= apart
    }
    measuring = sum(any(of.measured(service, event.start) for service in services) for of in seen)
    enough = len(where) >= settings.countries_least and len(where) > settings.share * measuring
    return len(where) if enough else 0

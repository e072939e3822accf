"""How right events are: held against what a timeline really did.

An event is right if something of its kind really was done to one of its services on one of its networks while it lasts.
What was done counts as found if right events name all its services and most of its networks. Several events for one
thing are pieces, which is a fault of its own kind.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import TypeVar

import msgspec

from rozaneh.core import LocalFault

_SLACK = timedelta(hours=6)
_NO_EVENT = ("down",)
_HOURS_OFF = 1
_Kind = TypeVar("_Kind")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or what really was done, as far as both have it. Unknown keys are passed over.

    Attributes:
        kind: of event.
        networks: such as AS44244.
        services: ids; empty where it is everything.
        start: UTC.
        end: UTC; none while it lasts.
        hours: of a curfew, of the local day.
        days: of a curfew, further days on which it was in force.
    """

    kind: str
    networks: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    start: datetime
    end: datetime | None = None
    hours: tuple[int, ...] | None = None
    days: tuple[date, ...] = ()


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What ``labels.json`` says.

    Attributes:
        name: of the timeline.
        events: what was done.
        blocked_before: services that were blocked before it began, and how.
    """

    name: str
    events: tuple[Told, ...]
    blocked_before: dict[str, str] = {}


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How right the events of one kind are.

    Attributes:
        kind: of event.
        done: how often it really was done.
        found: of these, how many were found.
        told: how many events say so.
        right: of these, how many are right.
        onset: hours between what was done and its event, in the middle of all; none where none was found.
        within: of those that were found, how many begin within six hours of the truth.
        hours_right: of the curfews that were found, how many begin and end within an hour of the truth.
    """

    kind: str
    done: int
    found: int
    told: int
    right: int
    onset: float | None
    within: int
    hours_right: int

    @property
    def recall(self) -> float | None:
        """Share of what was done that was found."""
        return self.found / self.done if self.done else None

    @property
    def precision(self) -> float | None:
        """Share of the events that are right."""
        return self.right / self.told if self.told else None


def read_labels(data: bytes, place: str) -> Labels:
    """Read ``labels.json``.

    Raises:
        LocalFault: it is something else; one line that names the key.
    """
    return _read(data, Labels, place)


def read_events(data: bytes, place: str) -> list[Told]:
    """Read what ``rozaneh observe events --json`` prints.

    Raises:
        LocalFault: as above.
    """
    return _read(data, list[Told], place)


def _read(data: bytes, kind: type[_Kind], place: str) -> _Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LocalFault(f"{place}: {error}") from None


def score(labels: Labels, events: Sequence[Told]) -> list[Score]:
    """Hold events against the truth, kind by kind.

    Args:
        labels: the truth.
        events: what was found.
    """
    truth = [label for label in labels.events if label.kind not in _NO_EVENT]
    kinds = sorted({each.kind for each in (*truth, *events)})
    return [_of_kind(kind, truth, events, labels) for kind in kinds]


def _of_kind(kind: str, truth: Sequence[Told], events: Sequence[Told], labels: Labels) -> Score:
    done = [label for label in truth if label.kind == kind]
    told = [event for event in events if event.kind == kind]
    matched = [[event for event in told if _fits(label, event)] for label in done]
    found = [(label, of) for label, of in zip(done, matched, strict=True) if of and _covered(label, of)]
    delays = [min((abs(event.start - label.start) for event in of), default=timedelta()) for label, of in found]
    right = sum(
        any(_fits(label, event) for label in done) or _known_before(event, labels) or _one_night(event, truth)
        for event in told
    )
    return Score(
        kind=kind,
        done=len(done),
        found=len(found),
        told=len(told),
        right=right,
        onset=round(median(delay.total_seconds() / 3600 for delay in delays), 2) if delays else None,
        within=sum(delay <= _SLACK for delay in delays),
        hours_right=sum(any(_same_hours(label, event) for event in of) for label, of in found),
    )


def _fits(label: Told, event: Told) -> bool:
    if bool(label.services) != bool(event.services):
        return False
    services = not label.services or set(label.services) & set(event.services)
    networks = not event.networks or set(label.networks) & set(event.networks)
    begun = label.end is None or event.start < label.end
    lasts = event.end is None or event.end > label.start
    return bool(services and networks and begun and lasts)


def _covered(label: Told, events: Sequence[Told]) -> bool:
    services = {service for event in events for service in event.services}
    networks = {network for event in events for network in event.networks or label.networks}
    here = set(label.networks)
    return set(label.services) <= services and len(here & networks) * 2 > len(here)


def _known_before(event: Told, labels: Labels) -> bool:
    return event.kind == "block" and bool(event.services) and set(event.services) <= set(labels.blocked_before)


def _one_night(event: Told, truth: Sequence[Told]) -> bool:
    """Whether it is a night on which a curfew was in force once more, which alone shows as a cut."""
    return event.kind in ("outage", "domestic_only") and any(
        event.start.date() in label.days and set(label.networks) & set(event.networks) for label in truth
    )


def _same_hours(label: Told, event: Told) -> bool:
    if not label.hours or not event.hours:
        return False
    apart = (event.hours[0] - label.hours[0], event.hours[-1] - label.hours[-1])
    return all(min(abs(hours) % 24, 24 - abs(hours) % 24) <= _HOURS_OFF for hours in apart)

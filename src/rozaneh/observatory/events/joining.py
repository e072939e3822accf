"""Measurements and signals together: an outage is a joint claim, in which each of them has a vote that is shown.

What measurements say stays the event, since they know networks, services and whether what is at home works. Signals of
the same place that fell at about the same time make it surer and are no event of their own; so does the silence of the
measurements themselves.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from rozaneh.observatory.events.baseline import DAY
from rozaneh.observatory.events.counts import Counts
from rozaneh.observatory.events.event import OF_ALL, Event, Found, Vote, Withheld, order
from rozaneh.observatory.events.on_signals import Findings
from rozaneh.observatory.signals.signal import HOUR, Signal

VOLUME = "measurements"
"""The name of the signal that measurements themselves are."""

_APART = dt.timedelta(hours=24)
_MARK_NEAR = dt.timedelta(hours=1)
_MOST = 0.99
_LIFTED = ("mark", "software")


def volumes(counts: Counts) -> list[Signal]:
    """How many measurements came, for the country and for each of its networks.

    Where nobody measures in most hours, silence is the usual: such a series says nothing, and a few measurements years
    apart would be a long one.
    """
    if counts.hours < DAY:
        return []
    times = counts.start.timestamp() + HOUR * np.arange(counts.hours, dtype=np.float64)
    rows: dict[int, list[int]] = {}
    for row, (asn, _) in enumerate(counts.series):
        rows.setdefault(asn, []).append(row)
    of = {f"AS{asn}": counts.n[part].sum(0, dtype=np.float64) for asn, part in sorted(rows.items())}
    whole = {"": np.sum([*of.values()], axis=0)} if of else {}
    return [
        Signal(name=VOLUME, country=counts.country, network=network, times=times, values=values, volume=True)
        for network, values in (whole | of).items()
        if np.count_nonzero(values) * 2 >= len(values)
    ]


def joined(
    found: Sequence[Found], withheld: Sequence[Withheld], signals: Findings, marks: Sequence[dt.datetime] = ()
) -> tuple[list[Found], list[Withheld]]:
    """Events of a store and of signals, each once.

    Args:
        found: what measurements show.
        withheld: what they show, and there is not enough for.
        signals: what signals show, silence among them.
        marks: when the measuring changed: nothing begins there that a single witness shows.

    Returns:
        The events, and what there is not enough for.
    """
    # A second witness lifts the doubt whether the measuring itself changed.
    doubted = [each for each in withheld if each.reason in _LIFTED and _witnesses(each.event, signals.found)]
    claims = [*found, *(Found(event=each.event) for each in doubted)]
    used: set[int] = set()
    together = []
    for claim in claims:
        events = _witnesses(claim.event, signals.found)
        silences = _witnesses(claim.event, [Found(event=each.event) for each in signals.withheld])
        used.update(id(each.event) for each in (*events, *silences))
        together.append(_surer(claim, events, silences))
    kept = [each for each in signals.found if id(each.event) not in used and not _alone(each.event, marks)]
    left = [each for each in withheld if each not in doubted]
    left += [each for each in signals.withheld if id(each.event) not in used]
    return (
        sorted([*together, *kept], key=lambda each: order(each.event)),
        sorted(left, key=lambda each: order(each.event)),
    )


def _alone(event: Event, marks: Sequence[dt.datetime]) -> bool:
    return event.sources < 2 and any(abs(event.start - mark) <= _MARK_NEAR for mark in marks)


def _witnesses(event: Event, signals: Iterable[Found]) -> list[Found]:
    """What signals show of the same place at about the same time."""
    return [each for each in signals if event.kind in OF_ALL and _same(event, each.event)]


def _same(event: Event, other: Event) -> bool:
    place = event.country == other.country and (not other.networks or set(other.networks) <= set(event.networks))
    begins = abs(event.start - other.start) <= _APART
    within = other.start >= event.start and (event.end is None or other.start < event.end)
    return place and (begins or (within and event.kind in {other.kind, "curfew"}))


def _surer(claim: Found, events: Sequence[Found], silences: Sequence[Found]) -> Found:
    """With the votes of the signals, each of which that fell halves the doubt that is left."""
    votes = {(vote.signal, vote.start): vote for each in events for vote in each.evidence.votes}
    for silence in silences:
        where = f"{VOLUME} {' '.join(silence.event.networks)}".strip()
        votes[where, silence.event.start] = Vote(
            signal=where, fell=True, start=silence.event.start, end=silence.event.end
        )
    if not votes:
        return claim
    told = tuple(vote for _, vote in sorted(votes.items(), key=lambda item: (item[0][0], str(item[0][1]))))
    fell = {vote.signal.partition(" ")[0] for vote in told if vote.fell}
    sure = 1 - (1 - claim.event.confidence) * 0.5 ** len(fell)
    event = msgspec.structs.replace(claim.event, confidence=round(max(min(sure, _MOST), claim.event.confidence), 3))
    return Found(event=event, evidence=msgspec.structs.replace(claim.evidence, votes=told))

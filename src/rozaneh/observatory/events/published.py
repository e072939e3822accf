"""A claim becomes an event, or the published verdict "not enough": that depends on who says so."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from rozaneh.observatory.events.beside import BesideSettings, lacking
from rozaneh.observatory.events.claims import Claim
from rozaneh.observatory.events.counts import Counts
from rozaneh.observatory.events.event import Event, Found, Withheld
from rozaneh.observatory.events.gate import GateSettings, Support, support

_HOUR = dt.timedelta(hours=1)


def judged(
    connection: Any,
    counts: Counts,
    claim: Claim,
    settings: tuple[GateSettings, BesideSettings],
    marks: Sequence[dt.datetime],
) -> Found | Withheld:
    """Ask who says so, and make the event or say that it is not enough.

    Args:
        connection: an Ibis backend with the table of hours.
        counts: that the claim was found in.
        claim: what they say.
        settings: the numbers of the gate, and of what has to work beside a block.
        marks: when the measuring changed.
    """
    gate, beside = settings
    backed = support(connection, counts, claim, gate)
    start = counts.start + claim.start * _HOUR
    event = Event(
        kind=claim.kind,
        country=counts.country,
        networks=tuple(f"AS{asn}" for asn in claim.networks),
        services=claim.services,
        start=start,
        end=None if claim.end is None else counts.start + claim.end * _HOUR,
        hours=claim.hours,
        mechanism=claim.mechanism or backed.mechanism,
        confidence=_confidence(claim, backed),
        samples=backed.samples,
        sources=backed.saying,
        rule=claim.rule,
    )
    near = tuple(mark.isoformat() for mark in marks if abs(mark - start) <= dt.timedelta(days=1))
    if not claim.before and any(abs(start - mark) <= _HOUR for mark in marks):
        return Withheld(event=event, reason="mark", wanted=1, had=0)
    if not backed.enough:
        return Withheld(event=event, reason="sources", wanted=backed.wanted, had=backed.saying)
    if not backed.known:
        wanted = int(gate.majority * backed.measured_before) + 1
        return Withheld(event=event, reason="software", wanted=wanted, had=backed.said_before)
    lacks = lacking(claim, backed.mechanism, beside)
    if lacks is not None:
        reason, wanted, had = lacks
        return Withheld(event=event, reason=reason, wanted=wanted, had=had)
    event = msgspec.structs.replace(event, networks=tuple(f"AS{asn}" for asn in backed.networks))
    evidence = msgspec.structs.replace(
        claim.evidence,
        lowest=round(claim.share, 4),
        began_between=None if claim.before else (start - _HOUR, start),
        before=claim.before,
        published=None if backed.published is None else _hour_after(backed.published),
        marks=near,
    )
    return Found(event=event, evidence=evidence)


def _hour_after(moment: dt.datetime) -> dt.datetime:
    """The full hour then or next: to the second it would tell when somebody sent a measurement."""
    return moment.replace(minute=0, second=0, microsecond=0) + _HOUR * (moment.minute + moment.second > 0)


def _confidence(claim: Claim, backed: Support) -> float:
    """How sure: how many sources there are, how many of them say so, and how many measurements fail."""
    many = 1 - float(np.exp2(-backed.saying / 2))
    agree = backed.saying / max(backed.measuring, 1)
    return round(min(0.98, 0.4 + 0.35 * many + 0.15 * agree + 0.1 * min(claim.share / 0.9, 1)), 3)

"""Claims on their way to events: of one network each, then of all networks on which the same was done."""

from collections.abc import Iterable

import msgspec

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.event import Evidence

_APART = 48
"""Hours between the beginnings of what is one event on several networks."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What counts say, in hours of the counts.

    Attributes:
        kind: of the event.
        networks: autonomous systems.
        services: subjects; empty where it is everything.
        about: of everything, the networks and subjects that tell: those abroad that were not blocked already.
        windows: hours that it rests on: the first, and the one after the last.
        start: hour of its beginning.
        end: hour after its end; none while it lasts.
        before: whether it was so when the data begin.
        mechanism: how, where that is known already.
        at_home: of everything, whether enough was measured at home to tell an outage from one that spares it.
        hours: of the local day, for a curfew.
        evidence: what is known of it.
        share: of measurements failed.
        tried: measurements of services in it.
        failed: of these.
        working: services beside those that worked meanwhile on one of the networks; none where it does not matter.
        rule: that found it.
    """

    kind: str
    networks: tuple[int, ...]
    services: tuple[str, ...] = ()
    about: tuple[tuple[int, str], ...] = ()
    windows: tuple[tuple[int, int], ...]
    start: int
    end: int | None
    before: bool = False
    mechanism: Mechanism | None = None
    at_home: bool = True
    hours: tuple[int, ...] | None = None
    evidence: Evidence
    share: float
    tried: float = 0.0
    failed: float = 0.0
    working: int | None = None
    rule: str


def settled(claims: Iterable[Claim]) -> list[Claim]:
    """Where too little was measured at home, a network was cut as the others were that were cut at the same time."""
    every = list(claims)
    sure = [claim for claim in every if not claim.services and claim.at_home]
    return [claim if claim.services or claim.at_home else _like_others(claim, sure) for claim in every]


def _like_others(claim: Claim, sure: Iterable[Claim]) -> Claim:
    curfew = claim.kind == "curfew"
    near = [
        (abs(other.start - claim.start), other.networks, other)
        for other in sure
        if (other.kind == "curfew") == curfew and abs(other.start - claim.start) <= _APART and _touch(other, claim)
    ]
    if not near:
        return claim
    *_, other = min(near, key=lambda each: each[:2])
    return msgspec.structs.replace(claim, kind=other.kind, mechanism=other.mechanism)


def merged(claims: Iterable[Claim]) -> list[Claim]:
    """One claim for what was done on several networks at about the same time."""
    groups: list[list[Claim]] = []
    for claim in sorted(claims, key=lambda c: (c.kind, c.services, c.start, c.networks)):
        for group in groups:
            if _same(group, claim):
                group.append(claim)
                break
        else:
            groups.append([claim])
    return [together(group) for group in groups]


def _same(group: list[Claim], claim: Claim) -> bool:
    one = group[-1]
    if (one.kind, one.services, one.before) != (claim.kind, claim.services, claim.before):
        return False
    if claim.networks[0] in {asn for each in group for asn in each.networks}:
        return False
    if claim.kind == "curfew":
        near = abs(_from(one) - _from(claim)) <= 1 and one.mechanism == claim.mechanism
        return near and _touch(one, claim)
    return (claim.before or abs(one.start - claim.start) <= _APART) and _touch(one, claim)


def _from(claim: Claim) -> int:
    return claim.hours[0] if claim.hours else 0


def _touch(one: Claim, other: Claim) -> bool:
    return (one.end is None or other.start < one.end) and (other.end is None or one.start < other.end)


def together(group: list[Claim]) -> Claim:
    """One claim of several; its evidence is that of the one that fails most, its end the last."""
    if len(group) == 1:
        return group[0]
    first = max(group, key=lambda c: (len(c.evidence.days), c.share, -c.networks[0]))
    ends = [claim.end for claim in group]
    last = None if None in ends else max(end for end in ends if end is not None)
    days = tuple(sorted({day for claim in group for day in claim.evidence.days}))
    start = _start(group)
    return Claim(
        kind=first.kind,
        networks=tuple(sorted({asn for claim in group for asn in claim.networks})),
        services=tuple(sorted({service for claim in group for service in claim.services})),
        about=tuple(sorted({each for claim in group for each in claim.about})),
        # Before it began by what is told nobody can say so: where a guess was early, most would be asked in vain.
        windows=tuple(sorted({(max(a, start), b) for claim in group for a, b in claim.windows if b > start})),
        start=start,
        end=last,
        before=first.before,
        mechanism=first.mechanism,
        hours=first.hours,
        evidence=msgspec.structs.replace(first.evidence, state="down" if last is None else "over", days=days),
        share=max(claim.share for claim in group),
        tried=sum(claim.tried for claim in group),
        failed=sum(claim.failed for claim in group),
        working=max((claim.working for claim in group if claim.working is not None), default=None),
        rule=first.rule,
    )


def _start(group: list[Claim]) -> int:
    """When it began: on two networks the first, on more the middle one, since the first of many guesses is early."""
    starts = sorted(claim.start for claim in group)
    return starts[0] if len(starts) < 3 else starts[(len(starts) - 1) // 2]

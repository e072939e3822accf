"""Events in a store: networks first, then single services on them, then who says so."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.claims import Claim, merged
from rozaneh.observatory.events.counts import Counts, as_float, countries, load_counts
from rozaneh.observatory.events.curfews import NetworkCuts, NetworkSettings, find_on_network
from rozaneh.observatory.events.event import Event, Evidence, Found, Withheld, order
from rozaneh.observatory.events.gate import GateSettings, Support, support
from rozaneh.observatory.events.groups import DOMESTIC, GroupSettings, as_protocols, domestic_subjects
from rozaneh.observatory.events.recurring import RecurrenceSettings
from rozaneh.observatory.events.rules import EventRule, event_rules
from rozaneh.observatory.events.services import ServiceSettings, Stretch, find_on_services
from rozaneh.observatory.events.zones import zone_of_country

NETWORK, SERVICE, GATE, RECURRING, PROTOCOL = (
    "network-states", "service-states", "source-gate", "recurring-cuts", "protocol-groups",
)  # fmt: skip
_HOUR = dt.timedelta(hours=1)
_OF_KIND = {"failed": "block", "refused": "refusal", "throttled": "throttling"}


@dataclass
class StoreFindings:
    """What was found in a store.

    Attributes:
        found: events, in their order.
        withheld: claims that are not made, and why.
        short: countries or networks with too little history, by name.
        heard: how many networks were long enough.
    """

    found: list[Found] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    heard: int = 0


@dataclass(frozen=True)
class Settings:
    """The numbers of all detectors of a store."""

    network: NetworkSettings
    service: ServiceSettings
    recurrence: RecurrenceSettings
    gate: GateSettings
    group: GroupSettings


def store_events(
    connection: Any,
    *,
    marks: Sequence[dt.datetime] = (),
    rules: Mapping[str, EventRule] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> StoreFindings:
    """All events in a store.

    Args:
        connection: an Ibis backend with the table of hours.
        marks: when the measuring changed: no event of a service begins there.
        rules: other rules than those that come with Rozaneh.
        progress: called with each country.
    """
    made = settings_of(event_rules() if rules is None else rules)
    result = StoreFindings()
    for country in countries(connection):
        progress(country)
        counts = load_counts(connection, country, made.gate.loudest, made.gate.loudest_least)
        if counts is not None:
            for claim in claims_of(counts, made, result):
                _judge(connection, counts, claim, made, marks, result)
    result.found.sort(key=lambda found: order(found.event))
    result.withheld.sort(key=lambda each: order(each.event))
    return result


def settings_of(known: Mapping[str, EventRule]) -> Settings:
    """The numbers of the detectors out of the rules."""
    return Settings(
        known[NETWORK].numbers(NetworkSettings),
        known[SERVICE].numbers(ServiceSettings),
        known[RECURRING].numbers(RecurrenceSettings),
        known[GATE].numbers(GateSettings),
        known[PROTOCOL].numbers(GroupSettings),
    )


def claims_of(counts: Counts, rules: Settings, result: StoreFindings) -> list[Claim]:
    """What the counts of a country say, before anybody asks who says so."""
    zone, _ = zone_of_country(counts.country)
    local = counts.start.astimezone(zone).hour
    stretches = find_on_services(counts.n, counts.kinds["failed"], local, rules.service)
    networks = sorted({asn for asn, _ in counts.series})
    claims: list[Claim] = []
    cut_hours: dict[int, np.ndarray] = {}
    for asn in networks:
        cut_hours[asn] = np.zeros(counts.hours, dtype=bool)
        claims += _on_network(counts, asn, stretches, rules, cut_hours[asn], result)
    claims += [
        _of_service(counts, stretch, "failed") for stretch in _online(counts, stretches, cut_hours, rules, local)
    ]
    for kind in ("refused", "throttled"):
        rows = np.flatnonzero(counts.kinds[kind].any(1))
        if len(rows):
            # Who is cut off can be neither turned away nor slowed down.
            online = np.stack([~cut_hours[counts.series[row][0]] for row in rows])
            other = find_on_services(counts.n[rows] * online, counts.kinds[kind][rows] * online, local, rules.service)
            claims += [
                _of_service(counts, Stretch(int(rows[s.row]), s.first, s.last, s.before, s.share, s.usual), kind)
                for s in other
            ]
    return as_protocols(merged(claims), rules.group)


def _on_network(  # noqa: PLR0917 - one network and what it is judged by
    counts: Counts, asn: int, stretches: Sequence[Stretch], rules: Settings, cut: np.ndarray, result: StoreFindings
) -> list[Claim]:
    rows = np.array([row for row, key in enumerate(counts.series) if key[0] == asn])
    home = domestic_subjects(counts.country)
    abroad = rows[[not home(counts.series[row][1]) for row in rows]]
    at_home = np.setdiff1d(rows, abroad)
    if not len(abroad):
        return []
    n, k = as_float(counts.n[abroad]), as_float(counts.kinds["failed"][abroad])
    for stretch in stretches:
        last = counts.hours if stretch.last is None else stretch.last
        if last - stretch.first >= rules.service.persist_hours and stretch.row in abroad:
            place = int(np.flatnonzero(abroad == stretch.row)[0])
            if not _one_of_many(stretch, stretches, counts, asn, last, rules):
                n[place, stretch.first : last] = k[place, stretch.first : last] = 0
    zone, zone_name = zone_of_country(counts.country)
    cuts = find_on_network(n.sum(0), k.sum(0), counts.start, zone, rules.network, rules.recurrence)
    if not cuts.enough:
        result.short.append(f"{counts.country} AS{asn}")
        return []
    result.heard += 1
    return _claims(counts, (asn, n, k, at_home), cuts, rules, cut, zone_name)


def _one_of_many(  # noqa: PLR0917 - a stretch and those beside it
    stretch: Stretch, stretches: Sequence[Stretch], counts: Counts, asn: int, last: int, rules: Settings
) -> bool:
    """Whether most services of the network fell with this one: then it is the network that is cut."""
    if stretch.before:
        return False
    measured = sum(key[0] == asn and counts.n[row, stretch.first : last].any() for row, key in enumerate(counts.series))
    beside = sum(
        counts.series[other.row][0] == asn and not other.before and abs(other.first - stretch.first) <= 12
        for other in stretches
    )
    return beside >= max(rules.network.services_least, rules.network.breadth * measured)


def _claims(  # noqa: PLR0917 - as above
    counts: Counts,
    network: tuple[int, np.ndarray, np.ndarray, np.ndarray],
    cuts: NetworkCuts,
    rules: Settings,
    cut: np.ndarray,
    zone: str,
) -> list[Claim]:
    asn, n, k, at_home = network
    found: list[Claim] = []
    for pattern in cuts.curfews:
        nights = [_hours(counts, night.start, night.end) for night in pattern.nights]
        if not _broad(n, k, nights, rules.network):
            continue
        for first, last in nights:
            cut[max(first - 2, 0) : last + 2] = True
        found.append(
            Claim(
                kind="curfew",
                networks=(asn,),
                windows=tuple(nights),
                start=nights[0][0],
                end=None if pattern.end is None else nights[-1][1],
                mechanism=_at_home(counts, at_home, nights),
                hours=pattern.hours,
                evidence=Evidence(
                    state="down" if pattern.end is None else "over",
                    days=pattern.days,
                    weekdays=pattern.weekdays,
                    zone=zone,
                    forecast=pattern.forecast,
                    second_opinion=cuts.second_opinion,
                    would_change=("quiet-days", "more-sources") if pattern.end is None else ("late-data",),
                ),
                share=_share(n, k, nights),
                rule=RECURRING,
            )
        )
    for first, last in cuts.cuts:
        if not _broad(n, k, [(first, last)], rules.network):
            continue
        cut[max(first - 2, 0) : last + 2] = True
        mechanism = _at_home(counts, at_home, [(first, last)])
        found.append(
            Claim(
                kind="domestic_only" if mechanism == Mechanism.DOMESTIC_ONLY else "outage",
                networks=(asn,),
                windows=((first, last),),
                start=first,
                end=None if last >= counts.hours else last,
                mechanism=mechanism,
                evidence=Evidence(state="down" if last >= counts.hours else "over", would_change=("late-data",)),
                share=_share(n, k, [(first, last)]),
                rule=NETWORK,
            )
        )
    return found


def _hours(counts: Counts, start: dt.datetime, end: dt.datetime | None) -> tuple[int, int]:
    first = int((start - counts.start) / _HOUR)
    return first, counts.hours if end is None else int((end - counts.start) / _HOUR)


def _broad(n: np.ndarray, k: np.ndarray, windows: Sequence[tuple[int, int]], rules: NetworkSettings) -> bool:
    """Whether most services fail more than usual in the windows, and not one or two that are much measured."""
    inside = np.zeros(n.shape[1], dtype=bool)
    for first, last in windows:
        inside[first:last] = True
    there, gone = n[:, inside].sum(1), k[:, inside].sum(1)
    usual = (k[:, ~inside].sum(1) + 0.5) / (n[:, ~inside].sum(1) + 10)
    measured = there >= 2
    total, failed = float(there.sum()), float(gone.sum())
    overall = failed / total if total else 0.0
    fails = measured & (gone / np.maximum(there, 1) > (usual + overall) / 2)
    return bool(fails.sum() >= max(rules.services_least, rules.breadth * measured.sum()))


def _at_home(counts: Counts, rows: np.ndarray, windows: Sequence[tuple[int, int]]) -> Mechanism:
    """Domestic only, where what is at home worked in the windows; else a whole outage."""
    n = k = 0
    for first, last in windows:
        n += int(counts.n[rows, first:last].sum()) if len(rows) else 0
        k += int(counts.kinds["failed"][rows, first:last].sum()) if len(rows) else 0
    return Mechanism.DOMESTIC_ONLY if n >= DOMESTIC and k < n / 2 else Mechanism.WHOLE_OUTAGE


def _share(n: np.ndarray, k: np.ndarray, windows: Iterable[tuple[int, int]]) -> float:
    total = failed = 0.0
    for first, last in windows:
        total, failed = total + float(n[:, first:last].sum()), failed + float(k[:, first:last].sum())
    return failed / total if total else 0.0


def _online(
    counts: Counts, stretches: Sequence[Stretch], cut: Mapping[int, np.ndarray], rules: Settings, local: int
) -> list[Stretch]:
    """Stretches of services, found again without the hours in which the whole network is cut: those tell nothing."""
    kept = [stretch for stretch in stretches if not cut[counts.series[stretch.row][0]].any()]
    rows = np.array([row for row, (asn, _) in enumerate(counts.series) if cut[asn].any()], dtype=np.int64)
    if not len(rows):
        return kept
    on = np.stack([~cut[counts.series[row][0]] for row in rows])
    again = find_on_services(counts.n[rows] * on, counts.kinds["failed"][rows] * on, local, rules.service)
    return kept + [Stretch(int(rows[s.row]), s.first, s.last, s.before, s.share, s.usual) for s in again]


def _of_service(counts: Counts, stretch: Stretch, kind: str) -> Claim:
    asn, subject = counts.series[stretch.row]
    last = counts.hours if stretch.last is None else stretch.last
    changes = ["works-again"] if stretch.last is None else ["late-data"]
    changes.append({"failed": "control", "refused": "more-sources", "throttled": "pairs"}[kind])
    return Claim(
        kind=_OF_KIND[kind],
        networks=(asn,),
        services=(subject,),
        windows=((stretch.first, last),),
        start=stretch.first,
        end=stretch.last,
        before=stretch.before,
        mechanism={"refused": Mechanism.SERVICE_REFUSAL, "throttled": Mechanism.THROTTLING}.get(kind),
        evidence=Evidence(
            state="down" if stretch.last is None else "over",
            usual=round(stretch.usual, 4),
            would_change=tuple(changes),
        ),
        share=stretch.share,
        rule=SERVICE,
    )


def _judge(  # noqa: PLR0917 - a claim and whom it is asked of
    connection: Any,
    counts: Counts,
    claim: Claim,
    rules: Settings,
    marks: Sequence[dt.datetime],
    result: StoreFindings,
) -> None:
    """Ask who says so, and make the event or say that it is not enough."""
    backed = support(connection, counts, claim, rules.gate)
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
    if not claim.before and any(abs(start - mark) <= _HOUR for mark in marks) and claim.rule == SERVICE:
        result.withheld.append(Withheld(event=event, reason="mark", wanted=1, had=0))
    elif not backed.enough:
        result.withheld.append(Withheld(event=event, reason="sources", wanted=backed.wanted, had=backed.saying))
    else:
        usual = claim.evidence.usual
        evidence = msgspec.structs.replace(
            claim.evidence,
            lowest=round(claim.share, 4),
            usual=usual,
            began_between=None if claim.before else (start - _HOUR, start),
            published=backed.published,
            marks=tuple(mark.isoformat() for mark in marks if abs(mark - start) <= dt.timedelta(days=1)),
        )
        result.found.append(Found(event=event, evidence=evidence))


def _confidence(claim: Claim, backed: Support) -> float:
    """How sure: how many sources there are, how many of them say so, and how many measurements fail."""
    many = 1 - float(np.exp2(-backed.saying / 2))
    agree = backed.saying / max(backed.measuring, 1)
    return round(min(0.98, 0.4 + 0.35 * many + 0.15 * agree + 0.1 * min(claim.share / 0.9, 1)), 3)

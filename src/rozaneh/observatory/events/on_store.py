"""Events in a store: networks first, then single services on them, then who says so."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.baseline import DAY
from rozaneh.observatory.events.claims import Claim, merged, settled
from rozaneh.observatory.events.counts import Counts, as_float, countries, load_counts
from rozaneh.observatory.events.curfews import NetworkCuts, NetworkSettings, find_on_networks
from rozaneh.observatory.events.event import Evidence, Found, Withheld
from rozaneh.observatory.events.gate import GateSettings
from rozaneh.observatory.events.groups import DOMESTIC, GroupSettings, as_protocols, at_home_phases, domestic_subjects
from rozaneh.observatory.events.joining import joined, volumes
from rozaneh.observatory.events.on_signals import signal_events
from rozaneh.observatory.events.published import judged
from rozaneh.observatory.events.recurring import RecurrenceSettings
from rozaneh.observatory.events.rules import EventRule, event_rules
from rozaneh.observatory.events.services import ServiceSettings, Stretch, find_on_services
from rozaneh.observatory.events.weights import WeightSettings
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.signals.signal import Signal

NETWORK, SERVICE, WEIGHTS, GATE, RECURRING, PROTOCOL = (
    "network-states", "service-states", "source-weights", "source-gate", "recurring-cuts", "protocol-groups",
)  # fmt: skip
_HOUR = dt.timedelta(hours=1)
_PARTS, _TELLS = 4, 2  # of a day; measurements from which one of them tells
_TOGETHER = 12  # hours between beginnings of what falls together
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
    weights: WeightSettings
    gate: GateSettings
    group: GroupSettings


def store_events(
    connection: Any,
    *,
    signals: Sequence[Signal] = (),
    marks: Sequence[dt.datetime] = (),
    rules: Mapping[str, EventRule] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> StoreFindings:
    """All events in a store.

    Args:
        connection: an Ibis backend with the table of hours.
        signals: of the same places; they vote beside the measurements.
        marks: when the measuring changed: no event begins there unless a signal fell too.
        rules: other rules than those that come with Rozaneh.
        progress: called with each country.
    """
    made = settings_of(event_rules() if rules is None else rules)
    result = StoreFindings()
    came: list[Signal] = []
    for country in countries(connection):
        progress(country)
        counts = load_counts(connection, country, made.weights)
        if counts is not None:
            for claim in claims_of(counts, made, result):
                told = judged(connection, counts, claim, made.gate, marks)
                if isinstance(told, Found):
                    result.found.append(told)
                else:
                    result.withheld.append(told)
            came += volumes(counts)
    heard = signal_events([*came, *signals], rules=rules)
    result.found, result.withheld = joined(result.found, result.withheld, heard, marks)
    return result


def settings_of(known: Mapping[str, EventRule]) -> Settings:
    """The numbers of the detectors out of the rules."""
    return Settings(
        known[NETWORK].numbers(NetworkSettings),
        known[SERVICE].numbers(ServiceSettings),
        known[RECURRING].numbers(RecurrenceSettings),
        known[WEIGHTS].numbers(WeightSettings),
        known[GATE].numbers(GateSettings),
        known[PROTOCOL].numbers(GroupSettings),
    )


def claims_of(counts: Counts, rules: Settings, result: StoreFindings) -> list[Claim]:
    """What the counts of a country say, before anybody asks who says so."""
    zone, zone_name = zone_of_country(counts.country)
    local = counts.start.astimezone(zone).hour
    stretches = find_on_services(counts.n, counts.kinds["failed"], local, rules.service)
    networks = _networks(counts, stretches)
    cut_hours = {network.asn: np.zeros(counts.hours, dtype=bool) for network in networks}
    claims: list[Claim] = []
    heard = [network for network in networks if len(network.abroad)]
    n, k = (np.empty((len(heard), counts.hours)) for _ in range(2))
    for row, network in enumerate(heard):
        tried, failed = _of_network(counts, network, rules)
        n[row], k[row] = tried.sum(0), failed.sum(0)
    for network, cuts in zip(
        heard, find_on_networks(n, k, counts.start, zone, rules.network, rules.recurrence), strict=True
    ):
        if not cuts.enough:
            result.short.append(f"{counts.country} AS{network.asn}")
            continue
        result.heard += 1
        if cuts.curfews or cuts.cuts:
            claims += _claims(counts, network, cuts, rules, cut_hours[network.asn], zone_name)
    claims += [
        _of_service(counts, stretch, "failed") for stretch in _online(counts, stretches, cut_hours, rules, local)
    ]
    for kind in ("refused", "throttled"):
        rows = np.flatnonzero(counts.kinds[kind].any(1))
        if len(rows):
            # Who is cut off can be neither turned away nor slowed down.
            online = np.stack([~cut_hours[counts.series[row][0]] for row in rows])
            asked = counts.kinds["compared"] if kind == "throttled" else counts.n
            other = find_on_services(asked[rows] * online, counts.kinds[kind][rows] * online, local, rules.service)
            claims += [_of_service(counts, replace(s, row=int(rows[s.row])), kind) for s in other]
    return as_protocols(merged(settled(claims)), rules.group)


@dataclass(frozen=True)
class _Network:
    """A network: the rows of its series abroad and at home, and the stretches that were found on them."""

    asn: int
    abroad: np.ndarray
    at_home: np.ndarray
    stretches: tuple[Stretch, ...]


def _networks(counts: Counts, stretches: Sequence[Stretch]) -> list[_Network]:
    home = domestic_subjects(counts.country)
    rows: dict[int, tuple[list[int], list[int]]] = {}
    for row, (asn, subject) in enumerate(counts.series):
        rows.setdefault(asn, ([], []))[home(subject)].append(row)
    of: dict[int, list[Stretch]] = {}
    for stretch in stretches:
        of.setdefault(counts.series[stretch.row][0], []).append(stretch)
    return [
        _Network(asn, np.array(abroad, np.int64), np.array(at_home, np.int64), tuple(of.get(asn, ())))
        for asn, (abroad, at_home) in sorted(rows.items())
    ]


def _of_network(counts: Counts, network: _Network, rules: Settings) -> tuple[np.ndarray, np.ndarray]:
    """What was tried abroad and failed, without the long blocks of single services: those are no part of a cut."""
    n, k = as_float(counts.n[network.abroad]), as_float(counts.kinds["failed"][network.abroad])
    places = {int(row): place for place, row in enumerate(network.abroad)}
    for stretch in network.stretches:
        last = counts.hours if stretch.last is None else stretch.last
        long = last - stretch.first >= rules.service.persist_hours
        if (
            long
            and stretch.row in places
            and _all_day(counts, stretch, last)
            and not _one_of_many(stretch, counts, network, last, rules)
        ):
            place = places[stretch.row]
            n[place, stretch.first : last] = k[place, stretch.first : last] = 0
    return n, k


def _all_day(counts: Counts, stretch: Stretch, last: int) -> bool:
    """Whether it fails in every part of the day; what fails in the hours of a curfew alone is part of that."""
    part = (np.arange(stretch.first, last) % DAY) * _PARTS // DAY
    n, k = (
        np.bincount(part, of[stretch.row, stretch.first : last], _PARTS) for of in (counts.n, counts.kinds["failed"])
    )
    return bool(np.all(k[n >= _TELLS] > n[n >= _TELLS] / 2))


def _one_of_many(stretch: Stretch, counts: Counts, network: _Network, last: int, rules: Settings) -> bool:
    """Whether most services of the network fell with this one: then it is the network that is cut."""
    if stretch.before:
        return False
    # What was down already cannot fall, and what is at home need not.
    down = {
        other.row
        for other in network.stretches
        if other.first < stretch.since - _TOGETHER and (other.last is None or other.last > stretch.first)
    }
    up = [row for row in network.abroad.tolist() if row not in down]
    measured = int(counts.n[up, stretch.first : last].any(1).sum())
    # Services that are blocked for good on one day fall together too, but not for as long as all of them.
    beside = sum(
        not other.before
        and max(other.since, stretch.since) - min(other.first, stretch.first) <= _TOGETHER
        and min(last, other.last or counts.hours) - max(stretch.first, other.first) >= (last - stretch.first) / 2
        for other in network.stretches
    )
    return beside >= max(rules.network.services_least, rules.network.breadth * measured)


def _claims(  # noqa: PLR0917 - one network and what it is judged by
    counts: Counts,
    network: _Network,
    cuts: NetworkCuts,
    rules: Settings,
    cut: np.ndarray,
    zone: str,
) -> list[Claim]:
    asn, at_home = network.asn, network.at_home
    n, k = _of_network(counts, network, rules)
    found: list[Claim] = []
    for pattern in cuts.curfews:
        nights = [_hours(counts, night.start, night.end) for night in pattern.nights]
        if not _broad(n, k, nights, rules.network):
            continue
        for first, last in nights:
            cut[max(first - 2, 0) : last + 2] = True
        mechanism, told = _at_home(counts, at_home, n, k, nights)
        found.append(
            Claim(
                kind="curfew",
                networks=(asn,),
                about=_telling(counts, network, n, nights),
                windows=tuple(nights),
                start=nights[0][0],
                end=None if pattern.end is None else nights[-1][1],
                mechanism=mechanism,
                at_home=told,
                hours=pattern.hours,
                evidence=Evidence(
                    state="down" if pattern.end is None else "over",
                    usual=_usual(n, k, cut),
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
        for begin, end in at_home_phases(counts, at_home, first, last):
            mechanism, told = _at_home(counts, at_home, n, k, [(begin, end)])
            found.append(
                Claim(
                    kind="domestic_only" if mechanism == Mechanism.DOMESTIC_ONLY else "outage",
                    networks=(asn,),
                    about=_telling(counts, network, n, [(begin, end)]),
                    windows=((begin, end),),
                    start=begin,
                    end=None if end >= counts.hours else end,
                    mechanism=mechanism,
                    at_home=told,
                    evidence=Evidence(
                        state="down" if end >= counts.hours else "over",
                        usual=_usual(n, k, cut),
                        would_change=("late-data",),
                    ),
                    share=_share(n, k, [(begin, end)]),
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


def _telling(
    counts: Counts, network: _Network, n: np.ndarray, windows: Sequence[tuple[int, int]]
) -> tuple[tuple[int, str], ...]:
    """What is abroad, was measured in the windows, and is not blocked there for a reason of its own."""
    there = np.zeros(len(n), dtype=bool)
    for first, last in windows:
        there |= n[:, first:last].any(1)
    return tuple((network.asn, counts.series[row][1]) for row in network.abroad[there].tolist())


def _at_home(
    counts: Counts, rows: np.ndarray, n: np.ndarray, k: np.ndarray, windows: Sequence[tuple[int, int]]
) -> tuple[Mechanism, bool]:
    """Domestic only, where what is at home worked while what is abroad failed; else an outage. And whether enough tell.

    When a cut began and ended are guesses on a thin network: that something works at home before what is abroad fails
    says nothing.
    """
    tried, failed, bar = n.sum(0), k.sum(0), _share(n, k, windows) / 2
    home = worked = 0
    for first, last in windows:
        down = first + np.flatnonzero(failed[first:last] > bar * tried[first:last])
        home += int(counts.n[np.ix_(rows, down)].sum())
        worked += int(counts.n[np.ix_(rows, down)].sum()) - int(counts.kinds["failed"][np.ix_(rows, down)].sum())
    told = home >= DOMESTIC
    return Mechanism.DOMESTIC_ONLY if told and worked > home / 2 else Mechanism.WHOLE_OUTAGE, told


def _usual(n: np.ndarray, k: np.ndarray, cut: np.ndarray) -> float:
    """The share that fails while the network is not cut."""
    return round(float(k[:, ~cut].sum()) / max(float(n[:, ~cut].sum()), 1.0), 4)


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
    return kept + [replace(s, row=int(rows[s.row])) for s in again]


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

"""Events in a store: networks first, then single services on them, then who says so."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.beside import Beside
from rozaneh.observatory.events.claims import Claim, merged, settled
from rozaneh.observatory.events.counts import Counts, TooLarge, countries, load_counts
from rozaneh.observatory.events.curfews import NetworkCuts, NetworkSettings, find_on_networks
from rozaneh.observatory.events.event import Evidence, Found, Withheld
from rozaneh.observatory.events.everywhere import Seen, not_everywhere
from rozaneh.observatory.events.groups import DOMESTIC, as_protocols, at_home_phases
from rozaneh.observatory.events.joining import joined, volumes
from rozaneh.observatory.events.networks import BreadthSettings, Network, broad, networks_of, tried_abroad
from rozaneh.observatory.events.on_signals import signal_events
from rozaneh.observatory.events.published import judged
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.services import Stretch, find_on_services
from rozaneh.observatory.events.settings import NETWORK, RECURRING, SERVICE, TOGETHER, Settings, settings_of
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.signals.signal import Signal

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
        too_large: countries that this machine's memory does not hold.
    """

    found: list[Found] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    heard: int = 0
    too_large: list[TooLarge] = field(default_factory=list)


def store_events(
    connection: Any,
    *,
    signals: Sequence[Signal] = (),
    marks: Sequence[dt.datetime] = (),
) -> StoreFindings:
    """All events in a store.

    Args:
        connection: an Ibis backend with the table of hours.
        signals: of the same places; they vote beside the measurements.
        marks: when the measuring changed: no event begins there unless a signal fell too.
    """
    made = settings_of(event_rules())
    result = StoreFindings()
    came: list[Signal] = []
    seen: list[Seen] = []
    for country in countries(connection):
        try:
            counts = load_counts(connection, country, made.weeks, made.weights)
        except TooLarge as fault:
            result.too_large.append(fault)
            continue
        if counts is not None:
            for claim in claims_of(counts, made, result):
                told = judged(connection, counts, claim, (made.gate, made.beside), marks)
                if isinstance(told, Found):
                    result.found.append(told)
                else:
                    result.withheld.append(told)
            came += volumes(counts)
            seen.append(Seen.of(counts))
    result.found, result.withheld = not_everywhere(result.found, result.withheld, seen, made.everywhere)
    heard = signal_events([*came, *signals])
    result.found, result.withheld = joined(result.found, result.withheld, heard, marks)
    return result


def claims_of(counts: Counts, rules: Settings, result: StoreFindings) -> list[Claim]:
    """What the counts of a country say, before anybody asks who says so."""
    zone, zone_name = zone_of_country(counts.country)
    local = counts.start.astimezone(zone).hour
    stretches = find_on_services(counts.n, counts.kinds["failed"], local, rules.service)
    networks = networks_of(counts, stretches)
    cut_hours = {network.asn: np.zeros(counts.hours, dtype=bool) for network in networks}
    claims: list[Claim] = []
    heard = [network for network in networks if len(network.abroad)]
    n, k = (np.empty((len(heard), counts.hours)) for _ in range(2))
    for row, network in enumerate(heard):
        tried, failed = tried_abroad(counts, network, rules.network, rules.service.persist_hours)
        n[row], k[row] = tried.sum(0), failed.sum(0)
    found = find_on_networks(n, k, counts.start, zone, rules.network, rules.recurrence)
    narrow: list[tuple[Network, list[tuple[int, int]]]] = []
    for network, cuts in zip(heard, found, strict=True):
        if not cuts.enough:
            result.short.append(f"{counts.country} AS{network.asn}")
            continue
        result.heard += 1
        if cuts.curfews or cuts.cuts:
            here = _here(counts, network, rules, cut_hours)
            claims += _curfews(here, cuts, rules.network, zone_name)
            wide = [cut for cut in cuts.cuts if broad(here.n, here.k, [cut], rules.network)]
            claims += _cuts(here, wide, NETWORK)
            narrow.append((network, [cut for cut in cuts.cuts if cut not in wide]))
    sure = tuple(claims)
    for network, cuts_left in narrow:
        near = [cut for cut in cuts_left if _elsewhere(cut, network.asn, sure, rules.together)]
        if near:
            here = _here(counts, network, rules, cut_hours)
            claims += _cuts(here, [cut for cut in near if broad(here.n, here.k, [cut], rules.together)], TOGETHER)
    beside = Beside(counts, heard, cut_hours, (rules.network, rules.service.persist_hours))
    claims += [
        _of_service(counts, stretch, "failed", beside.working(stretch))
        for stretch in _online(counts, stretches, cut_hours, rules, local)
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
class _Here:
    """A network that is cut, what was tried abroad on it and failed, and the hours in which it is told to be cut."""

    counts: Counts
    network: Network
    n: np.ndarray
    k: np.ndarray
    cut: np.ndarray


def _here(counts: Counts, network: Network, rules: Settings, cut: Mapping[int, np.ndarray]) -> _Here:
    n, k = tried_abroad(counts, network, rules.network, rules.service.persist_hours)
    return _Here(counts, network, n, k, cut[network.asn])


def _curfews(here: _Here, cuts: NetworkCuts, rules: NetworkSettings, zone: str) -> list[Claim]:
    found: list[Claim] = []
    counts, n, k = here.counts, here.n, here.k
    for pattern in cuts.curfews:
        nights = [_hours(counts, night.start, night.end) for night in pattern.nights]
        if not broad(n, k, nights, rules):
            continue
        for first, last in nights:
            here.cut[max(first - 2, 0) : last + 2] = True
        mechanism, told = _at_home(counts, here.network.at_home, n, k, nights)
        found.append(
            Claim(
                kind="curfew",
                networks=(here.network.asn,),
                about=_telling(counts, here.network, n, nights),
                windows=tuple(nights),
                start=nights[0][0],
                end=None if pattern.end is None else nights[-1][1],
                mechanism=mechanism,
                at_home=told,
                hours=pattern.hours,
                evidence=Evidence(
                    state="down" if pattern.end is None else "over",
                    usual=_usual(n, k, here.cut),
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
    return found


def _cuts(here: _Here, cuts: Sequence[tuple[int, int]], rule: str) -> list[Claim]:
    found: list[Claim] = []
    counts, n, k = here.counts, here.n, here.k
    for first, last in cuts:
        here.cut[max(first - 2, 0) : last + 2] = True
        for begin, end in at_home_phases(counts, here.network.at_home, first, last):
            mechanism, told = _at_home(counts, here.network.at_home, n, k, [(begin, end)])
            found.append(
                Claim(
                    kind="domestic_only" if mechanism == Mechanism.DOMESTIC_ONLY else "outage",
                    networks=(here.network.asn,),
                    about=_telling(counts, here.network, n, [(begin, end)]),
                    windows=((begin, end),),
                    start=begin,
                    end=None if end >= counts.hours else end,
                    mechanism=mechanism,
                    # What is believed for the sake of other networks is what it was there.
                    at_home=told and rule != TOGETHER,
                    evidence=Evidence(
                        state="down" if end >= counts.hours else "over",
                        usual=_usual(n, k, here.cut),
                        would_change=("late-data",),
                    ),
                    share=_share(n, k, [(begin, end)]),
                    rule=rule,
                )
            )
    return found


def _elsewhere(cut: tuple[int, int], asn: int, sure: Iterable[Claim], rules: BreadthSettings) -> bool:
    """Whether another network was cut then for most of these hours."""
    first, last = cut
    return any(
        abs(begin - first) <= rules.hours_apart and 2 * (min(end, last) - max(begin, first)) >= last - first
        for claim in sure
        if asn not in claim.networks
        for begin, end in claim.windows
    )


def _hours(counts: Counts, start: dt.datetime, end: dt.datetime | None) -> tuple[int, int]:
    first = int((start - counts.start) / _HOUR)
    return first, counts.hours if end is None else int((end - counts.start) / _HOUR)


def _telling(
    counts: Counts, network: Network, n: np.ndarray, windows: Sequence[tuple[int, int]]
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


def _of_service(counts: Counts, stretch: Stretch, kind: str, working: int | None = None) -> Claim:
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
        tried=stretch.tried,
        failed=stretch.failed,
        working=working,
        rule=SERVICE,
    )

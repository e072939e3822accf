"""Events in signals: each signal votes, and what they say together is the event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.cuts import Cut, CutSettings, find_cuts
from rozaneh.observatory.events.event import Event, Evidence, Found, Vote, Withheld, order
from rozaneh.observatory.events.recurring import Pattern, RecurrenceSettings, find_patterns
from rozaneh.observatory.events.rules import EventRule, event_rules
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.signals.signal import DAY, HOUR, Grid, Signal, grid

OUTAGE, RECURRING, SILENCE = "signal-outage-frozen", "recurring-cuts", "volume-silence"
_MARK_NEAR = timedelta(hours=1)


@dataclass
class Findings:
    """What was found.

    Attributes:
        found: events, in their order.
        heard: how many signals were long enough.
        short: signals that are too short to say anything, with the days that they have and those that are needed.
        withheld: silences: measurements that stopped coming, and nothing else that fell.
    """

    found: list[Found] = field(default_factory=list)
    heard: int = 0
    short: list[tuple[str, float, int]] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)


@dataclass(frozen=True)
class _Down:
    """One cut of one signal, in time."""

    signal: Signal
    cut: Cut
    start: float
    well: float
    end: float | None


@dataclass
class _Joint:
    """Cuts of several signals that are one event."""

    downs: list[_Down]
    start: float
    end: float | None = None


def signal_events(signals: Sequence[Signal], *, marks: Sequence[datetime] = ()) -> Findings:
    """All events in signals.

    Args:
        signals: of any number of places; those of one place vote together.
        marks: when the pipeline behind them changed. No event begins there unless a second signal fell too.
    """
    known = event_rules()
    result = Findings()
    places: dict[tuple[str, str], list[Signal]] = {}
    for signal in signals:
        places.setdefault((signal.country, signal.network), []).append(signal)
    for (country, network), group in sorted(places.items()):
        result.found += _of_place(country, network, sorted(group, key=lambda s: s.name), marks, known, result)
    result.found.sort(key=lambda found: order(found.event))
    result.withheld.sort(key=lambda each: order(each.event))
    return result


def _of_place(  # noqa: PLR0917 - one place and what it is judged by
    country: str,
    network: str,
    group: Sequence[Signal],
    marks: Sequence[datetime],
    rules: Mapping[str, EventRule],
    result: Findings,
) -> list[Found]:
    of_others, of_volume = (rules[name].numbers(CutSettings) for name in (OUTAGE, SILENCE))
    downs: list[_Down] = []
    heard: list[Signal] = []
    until = 0.0
    for signal in group:
        even, settings = grid(signal), of_volume if signal.volume else of_others
        days = np.count_nonzero(~np.isnan(even.values)) / even.cycle
        if days < settings.history_least:
            if not signal.volume:
                result.short.append((signal.name, round(float(days), 1), settings.history_least))
            continue
        heard.append(signal)
        result.heard += not signal.volume
        until = max(until, float(even.time(len(even.values))))
        downs += [_in_time(signal, even, cut) for cut in find_cuts(even.values, even.cycle, HOUR / even.step, settings)]
    every = [joint for joint in _join(downs) if not _made_by_the_pipeline(joint, marks)]
    joints = [joint for joint in every if not _silent(joint)]
    result.withheld += [_silence(country, network, joint) for joint in every if _silent(joint)]
    zone, zone_name = zone_of_country(country)
    spans = [(_moment(joint.start), None if joint.end is None else _moment(joint.end)) for joint in joints]
    recurrence = rules[RECURRING].numbers(RecurrenceSettings)
    patterns = find_patterns(spans, zone, _moment(until), recurrence)
    of_pattern = {night.index for pattern in patterns for night in pattern.nights}
    found = [
        _outage(country, network, joint, heard, marks)
        for index, joint in enumerate(joints)
        if index not in of_pattern and not any(_inside(spans[index], pattern) for pattern in patterns)
    ]
    return found + [
        _curfew(country, network, pattern, [joints[night.index] for night in pattern.nights], heard, zone_name)
        for pattern in patterns
    ]


def _in_time(signal: Signal, even: Grid, cut: Cut) -> _Down:
    """A cut in seconds; its onset by the signal's own samples, which may be finer than the steps."""
    begin, well = even.time(cut.start), even.time(cut.well)
    times, values = signal.times, signal.values
    near = (times >= begin - even.step) & (times < begin + even.step) & ~np.isnan(values)
    usual = cut.usual[(np.floor(times[near] / even.step).astype(np.int64) - even.first) % even.cycle]
    low = values[near] < cut.bar * usual
    start: float = begin
    if even.step < DAY and np.any(low):
        # The first of the low samples that no well one follows.
        first = int(np.flatnonzero(~low)[-1]) + 1 if np.any(~low) else 0
        start = float(times[near][first]) if first < len(low) else float(times[near][np.argmax(low)])
    end = None if cut.end is None else float(even.time(cut.end))
    return _Down(signal, cut, start, min(float(well), start), end)


def _join(downs: Iterable[_Down]) -> list[_Joint]:
    """Cuts that overlap are one event, which is over when most of the signals that fell are back."""
    steps: list[tuple[float, int, str, _Down]] = []
    for down in downs:
        steps.append((down.start, 1, down.signal.name, down))
        if down.end is not None:
            steps.append((down.end, 0, down.signal.name, down))
    steps.sort(key=lambda step: step[:3])
    joints: list[_Joint] = []
    now: _Joint | None = None
    lying: set[str] = set()
    for time, falls, name, down in steps:
        if falls and now is None:
            now, lying = _Joint([down], time), {name}
            joints.append(now)
        elif falls and now is not None:
            now.downs.append(down)
            lying.add(name)
        elif now is not None and down in now.downs:
            lying.discard(name)
            if len(lying) * 2 < len({each.signal.name for each in now.downs}):
                now.end, now, lying = time, None, set()
    return joints


def _made_by_the_pipeline(joint: _Joint, marks: Sequence[datetime]) -> bool:
    near = any(abs(_moment(joint.start) - mark) <= _MARK_NEAR for mark in marks)
    return near and len({down.signal.name for down in joint.downs}) < 2


def _silent(joint: _Joint) -> bool:
    """Whether nothing fell but the number of measurements."""
    return all(down.signal.volume for down in joint.downs)


def _silence(country: str, network: str, joint: _Joint) -> Withheld:
    event = Event(
        kind="silence",
        country=country,
        networks=(network,) if network else (),
        start=_moment(joint.start),
        end=None if joint.end is None else _moment(joint.end),
        mechanism=Mechanism.UNKNOWN,
        confidence=0.0,
        samples=_samples(joint.downs, joint.start, joint.end),
        sources=0,
        rule=SILENCE,
    )
    return Withheld(event=event, reason="silence", wanted=1, had=0)


def _inside(span: tuple[datetime, datetime | None], pattern: Pattern) -> bool:
    """Whether a cut is a shorter one within a night of a curfew's hours."""
    start, end = span
    return any(
        night.start <= start and (night.end is None or (end is not None and end <= night.end))
        for night in pattern.nights
    )


def _votes(downs: Sequence[_Down], heard: Sequence[Signal]) -> tuple[Vote, ...]:
    votes = []
    for signal in heard:
        own = [down for down in downs if down.signal is signal]
        if not own:
            votes.append(Vote(signal=signal.name, fell=False))
            continue
        ends = [down.end for down in own]
        last = None if None in ends else max(end for end in ends if end is not None)
        votes.append(
            Vote(
                signal=signal.name,
                fell=True,
                start=_moment(min(down.start for down in own)),
                end=None if last is None else _moment(last),
                lowest=round(min(down.cut.lowest for down in own), 4),
            )
        )
    return tuple(votes)


def _confidence(downs: Sequence[_Down], votes: Sequence[Vote]) -> float:
    """How sure: how far below the noise, and how many of the signals say so."""
    depth = max((1 - down.cut.lowest) / down.cut.noise for down in downs)
    fell = sum(vote.fell for vote in votes)
    clear = 1 - float(np.exp(-depth / 6))
    most = 0.9 if fell == 1 else 0.98
    return round(min(most, clear) * (0.75 + 0.25 * fell / len(votes)), 3)


def _samples(downs: Sequence[_Down], start: float, end: float | None) -> int:
    signals = {down.signal.name: down.signal for down in downs}.values()
    total = 0
    for signal in signals:
        within = (signal.times >= start) & (signal.times < (np.inf if end is None else end))
        total += int(np.count_nonzero(within & ~np.isnan(signal.values)))
    return total


def _outage(country: str, network: str, joint: _Joint, heard: Sequence[Signal], marks: Sequence[datetime]) -> Found:
    votes = _votes(joint.downs, heard)
    fell = sum(vote.fell for vote in votes)
    lowest = min(down.cut.lowest for down in joint.downs)
    first = min(joint.downs, key=lambda down: (down.start, down.signal.name))
    partly = joint.end is None and all(
        down.cut.now > down.cut.lowest + 0.25 * (1 - down.cut.lowest) for down in joint.downs if down.end is None
    )
    event = Event(
        kind="outage",
        country=country,
        networks=(network,) if network else (),
        start=_moment(joint.start),
        end=None if joint.end is None else _moment(joint.end),
        mechanism=Mechanism.WHOLE_OUTAGE,
        confidence=_confidence(joint.downs, votes),
        samples=_samples(joint.downs, joint.start, joint.end),
        sources=fell,
        rule=OUTAGE,
    )
    changes = ["recovery" if joint.end is None else "late-data"]
    if fell < len(votes):
        changes.append("other-signals-well")
    if len(votes) == 1:
        changes.append("second-signal")
    return Found(
        event=event,
        evidence=Evidence(
            state="over" if joint.end is not None else "partly back" if partly else "down",
            began_between=(_moment(first.well), _moment(joint.start)),
            lowest=round(lowest, 4),
            usual=1.0,
            votes=votes,
            marks=tuple(mark.isoformat() for mark in marks if abs(mark - event.start) <= timedelta(days=1)),
            would_change=tuple(changes),
        ),
    )


def _curfew(  # noqa: PLR0917 - a pattern and what it rests on
    country: str,
    network: str,
    pattern: Pattern,
    joints: Sequence[_Joint],
    heard: Sequence[Signal],
    zone: str,
) -> Found:
    downs = [down for joint in joints for down in joint.downs]
    votes = _votes(downs, heard)
    event = Event(
        kind="curfew",
        country=country,
        networks=(network,) if network else (),
        start=pattern.start,
        end=pattern.end,
        hours=pattern.hours,
        mechanism=Mechanism.WHOLE_OUTAGE,
        confidence=_confidence(downs, votes),
        samples=sum(_samples(joint.downs, joint.start, joint.end) for joint in joints),
        sources=sum(vote.fell for vote in votes),
        rule=RECURRING,
    )
    return Found(
        event=event,
        evidence=Evidence(
            state="over" if pattern.end is not None else "down",
            lowest=round(min(down.cut.lowest for down in downs), 4),
            usual=1.0,
            votes=votes,
            days=pattern.days,
            weekdays=pattern.weekdays,
            zone=zone,
            forecast=pattern.forecast,
            published=pattern.known,
            would_change=("quiet-days" if pattern.end is None else "late-data",),
        ),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

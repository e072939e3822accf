"""Playing a timeline: who measures, what they see, and when it arrives."""

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rozaneh.lab.clock import country_zone
from rozaneh.lab.country.labels import labels
from rozaneh.lab.country.measurements import Outcome, bodies, template
from rozaneh.lab.country.people import OURS, People, Person, poisson, volume
from rozaneh.lab.country.timeline import Happening, Liar, Network, Service, Timeline, night
from rozaneh.lab.country.writing import Writing

_HOUR = dt.timedelta(hours=1)
_LATE_MEAN = 6.0  # hours
_SENT_AFTERWARDS = 0.8
_TIMES_OUT = 0.3  # of pages that are slowed down, as a probe sees them that does not compare
_BY_PERSON = 0.15  # measurements of a person in an hour
_REACHING_ALL = ("outage", "domestic_only", "curfew")
_LYING: dict[str, Outcome] = {"blocked": "tls_name_reset", "outage": "cut", "ok": "ok"}


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was written.

    Attributes:
        measurements: lines.
        files: of measurements.
        size: bytes of lines before packing.
        folder: where.
    """

    measurements: int
    files: int
    size: int
    folder: str


@dataclass(frozen=True)
class _Moment:
    """A time in the zone of the timeline and in UTC."""

    local: dt.datetime
    utc: dt.datetime


def simulate(
    timeline: Timeline,
    folder: Path,
    *,
    seed: int = 0,
    people: int | None = None,
    per_hour: float | None = None,
    mean_bytes: int = 0,
    progress: Callable[[dt.date], None] = lambda _: None,
) -> Made:
    """Write the measurements and ``labels.json`` of a timeline into a new folder.

    Args:
        timeline: what happens.
        folder: new or empty.
        seed: the same gives the same bytes.
        people: how many measure; they make their number's share of measurements. As the timeline says without.
        per_hour: measurements in an usual hour, whoever makes them. As the timeline says without.
        mean_bytes: mean size of a page in them; hardly any without.
        progress: called with each day when it is played.

    Raises:
        LocalFault: the folder is not empty, or cannot be written.
    """
    rng = random.Random(seed)
    number = people or timeline.people
    rate = per_hour or (people * _BY_PERSON if people else timeline.per_hour)
    everybody = People(timeline, number, rng)
    pages = bodies(mean_bytes, rng)
    with Writing(folder, timeline.country) as out:
        day = dt.date.min
        busy = 1.0
        for moment in _hours(timeline):
            if moment.local.date() != day:
                day, busy = moment.local.date(), rng.lognormvariate(0, timeline.day_effect)
                progress(day)
                out.close_before(moment.utc)
            active = [event for event in timeline.event if _overlaps(event, moment.local)]
            for person, service in everybody.draw(volume(timeline, rate, moment.local.hour, busy, rng), rng):
                _one(timeline, out, rng, (person, service), _within(moment, rng), active, pages)
            for number, liar in enumerate(timeline.liar):
                if liar.start <= moment.local.replace(tzinfo=None) < liar.end:
                    _lie(timeline, out, rng, (number, liar), moment, pages)
        out.write_labels(labels(timeline, seed, out.measurements))
        return Made(measurements=out.measurements, files=out.files, size=out.size, folder=str(folder))


def _hours(timeline: Timeline) -> Iterator[_Moment]:
    zone = country_zone(timeline.zone)
    now = dt.datetime.combine(timeline.start, dt.time(), zone).astimezone(dt.UTC)
    end = dt.datetime.combine(timeline.end, dt.time(), zone).astimezone(dt.UTC) + 24 * _HOUR
    while now < end:
        yield _Moment(now.astimezone(zone), now)
        now += _HOUR


def _within(moment: _Moment, rng: random.Random) -> _Moment:
    later = dt.timedelta(seconds=rng.random() * 3600)
    return _Moment(moment.local + later, moment.utc + later)


def _overlaps(event: Happening, local: dt.datetime) -> bool:
    """Whether it may be in force in the hour that begins then."""
    now = local.replace(tzinfo=None)
    begun = event.start < now + _HOUR and (event.end is None or event.end > now)
    return begun or any(abs((now.date() - day).days) <= 1 for day in event.days)


def _until(event: Happening, local: dt.datetime) -> dt.datetime | None:
    """Until when it is in force, local time, if it is now; the end of all times where it has no end."""
    now = local.replace(tzinfo=None)
    if event.hours is None:
        in_force = event.start <= now and (event.end is None or now < event.end)
        return (event.end or dt.datetime.max) if in_force else None  # noqa: DTZ901 - local time without a zone
    begin, length = night(event)
    for day in (now.date(), now.date() - dt.timedelta(days=1)):
        start = dt.datetime.combine(day, dt.time()) + begin
        of_days = event.start.date() <= day and (event.end is None or day <= event.end.date())
        if (of_days or day in event.days) and start <= now < start + length:
            return start + length
    return None


def _one(  # noqa: PLR0917 - one measurement and all that it depends on
    timeline: Timeline,
    out: Writing,
    rng: random.Random,
    drawn: tuple[Person, Service],
    moment: _Moment,
    active: list[Happening],
    pages: list[bytes],
) -> None:
    person, service = drawn
    outcome: Outcome = service.blocked or "ok"
    delay = dt.timedelta(hours=rng.expovariate(1 / _LATE_MEAN)) if rng.random() < timeline.late else dt.timedelta()
    if outcome == "ok" and rng.random() < timeline.failing:
        outcome = rng.choice(("tls_name_silence", "address_black_hole", "dns_silence"))
    for event in active:
        until = _reaches(event, person.network, service, moment.local)
        if until is None or rng.random() >= event.share:
            continue
        if rng.random() < event.silent:
            return
        outcome = _seen(event, service, outcome)
        if event.kind in _REACHING_ALL and rng.random() < _SENT_AFTERWARDS and until.year < dt.MAXYEAR:
            delay += until - moment.local.replace(tzinfo=None)
    _write(timeline, out, rng, (person, service, outcome), moment.utc, delay, pages)


def _reaches(event: Happening, network: Network, service: Service, local: dt.datetime) -> dt.datetime | None:
    if event.networks and network.asn not in event.networks:
        return None
    if event.services and service.id not in event.services:
        return None
    return _until(event, local)


def _seen(event: Happening, service: Service, before: Outcome) -> Outcome:
    if event.kind == "outage":
        return "cut"
    if event.kind in ("domestic_only", "curfew"):
        if not service.domestic:
            return "cut"
        return "alone" if before == "ok" else before
    if before in ("cut", "alone"):
        return before
    if event.kind in ("refusal", "throttling", "down"):
        return event.kind
    return event.mechanism


def _lie(  # noqa: PLR0917 - as above
    timeline: Timeline,
    out: Writing,
    rng: random.Random,
    lying: tuple[int, Liar],
    moment: _Moment,
    pages: list[bytes],
) -> None:
    number, liar = lying
    network = next(network for network in timeline.network if network.asn == liar.network)
    about = [service for service in timeline.service if not liar.services or service.id in liar.services]
    for _ in range(poisson(liar.per_hour, rng)):
        source = rng.randrange(liar.sources)
        person = Person(network, "ooniprobe-cli", f"3.9.{number}{source:02}", "linux")
        told = (person, rng.choice(about), _LYING[liar.says])
        _write(timeline, out, rng, told, _within(moment, rng).utc, dt.timedelta(), pages)


def _write(  # noqa: PLR0917 - as above
    timeline: Timeline,
    out: Writing,
    rng: random.Random,
    told: tuple[Person, Service, Outcome],
    utc: dt.datetime,
    delay: dt.timedelta,
    pages: list[bytes],
) -> None:
    person, service, outcome = told
    ours = person.name == OURS
    if outcome == "throttling" and not ours and rng.random() >= _TIMES_OUT:
        outcome = "ok"
    received = utc + delay + dt.timedelta(seconds=20)
    uid = f"{received:%Y%m%d%H%M%S.%f}_{timeline.country}_webconnectivity_{rng.getrandbits(64):016x}"
    line = template(service, outcome, ours=ours).fill(
        {
            b"uid": uid.encode(),
            b"time": f"{utc:%Y-%m-%d %H:%M:%S}".encode(),
            b"asn": b"AS%d" % person.network.asn,
            b"country": timeline.country.encode(),
            b"name": person.name.encode(),
            b"version": person.version.encode(),
            b"platform": person.platform.encode(),
            b"network": person.network.type.encode(),
            b"body": pages[rng.randrange(len(pages))],
        }
    )
    out.write(received, line)

"""Timelines: a country's networks and services, and what was done to them from when to when."""

import datetime as dt
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.clock import country_zone

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Asn = Annotated[int, msgspec.Meta(ge=1, le=4_294_967_295)]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,60}$")]
_Host = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.-]{3,120}$")]
_Text = Annotated[str, msgspec.Meta(max_length=400)]
_Hour = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]

Kind = Literal["curfew", "outage", "domestic_only", "block", "protocol_block", "throttling", "refusal", "down"]
Mechanism = Literal[
    "dns_forgery", "dns_silence", "tls_name_reset", "tls_name_silence", "address_black_hole", "http_block_page",
    "quic_silence", "protocol_filter",
]  # fmt: skip
Test = Literal["web_connectivity", "quic", "tor", "openvpn", "wireguard"]
_WHOLE_DAY = dt.timedelta(days=1)
_LONGEST = dt.timedelta(days=1100)
_NAMES = "rozaneh.lab.country"


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network: its number, its name, ``mobile`` or ``wifi``, and its share of all measurements."""

    asn: _Asn
    name: _Text
    type: Literal["mobile", "wifi"] = "wifi"
    share: Annotated[float, msgspec.Meta(gt=0)] = 1.0


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service.

    Attributes:
        id: of the catalogue; with ``quic.`` before it where it is measured over QUIC.
        host: its name.
        address: where it is.
        asn: of the address.
        share: of all measurements.
        domestic: it stands in the country.
        blocked: how it was blocked before the timeline began.
        test: by which it is measured.
    """

    id: _Id
    host: _Host
    address: Annotated[str, msgspec.Meta(pattern=r"^[0-9.]{7,15}$")]
    asn: _Asn
    share: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    domestic: bool = False
    blocked: Mechanism | None = None
    test: Test = "web_connectivity"


class Happening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done.

    Attributes:
        kind: what.
        start: from when, local time.
        end: until when; to the end of the timeline without.
        hours: for a curfew, from and to; ``24:00`` is midnight.
        days: for a curfew, further days on which it was in force.
        networks: numbers of the networks; all of them if none is named.
        services: of a block; all if none is named.
        mechanism: how it is blocked.
        share: of the measurements there and then, how many it reaches.
        silent: of those, how many are never made or never sent.
        source: where it was reported.
    """

    kind: Kind
    start: dt.datetime
    end: dt.datetime | None = None
    hours: tuple[_Hour, _Hour] | None = None
    days: tuple[dt.date, ...] = ()
    networks: tuple[_Asn, ...] = ()
    services: tuple[_Id, ...] = ()
    mechanism: Mechanism = "tls_name_reset"
    share: _Share = 0.95
    silent: _Share = 0.0
    source: _Text = ""


class Liar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who sends what is not so: a flood of blocked, or of working, services.

    Attributes:
        start: from when, local time.
        end: until when.
        network: the number that they claim.
        services: what they lie about; all if none is named.
        says: what.
        per_hour: how many measurements.
        sources: how many they pretend to be.
    """

    start: dt.datetime
    end: dt.datetime
    network: _Asn
    services: tuple[_Id, ...] = ()
    says: Literal["blocked", "outage", "ok"] = "blocked"
    per_hour: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 60.0
    sources: Annotated[int, msgspec.Meta(ge=1, le=50)] = 1


class Timeline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A timeline.

    Attributes:
        name: what it is.
        country: two capitals.
        zone: of all its times.
        start: first day.
        end: last day.
        per_hour: measurements in an usual hour.
        people: how many send them.
        evening: how much busier the evening is.
        day_effect: how much days differ, as a standard deviation of the logarithm.
        failing: share of measurements that fail for dull reasons.
        late: share that is sent late, by hours.
        ours: share of the people who run Rozaneh's probe, which compares how fast pages come.
        void: what the timeline cannot say or leaves out.
        network: networks.
        service: services; those of ``services.toml`` if there are none.
        event: what was done.
        liar: who lies.
    """

    name: _Text
    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")]
    zone: str = "UTC"
    start: dt.date
    end: dt.date
    per_hour: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 60.0
    people: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 400
    evening: _Share = 0.5
    day_effect: _Share = 0.15
    failing: _Share = 0.04
    late: _Share = 0.1
    ours: _Share = 0.25
    void: _Text = ""
    network: Annotated[tuple[Network, ...], msgspec.Meta(min_length=1, max_length=1000)]
    service: tuple[Service, ...] = ()
    event: tuple[Happening, ...] = ()
    liar: tuple[Liar, ...] = ()


class _Services(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    service: tuple[Service, ...]


def night(event: Happening) -> tuple[dt.timedelta, dt.timedelta]:
    """When a curfew begins after midnight, and how long it lasts."""
    first, last = event.hours or ("00:00", "00:00")
    begin, end = (dt.timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in (first, last))
    return begin, end - begin if end > begin else end - begin + _WHOLE_DAY


def usual_services() -> tuple[Service, ...]:
    """The services that come with Rozaneh's timelines."""
    return msgspec.toml.decode((files(_NAMES) / "services.toml").read_bytes(), type=_Services).service


def timeline_names() -> list[str]:
    """The timelines that come with Rozaneh."""
    found = (files(_NAMES) / "timelines").iterdir()
    return sorted(part.name.removesuffix(".toml") for part in found if part.name.endswith(".toml"))


def load_timeline(name: str) -> Timeline:
    """A timeline by the path of its file, or by its name.

    Raises:
        LocalFault: it is wrong; one line that names the key.
    """
    if name in timeline_names():
        return parse_timeline((files(_NAMES) / "timelines" / f"{name}.toml").read_bytes(), f"{name}.toml")
    path = Path(name)
    try:
        with path.open("rb") as file:
            data = file.read((1 << 20) + 1)
    except OSError as error:
        known = ", ".join(timeline_names())
        raise LocalFault(f"cannot read {path}: {error.strerror}; timelines with a name are {known}") from None
    if len(data) > 1 << 20:
        raise LocalFault(f"{path.name}: a timeline is no larger than 1 MiB")
    return parse_timeline(data, path.name)


def parse_timeline(data: bytes, place: str) -> Timeline:
    """Read a timeline.

    Raises:
        LocalFault: as :func:`load_timeline`.
    """
    try:
        read = msgspec.toml.decode(data, type=Timeline)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LocalFault(f"{place}: {error}") from None
    made = read if read.service else msgspec.structs.replace(read, service=usual_services())
    for key, wrong in _findings(made):
        raise LocalFault(f"{place}: {wrong} - at `$.{key}`")
    return made


def _findings(made: Timeline) -> list[tuple[str, str]]:
    try:
        country_zone(made.zone)
    except LocalFault as error:
        return [("zone", str(error))]
    if made.end < made.start or made.end - made.start > _LONGEST:
        return [("end", f"{made.end} is not within {_LONGEST.days} days after the start")]
    networks = {network.asn for network in made.network}
    if len(networks) < len(made.network):
        return [("network", "a network stands twice")]
    services = {service.id for service in made.service}
    found: list[tuple[str, str]] = []
    for number, event in enumerate(made.event):
        found += _of_event(f"event[{number}]", event, networks, services)
    found += _ways(made)
    for number, liar in enumerate(made.liar):
        if liar.network not in networks:
            found.append((f"liar[{number}].network", f"there is no network {liar.network}"))
        found += _unknown(f"liar[{number}]", (), liar.services, networks, services)
        if liar.end <= liar.start:
            found.append((f"liar[{number}].end", "it ends before it starts"))
    return found


def _of_event(key: str, event: Happening, networks: set[int], services: set[str]) -> list[tuple[str, str]]:
    found = _unknown(key, event.networks, event.services, networks, services)
    if event.end is not None and event.end <= event.start:
        found.append((f"{key}.end", "it ends before it starts"))
    if any(time.tzinfo is not None for time in (event.start, event.end) if time is not None):
        found.append((f"{key}.start", "times are in the zone of the timeline and say none of their own"))
    if (event.kind == "curfew") != (event.hours is not None):
        found.append((f"{key}.hours", "a curfew has hours, and nothing else has"))
    elif event.hours is not None and event.hours[0] == event.hours[1]:
        found.append((f"{key}.hours", "they end where they begin"))
    if event.kind in ("block", "protocol_block", "throttling", "refusal", "down") and not event.services:
        found.append((f"{key}.services", f"a {event.kind} names its services"))
    return found


def _ways(made: Timeline) -> list[tuple[str, str]]:
    """What can be done to services that are measured by a test of their own, and to those that are not."""
    tests = {service.id: service.test for service in made.service}
    found = []
    for number, event in enumerate(made.event):
        of = {tests.get(name, "web_connectivity") for name in event.services}
        web = event.mechanism not in ("quic_silence", "protocol_filter")
        if event.kind in ("block", "protocol_block") and "web_connectivity" in of and not web:
            found.append((f"event[{number}].mechanism", f"{event.mechanism} cannot be done to a page"))
        if event.kind in ("throttling", "refusal") and of - {"web_connectivity"}:
            found.append((f"event[{number}].services", f"a {event.kind} is measured on pages alone"))
    return found


def _unknown(
    key: str, asns: tuple[int, ...], ids: tuple[str, ...], networks: set[int], services: set[str]
) -> list[tuple[str, str]]:
    found = [(f"{key}.networks", f"there is no network {asn}") for asn in asns if asn not in networks]
    return found + [(f"{key}.services", f"there is no service {name!r}") for name in ids if name not in services]

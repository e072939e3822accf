"""What templates are given: sentences and small structures, all of it ready to be shown."""

import datetime as dt
import re
from typing import TYPE_CHECKING, TypedDict

import msgspec

from rozaneh.diagnosis.sentences import HOW
from rozaneh.observatory.dashboard import charts
from rozaneh.observatory.dashboard.addresses import of_service, to
from rozaneh.observatory.dashboard.figures import Country, Part, Span
from rozaneh.observatory.dashboard.tallies import Tally
from rozaneh.observatory.dashboard.withhold import LEAST_MEASUREMENTS, LEAST_SOURCES
from rozaneh.observatory.events.event import Found
from rozaneh.observatory.events.sentences import SHOWN_REASONS, listed, mechanism_of, what
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.names import country_name, network_name, service_name
from rozaneh.words import LANGUAGES, Said, Words, mark
from rozaneh.words.dates import Dates
from rozaneh.words.pages import style, templates

if TYPE_CHECKING:
    from rozaneh.observatory.dashboard.site import Site

Context = dict[str, object]


class _Item(TypedDict):
    """An event in a list."""

    id: str
    sentence: str
    when: Said
    ongoing: bool
    networks: tuple[str, ...]
    services: tuple[str, ...]
    start: dt.datetime
    end: dt.datetime | None


_HEAT = (
    mark("Failures by hour and day, from {first} to {last}. The same stands below as a table."),
    mark("Refusals by hour and day, from {first} to {last}. The same stands below as a table."),
)
_TIMELINE = (
    mark("Failures by day, from {first} to {last}. The same stands above as a table."),
    mark("Refusals by day, from {first} to {last}. The same stands above as a table."),
)
_HERE = "rozaneh.observatory.dashboard"
_TROUBLE = 0.2
_SHORT = dt.timedelta(days=2)
_EVENTS_SHOWN, _SERVICES_SHOWN, _NETWORKS_SHOWN, _ONGOING_SHOWN, _CUTS_SHOWN = 40, 30, 6, 3, 6


def policy() -> str:
    """The content policy of every page."""
    return style(_HERE)[1]


def render(site: "Site", words: Words, path: str, template: str, context: Context) -> bytes:
    """A page as bytes."""
    zone = context.pop("zone", dt.UTC)
    assert isinstance(zone, dt.tzinfo)  # noqa: S101 - for the type checker
    other = LANGUAGES[1 - LANGUAGES.index(words.language)]
    twin = re.sub(r"^(en|fa)/", f"{other}/", path) if path[:3] in ("en/", "fa/") else f"{other}/index.html"
    shown, allowed = style(_HERE)
    text = templates(_HERE).get_template(template).render(
        words=words,
        say=words.say,
        share=lambda value: words.number(value, ".0%"),
        link=lambda there: to(path, there),
        other=twin,
        dates=Dates(words, zone),
        style=shown,
        policy=allowed,
        made=Dates(words, dt.UTC).moment(site.holdings.made),
        measurements=site.measurements,
        simulated=site.holdings.simulated,
        searched=site.holdings.searched,
        too_large=site.holdings.too_large,
        least=LEAST_MEASUREMENTS,
        **context,
    )  # fmt: skip
    return text.encode()


def home(site: "Site", words: Words) -> Context:
    """The first page."""
    shown = [
        {"code": one.code, "name": country_name(one.code, words), "line": _about(one, dates_of(words, one.code))}
        for one in site.countries.values()
    ]
    return {
        "title": words.say("What is blocked, and where"), "countries": shown, "events": _events(site, words, ""),
        "few": site.figures.measured(), "sources": LEAST_SOURCES,
    }  # fmt: skip


def data(site: "Site", words: Words) -> Context:
    """What there is for spreadsheets and programs."""
    return {
        "title": words.say("Data and interface"),
        "countries": [{"code": code, "name": country_name(code, words)} for code in site.countries],
    }


def country(site: "Site", words: Words, code: str) -> Context:
    """A country's first page."""
    span, dates = site.newest(code), dates_of(words, code)
    months = [
        {"page": f"{words.language}/{code}/{month}.html", "name": _month(dates, month)} for month in site.months(code)
    ]
    # Where whole networks were cut those are shown: a curfew of some would be pale among all.
    cut = site.cut_networks(code, span)
    ongoing = sorted(
        (item for item in _events(site, words, code) if item["ongoing"]), key=lambda item: bool(item["services"])
    )
    return {
        "title": country_name(code, words), "code": code, "zone": dates.zone, "line": _age(site, dates, code),
        "ongoing": ongoing[:_ONGOING_SHOWN], "more": ongoing[_ONGOING_SHOWN:],
        "cut": listed(words, [network_name(code, f"AS{asn}", words) for asn in cut]),
        "view": hours(site, words, Part(code, span, cut)), "cuts": _cuts(site, words, code, span),
        "matrix": _matrix(site, words, code, span),
        "events": _events(site, words, code), "unpublished": _unpublished(site, words, code), "months": months,
        "networks": [
            {"page": f"{words.language}/{code}/{name}.html", "name": network_name(code, name, words)}
            for name in (f"AS{asn}" for asn in site.networks(code))
        ],
    }  # fmt: skip


def month(site: "Site", words: Words, code: str, name: str) -> Context:
    """One month of a country."""
    dates = dates_of(words, code)
    first = dt.datetime.strptime(name, "%Y-%m").replace(tzinfo=dates.zone)
    end = (first + dt.timedelta(days=32)).replace(day=1)
    span = Span(first.astimezone(dt.UTC), end.astimezone(dt.UTC))
    within = [
        item
        for item in _events(site, words, code)
        if item["start"] < span.end and (item["end"] or span.end) >= span.start
    ]
    return _part(site, words, Part(code, span, site.cut_networks(code, span)), _month(dates, name), within)


def network(site: "Site", words: Words, code: str, asn: int) -> Context:
    """One network of a country."""
    of_it = [item for item in _events(site, words, code) if f"AS{asn}" in item["networks"]]
    return _part(site, words, Part(code, site.newest(code), (asn,)), network_name(code, f"AS{asn}", words), of_it)


def service(site: "Site", words: Words, code: str, subject: str) -> Context:
    """One service in a country."""
    of_it = [item for item in _events(site, words, code) if subject in item["services"]]
    part = Part(code, site.newest(code), subjects=(subject,))
    known = site.figures.subjects(code, part.span).get(subject)
    refused = known is not None and known.refused > known.failing
    shown = _part(site, words, part, service_name(subject, words), of_it, refused=refused)
    # Who looks for a service asks whether it is blocked, and since when; charts say how one knows.
    return shown | {"answers": True, "ongoing": any(item["ongoing"] for item in of_it)}


# -------------------------------------------------------------------------------------------------------------- parts


def _part(
    site: "Site", words: Words, part: Part, title: Said, events: list[_Item], *, refused: bool = False
) -> Context:
    code, dates = part.country, dates_of(words, part.country)
    line, view = _age(site, dates, code), hours(site, words, part, refused=refused)
    return {
        "title": title, "code": code, "country": country_name(code, words), "line": line, "view": view,
        "cut": listed(words, [network_name(code, f"AS{n}", words) for n in part.asns]) if len(part.asns) > 1 else "",
        "events": events, "zone": dates.zone, "answers": False,
    }  # fmt: skip


def dates_of(words: Words, code: str) -> Dates:
    """Dates by a country's own clock."""
    return Dates(words, zone_of_country(code)[0])


def hours(site: "Site", words: Words, part: Part, *, refused: bool = False) -> Context:
    """What happened hour by hour and day by day, as charts and as a table.

    Args:
        site: whose figures.
        words: the language.
        part: what it is about.
        refused: show what the service itself turned away, in the place of what failed on the path.
    """
    code, span = part.country, part.span
    if usual := () if part.subjects else site.usual(code, span):
        part = msgspec.structs.replace(part, subjects=usual)
    dates, zone_name = dates_of(words, code), zone_of_country(code)[1]
    by_hour = site.figures.hours(part)
    by_day = site.figures.days(part)
    if refused:
        by_hour = {hour: msgspec.structs.replace(tally, failing=tally.refused) for hour, tally in by_hour.items()}
        by_day = {day: msgspec.structs.replace(tally, failing=tally.refused) for day, tally in by_day.items()}
    blocks = charts.local_blocks(by_hour, dates.zone)
    known = site.countries[code]
    first = max(span.start, known.first).astimezone(dates.zone).date()
    last = min(span.end - dt.timedelta(hours=1), known.last).astimezone(dates.zone).date()
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    rows = [
        {"day": dates.day(day), "dark": _spans(charts.dark_spans(blocks, day), dates),
         "share": _share(words, by_day.get(day))}
        for day in days
    ]  # fmt: skip
    offset = span.start.astimezone(dates.zone).utcoffset() or dt.timedelta()
    halves, ends = bool(offset % dt.timedelta(hours=1)), {"first": dates.both(first), "last": dates.both(last)}
    return {
        "zone": zone_name, "halves": halves, "usual": bool(usual), "rows": rows, "refused": refused,
        "first": ends["first"], "last": ends["last"],
        "heat": charts.heat_map(blocks, days, dates, words.say(_HEAT[refused], **ends)),
        "timeline": charts.timeline(by_day, days, dates, words.say(_TIMELINE[refused], **ends)),
    }  # fmt: skip


def _matrix(site: "Site", words: Words, code: str, span: Span) -> Context:
    cells = site.figures.matrix(code, span.start if span.start > site.whole(code).start else None)
    subjects = [name for name in site.subjects(code) if any(subject == name for subject, _ in cells)]
    asns = [asn for asn in site.networks(code) if any(network == asn for _, network in cells)][:_NETWORKS_SHOWN]
    return {
        "networks": [
            {
                "page": f"{words.language}/{code}/AS{asn}.html",
                "name": network_name(code, f"AS{asn}", words, short=True),
            }
            for asn in asns
        ],
        "few": any((subject, asn) not in cells for subject in subjects[:_SERVICES_SHOWN] for asn in asns),
        "rows": [
            _row(words, code, subject, [cells.get((subject, asn)) for asn in asns])
            for subject in subjects[:_SERVICES_SHOWN]
        ],
    }


def _row(words: Words, code: str, subject: str, tallies: list[Tally | None]) -> Context:
    """A service on each network. An obstacle that is the same on all is named once, else in each cell."""
    hows = [_obstacle(tally) for tally in tallies]
    one = {how for how in hows if how}
    same = next(iter(one)) if len(one) == 1 else ""
    return {
        "name": service_name(subject, words),
        "page": of_service(words.language, code, subject),
        "how": words.say(HOW[mechanism_of(same)]) if same else "",
        "cells": [
            None if tally is None else _cell(words, tally, "" if same else how)
            for tally, how in zip(tallies, hows, strict=True)
        ],
    }


def _obstacle(tally: Tally | None) -> str:
    return tally.mechanism if tally and max(tally.failing, tally.refused) >= _TROUBLE else ""


def _cell(words: Words, tally: Tally, how: str) -> Context:
    trouble = max(tally.failing, tally.refused)
    return {
        "shade": charts.shade(trouble), "share": words.number(trouble, ".0%"),
        "how": words.say(HOW[mechanism_of(how)]) if how else "",
    }  # fmt: skip


def _events(site: "Site", words: Words, code: str) -> list[_Item]:
    newest = sorted(site.events.items(), key=lambda item: (item[1].event.start, item[0]), reverse=True)
    return [
        _event_item(name, found, words, dates_of(words, found.event.country))
        for name, found in newest
        if not code or found.event.country == code
    ][:_EVENTS_SHOWN]


def _cuts(site: "Site", words: Words, code: str, span: Span) -> list[_Item]:
    """The events that darken a map of everything, the longest first."""
    dates = dates_of(words, code)
    whole = [
        (name, found)
        for name, found in site.events.items()
        if found.event.country == code and not found.event.services
        and found.event.start < span.end and (found.event.end or span.end) > span.start
    ]  # fmt: skip
    whole.sort(key=lambda item: (item[1].event.start - (item[1].event.end or span.end), item[0]))
    return [_event_item(name, found, words, dates) for name, found in whole[:_CUTS_SHOWN]]


def _event_item(name: str, found: Found, words: Words, dates: Dates) -> _Item:
    claim = found.event
    began = dates.both(claim.start.astimezone(dates.zone).date())
    if found.evidence.before:
        when = words.say("It was so already when the measurements begin, on {day}.", day=began)
    elif claim.end is None:
        when = words.say("Since {day}; it goes on.", day=began)
    elif (lasted := claim.end - claim.start) < _SHORT:
        # In days, a cut of eight hours across midnight would look like one of two days.
        length = words.say_n("{n} hour", "{n} hours", max(round(lasted / dt.timedelta(hours=1)), 1))
        when = words.say("From {first}, for {length}.", first=dates.moment(claim.start), length=length)
    else:
        when = words.say(
            "From {first} to {last}.", first=began, last=dates.both(claim.end.astimezone(dates.zone).date())
        )
    if claim.end is None and (soon := found.evidence.forecast):
        start, end = dates.moment(soon.start), dates.moment(soon.end)
        expected = words.say("Next expected from {start} to {end}.", start=start, end=end)
        when = Said(f"{when} {expected}")
    return {
        "id": name, "sentence": what(claim, words), "when": when, "ongoing": claim.end is None,
        "networks": claim.networks, "services": claim.services, "start": claim.start, "end": claim.end,
    }  # fmt: skip


def _unpublished(site: "Site", words: Words, code: str) -> list[Context]:
    return [
        {"sentence": what(held.event, words), "reason": words.say(SHOWN_REASONS[held.reason], had=held.had)}
        for held in site.withheld(code)[:_EVENTS_SHOWN]
    ]


def _about(country: Country, dates: Dates) -> Said:
    first, last = (dates.both(moment.astimezone(dates.zone).date()) for moment in (country.first, country.last))
    return dates.words.say("{n:,} measurements, from {first} to {last}", n=country.tally.n, first=first, last=last)


def _age(site: "Site", dates: Dates, code: str) -> Said:
    newest, zone = dates.moment(site.countries[code].last), zone_of_country(code)[1]
    return dates.words.say("Newest measurement: {moment} ({zone}).", moment=newest, zone=zone)


def _month(dates: Dates, name: str) -> Said:
    first = dt.date.fromisoformat(f"{name}-01")
    last = (first + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
    return dates.words.say("{first} to {last}", first=dates.both(first), last=dates.both(last))


def _spans(spans: list[tuple[int, int]], dates: Dates) -> Said | str:
    clock = [
        dates.words.say("{start} to {end}", start=_minutes(start, dates), end=_minutes(end, dates))
        for start, end in spans
    ]
    return listed(dates.words, clock)


def _minutes(minutes: int, dates: Dates) -> Said:
    return dates.words.say("{hour:02d}:{minute:02d}", hour=minutes // 60, minute=minutes % 60)


def _share(words: Words, tally: Tally | None) -> Said:
    return words.say("not enough to say") if tally is None else words.number(tally.failing, ".0%")

"""What templates are given: sentences and small structures, all of it ready to be shown."""

import datetime as dt
import re
from typing import TYPE_CHECKING, TypedDict

import msgspec

from rozaneh.diagnosis.sentences import HOW
from rozaneh.diagnosis.verdict import Mechanism
from rozaneh.observatory.dashboard import charts
from rozaneh.observatory.dashboard.figures import Country, Part, Span, Tally
from rozaneh.observatory.dashboard.withhold import LEAST_MEASUREMENTS
from rozaneh.observatory.events.event import Event, Found, Vote, Withheld
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.sentences import CHANGES, REASONS, RULES, STATES, what
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.names import country_name, network_name, service_name
from rozaneh.words import LANGUAGES, Said, Words
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


_HERE = "rozaneh.observatory.dashboard"
_EVENTS_SHOWN, _SERVICES_SHOWN, _NETWORKS_SHOWN, _ONGOING_SHOWN = 40, 30, 6, 3


def policy() -> str:
    """The content policy of every page."""
    return style(_HERE)[1]


def render(site: "Site", words: Words, path: str, template: str, context: Context) -> bytes:
    """A page as bytes."""
    from rozaneh.observatory.dashboard.site import to  # noqa: PLC0415 - the two need each other

    zone = context.pop("zone", dt.UTC)
    assert isinstance(zone, dt.tzinfo)  # noqa: S101 - for the type checker
    other = LANGUAGES[1 - LANGUAGES.index(words.language)]
    twin = re.sub(r"^(en|fa)/", f"{other}/", path) if "/" in path else f"{other}/index.html"
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
        made=site.holdings.made,
        measurements=site.measurements,
        least=LEAST_MEASUREMENTS,
        **context,
    )  # fmt: skip
    return text.encode()


def home(site: "Site", words: Words) -> Context:
    """The first page."""
    dates = Dates(words, dt.UTC)
    shown = [
        {"code": one.code, "name": country_name(one.code, words), "line": _about(one, dates)}
        for one in site.countries.values()
    ]
    return {"title": words.say("What is blocked, and where"), "countries": shown, "events": _events(site, words, "")}


def country(site: "Site", words: Words, code: str) -> Context:
    """A country's first page."""
    span, dates = site.newest(code), _dates(words, code)
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
        "cut": _list(words, [network_name(code, f"AS{asn}", words) for asn in cut]),
        "view": _hours(site, words, Part(code, span, cut)), "matrix": _matrix(site, words, code, span),
        "events": _events(site, words, code), "unpublished": _unpublished(site, words, code), "months": months,
        "networks": [
            {"page": f"{words.language}/{code}/{name}.html", "name": network_name(code, name, words)}
            for name in (f"AS{asn}" for asn in site.networks(code))
        ],
    }  # fmt: skip


def month(site: "Site", words: Words, code: str, name: str) -> Context:
    """One month of a country."""
    dates = _dates(words, code)
    first = dt.datetime.strptime(name, "%Y-%m").replace(tzinfo=dates.zone)
    end = (first + dt.timedelta(days=32)).replace(day=1)
    span = Span(first.astimezone(dt.UTC), end.astimezone(dt.UTC))
    within = [
        item
        for item in _events(site, words, code)
        if item["start"] < span.end and (item["end"] or span.end) >= span.start
    ]
    return _part(site, words, Part(code, span), _month(dates, name), within)


def network(site: "Site", words: Words, code: str, asn: int) -> Context:
    """One network of a country."""
    of_it = [item for item in _events(site, words, code) if f"AS{asn}" in item["networks"]]
    return _part(site, words, Part(code, site.newest(code), (asn,)), network_name(code, f"AS{asn}", words), of_it)


def service(site: "Site", words: Words, code: str, subject: str) -> Context:
    """One service in a country."""
    of_it = [item for item in _events(site, words, code) if subject in item["services"]]
    part = Part(code, site.newest(code), subjects=(subject,))
    return _part(site, words, part, service_name(subject, words), of_it)


def event(site: "Site", words: Words, name: str, path: str) -> Context:
    """An event, with what it rests on."""
    found = site.events[name]
    claim, evidence = found.event, found.evidence
    code, say = claim.country, words.say
    dates = _dates(words, code)
    facts: list[tuple[Said, object]] = [(say("Began"), dates.moment(claim.start))]
    facts.append((say("Ended"), dates.moment(claim.end) if claim.end else say(STATES[evidence.state])))
    if claim.hours:
        facts.append((say("Hours"), _clock_hours(claim, dates, evidence.zone)))
    if evidence.forecast:
        facts.append((say("Next expected"), dates.moment(evidence.forecast.start)))
    if claim.networks:
        facts.append((say("Networks"), _list(words, [network_name(code, text, words) for text in claim.networks])))
    if claim.services:
        facts.append((say("Services"), _list(words, [service_name(text, words) for text in claim.services])))
    facts += [
        (say("How"), say(HOW.get(_mechanism(claim.mechanism), HOW[Mechanism.UNKNOWN]))),
        (say("How sure"), words.number(claim.confidence, ".0%")),
        (say("Measurements or samples"), words.number(claim.samples)),
        (say("Independent sources"), words.number(claim.sources)),
        (say("Rule"), say("{rule}", rule=claim.rule)),
    ]
    span = Span(
        claim.start - dt.timedelta(days=7), (claim.end or claim.start + dt.timedelta(days=60)) + dt.timedelta(days=7)
    )
    return {
        "title": what(claim, words), "code": code, "country": country_name(code, words), "zone": dates.zone, "id": name,
        "facts": facts, "votes": [_vote(vote, words, dates) for vote in evidence.votes],
        "view": _hours(site, words, _part_of(claim, span)) if code in site.countries else None,
        "rule": event_rules().get(claim.rule), "because": say(RULES[claim.rule]) if claim.rule in RULES else "",
        "changes": [say(CHANGES[change]) for change in evidence.would_change],
        "citation": f"Rozaneh observatory, event {name}, {site.holdings.made:%Y-%m-%d}. {site.holdings.where}{path}",
    }  # fmt: skip


def method(words: Words) -> Context:
    """How it is done."""
    rules = [
        {"id": rule.id, "because": words.say(RULES[rule.id]), "source": rule.source} for rule in event_rules().values()
    ]
    return {"title": words.say("Method"), "rules": rules}


# -------------------------------------------------------------------------------------------------------------- parts


def _part(site: "Site", words: Words, part: Part, title: Said, events: list[_Item]) -> Context:
    code, dates = part.country, _dates(words, part.country)
    line, view = _age(site, dates, code), _hours(site, words, part)
    return {
        "title": title, "code": code, "country": country_name(code, words), "line": line, "view": view,
        "events": events, "zone": dates.zone,
    }  # fmt: skip


def _dates(words: Words, code: str) -> Dates:
    return Dates(words, zone_of_country(code)[0])


def _hours(site: "Site", words: Words, part: Part) -> Context:
    code, span = part.country, part.span
    if usual := () if part.subjects else site.usual(code, span):
        part = msgspec.structs.replace(part, subjects=usual)
    dates, zone_name = _dates(words, code), zone_of_country(code)[1]
    by_hour = site.figures.hours(part)
    by_day = site.figures.days(part)
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
    return {
        "zone": zone_name, "usual": bool(usual), "rows": rows, "first": dates.both(first), "last": dates.both(last),
        "heat": charts.heat_map(blocks, days, dates, words.say("Failures by hour and day")),
        "timeline": charts.timeline(by_day, days, words.say("Failures by day")),
    }  # fmt: skip


def _matrix(site: "Site", words: Words, code: str, span: Span) -> Context:
    cells = site.figures.matrix(Part(code, span))
    subjects = [name for name in site.subjects(code) if any(subject == name for subject, _ in cells)]
    asns = [asn for asn in site.networks(code) if any(network == asn for _, network in cells)][:_NETWORKS_SHOWN]
    return {
        "networks": [network_name(code, f"AS{asn}", words) for asn in asns],
        "rows": [
            {
                "name": service_name(subject, words),
                "page": f"{words.language}/{code}/service/{subject}.html",
                "cells": [_cell(words, cells.get((subject, asn))) for asn in asns],
            }
            for subject in subjects[:_SERVICES_SHOWN]
        ],
    }


def _cell(words: Words, tally: Tally | None) -> Context | None:
    if tally is None:
        return None
    trouble = max(tally.failing, tally.refused)
    how = words.say(HOW[_mechanism(tally.mechanism)]) if tally.mechanism and trouble >= 0.2 else ""
    return {"shade": charts.shade(trouble), "share": words.number(trouble, ".0%"), "how": how}


def _events(site: "Site", words: Words, code: str) -> list[_Item]:
    newest = sorted(site.events.items(), key=lambda item: (item[1].event.start, item[0]), reverse=True)
    return [
        _event_item(name, found, words, _dates(words, found.event.country))
        for name, found in newest
        if not code or found.event.country == code
    ][:_EVENTS_SHOWN]


def _event_item(name: str, found: Found, words: Words, dates: Dates) -> _Item:
    claim = found.event
    began = dates.both(claim.start.astimezone(dates.zone).date())
    if claim.end is None:
        when = words.say("Since {day}; it goes on.", day=began)
    else:
        when = words.say(
            "From {first} to {last}.", first=began, last=dates.both(claim.end.astimezone(dates.zone).date())
        )
    return {
        "id": name, "sentence": what(claim, words), "when": when, "ongoing": claim.end is None,
        "networks": claim.networks, "services": claim.services, "start": claim.start, "end": claim.end,
    }  # fmt: skip


def _unpublished(site: "Site", words: Words, code: str) -> list[Context]:
    return [_unpublished_item(held, words) for held in site.holdings.withheld if held.event.country == code][
        :_EVENTS_SHOWN
    ]


def _unpublished_item(held: Withheld, words: Words) -> Context:
    reason = words.say(REASONS[held.reason], had=held.had, wanted=held.wanted)
    return {"sentence": what(held.event, words), "reason": reason}


def _vote(vote: Vote, words: Words, dates: Dates) -> Context:
    return {
        "signal": words.say("{signal}", signal=vote.signal),
        "fell": dates.moment(vote.start) if vote.fell and vote.start else words.say("no"),
        "lowest": "—" if vote.lowest is None else words.number(vote.lowest, ".0%"),
    }


def _about(country: Country, dates: Dates) -> Said:
    first, last = dates.day(country.first.date()), dates.day(country.last.date())
    return dates.words.say("{n} measurements, {first} to {last}", n=country.tally.n, first=first, last=last)


def _age(site: "Site", dates: Dates, code: str) -> Said:
    return dates.words.say("Newest measurement: {moment}.", moment=dates.moment(site.countries[code].last))


def _month(dates: Dates, name: str) -> Said:
    first = dt.date.fromisoformat(f"{name}-01")
    last = (first + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
    return dates.words.say("{first} to {last}", first=dates.both(first), last=dates.both(last))


def _spans(spans: list[tuple[int, int]], dates: Dates) -> Said | str:
    clock = [
        dates.words.say("{start} to {end}", start=_minutes(start, dates), end=_minutes(end, dates))
        for start, end in spans
    ]
    return _list(dates.words, clock)


def _minutes(minutes: int, dates: Dates) -> Said:
    return dates.words.say("{hour:02d}:{minute:02d}", hour=minutes // 60, minute=minutes % 60)


def _share(words: Words, tally: Tally | None) -> Said:
    return words.say("not enough to say") if tally is None else words.number(tally.failing, ".0%")


def _clock_hours(claim: Event, dates: Dates, zone: str) -> Said:
    hours = claim.hours or (0,)
    return dates.words.say(
        "{start} to {end} ({zone})", start=dates.hour(hours[0]), end=dates.hour(hours[-1] + 1), zone=zone
    )


def _part_of(claim: Event, span: Span) -> Part:
    numbers = tuple(int(text[2:]) for text in claim.networks if re.fullmatch(r"AS\d{1,10}", text))
    return Part(claim.country, span, numbers, claim.services)


def _mechanism(text: str) -> Mechanism:
    return Mechanism(text) if text in Mechanism._value2member_map_ else Mechanism.UNKNOWN


def _list(words: Words, parts: list[Said]) -> Said:
    return Said(("، " if words.right_to_left else ", ").join(parts))

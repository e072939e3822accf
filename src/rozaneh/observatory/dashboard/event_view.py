"""The page of an event: what is claimed, what it rests on, what would change it, and how to cite it."""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rozaneh.diagnosis.sentences import HOW
from rozaneh.observatory.dashboard.figures import Part, Span
from rozaneh.observatory.dashboard.views import Context, dates_of, hours
from rozaneh.observatory.events.event import Event, Found, Vote
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.sentences import CHANGES, RULES, STATES, listed, mechanism_of, what
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.names import country_name, network_name, service_name
from rozaneh.words import Said, Words
from rozaneh.words.dates import Dates

if TYPE_CHECKING:
    from rozaneh.observatory.dashboard.site import Site

_AROUND = dt.timedelta(days=7)
_SHOWN = dt.timedelta(days=60)
Fact = tuple[Said, object]


def event(site: "Site", words: Words, name: str, path: str) -> Context:
    """An event, with what it rests on."""
    found = site.events[name]
    claim, evidence = found.event, found.evidence
    code, say = claim.country, words.say
    dates = dates_of(words, code)
    span = Span(claim.start - _AROUND, (claim.end or claim.start + _SHOWN) + _AROUND)
    return {
        "title": what(claim, words), "code": code, "country": country_name(code, words), "zone": dates.zone, "id": name,
        "zone_name": zone_of_country(code)[1], "stays": bool(site.holdings.where),
        "facts": [*_claimed(found, words, dates), *_evidence(found, words, dates)],
        "votes": [_vote(vote, words, dates) for vote in evidence.votes],
        "view": _shown(site, words, claim, span), "first_days": _first_days(site, claim, span),
        "rule": event_rules().get(claim.rule), "because": say(RULES[claim.rule]) if claim.rule in RULES else "",
        "changes": [say(CHANGES[change]) for change in evidence.would_change],
        "citation": _citation(site, name, path),
    }  # fmt: skip


def _shown(site: "Site", words: Words, claim: Event, span: Span) -> Context | None:
    """Its charts: of what was turned away, where that is the claim."""
    if claim.country not in site.countries:
        return None
    return hours(site, words, _part_of(claim, span), refused=claim.kind == "refusal")


def _first_days(site: "Site", claim: Event, span: Span) -> int:
    """How many days of an event that lasts its charts show; nought where they show all there are."""
    more = claim.end is None and claim.country in site.countries and site.countries[claim.country].last >= span.end
    return (_SHOWN + _AROUND).days if more else 0


def _citation(site: "Site", name: str, path: str) -> str:
    """How to cite it; an address only where it is one, since that of this machine leads nobody here."""
    cited = f"Rozaneh observatory, event {name}, made {site.holdings.made:%Y-%m-%d}."
    if site.holdings.simulated:
        cited = f"{cited} Simulated data."
    return f"{cited} {site.holdings.where}{path}" if site.holdings.where else cited


def _claimed(found: Found, words: Words, dates: Dates) -> Iterator[Fact]:
    """When, where, what and how."""
    claim, evidence, say = found.event, found.evidence, words.say
    began = dates.moment(claim.start)
    yield say("Began"), say("before the measurements begin: {moment}", moment=began) if evidence.before else began
    yield say("Ended"), dates.moment(claim.end) if claim.end else say(STATES[evidence.state])
    if claim.hours:
        first, after = dates.hour(claim.hours[0]), dates.hour(claim.hours[-1] + 1)
        yield say("Hours"), say("{start} to {end} ({zone})", start=first, end=after, zone=evidence.zone)
    if evidence.days:
        yield say("In force on"), words.say_n("{n} day", "{n} days", len(evidence.days))
    if evidence.forecast:
        soon = evidence.forecast
        yield say("Next expected"), say("{start} to {end}", start=dates.moment(soon.start), end=dates.moment(soon.end))
        kept = say("on {hits} of {all} days", hits=soon.hits, all=soon.hits + soon.misses)
        yield say("Such a forecast held"), kept
    if claim.networks:
        yield say("Networks"), listed(words, [network_name(claim.country, text, words) for text in claim.networks])
    if claim.services:
        yield say("Services"), listed(words, [service_name(text, words) for text in claim.services])
    yield say("How"), say(HOW[mechanism_of(claim.mechanism)])


def _evidence(found: Found, words: Words, dates: Dates) -> Iterator[Fact]:
    """How sure, and on what grounds."""
    claim, evidence, say = found.event, found.evidence, words.say
    yield say("How sure"), words.number(claim.confidence, ".0%")
    signals = claim.rule.startswith("signal-")
    if evidence.lowest is not None and not signals:
        yield say("Attempts that failed meanwhile"), words.number(evidence.lowest, ".0%")
    if evidence.usual is not None and not evidence.before:
        yield say("Attempts that failed otherwise"), words.number(evidence.usual, ".0%")
    if signals:
        yield say("Samples"), words.number(claim.samples, ",")
        yield say("Signals that fell"), words.number(claim.sources)
    else:
        yield say("Measurements"), say("about {n:,}", n=claim.samples)
        yield say("Independent sources"), say("at least {n:,}", n=claim.sources)
    if evidence.second_opinion:
        agrees = evidence.second_opinion == "agrees"
        yield say("A second method"), say("agrees") if agrees else say("does not agree")
    if evidence.published:
        yield say("Could be known from"), dates.moment(evidence.published)
    yield say("Rule"), say("{rule}", rule=claim.rule)


def _vote(vote: Vote, words: Words, dates: Dates) -> Context:
    return {
        "signal": words.say("{signal}", signal=vote.signal),
        "fell": dates.moment(vote.start) if vote.fell and vote.start else words.say("no"),
        "lowest": "—" if vote.lowest is None else words.number(vote.lowest, ".0%"),
    }


def _part_of(claim: Event, span: Span) -> Part:
    return Part(claim.country, span, claim.asns, claim.services)

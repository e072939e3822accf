"""What events say to people."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from rozaneh.diagnosis.sentences import HOW
from rozaneh.diagnosis.verdict import Mechanism, sureness
from rozaneh.observatory.events.event import Event, Evidence, Found, Withheld
from rozaneh.observatory.events.zones import zone_of_country
from rozaneh.observatory.names import country_name, network_name, service_name
from rozaneh.words import Said, Words, mark
from rozaneh.words.dates import Dates

KINDS = {
    "outage": mark("Outage in {place}: connections were cut."),
    "domestic_only": mark("Domestic only in {place}: nothing abroad could be reached, what is at home could."),
    "curfew": mark("Curfew in {place}: connections were cut at the same hours of most days."),
    "block": mark("Block: {services} did not work in {place}, and somebody on the path was the reason."),
    "throttling": mark("Throttling: {services} was slowed down in {place}."),
    "protocol_block": mark("Blocked protocol: {services} did not work in {place}, whatever it was for."),
    "refusal": mark("Refusal: {services} itself turned away people in {place}, as services do under sanctions."),
    "silence": mark("Silence: far fewer measurements than usual came from {place}. By itself that is no outage."),
}
"""Each kind of event."""

CURFEW_HOURS = mark("Curfew in {place}: connections were cut from {begin} to {end} on most days.")
"""The same, where the hours are known."""

_NAMED = 4

STATES = {
    "down": mark("It goes on."),
    "partly back": mark("It goes on; part of what was lost is back."),
    "over": mark("It is over."),
}
"""How it stands."""

CHANGES = {
    "recovery": mark(
        "It ends when three quarters of what was lost are back and stay so, against what was usual before."
    ),
    "late-data": mark("Data that come late may move its start or its end."),
    "other-signals-well": mark("Other signals saw nothing; if they are right, it was smaller than it looks."),
    "second-signal": mark("Only one signal was looked at; a second one could confirm or refute it."),
    "quiet-days": mark("It ends when some days pass without it."),
    "more-sources": mark("More independent sources would make it surer."),
    "control": mark("If the service is down for everybody, it was no block."),
    "works-again": mark("It ends when the service works again for most sources, and stays so."),
    "pairs": mark("Paired transfers that show no difference would refute it."),
    "volume": mark("Measurements that come late could fill the silence."),
}
"""What would change an event."""

REASONS = {
    "sources": mark("Not enough independent sources say so: {had}, where at least {wanted} are needed."),
    "beside": mark(
        "Not enough: a cut of the whole network looks the same. Other services that worked meanwhile: "
        "{had}, where at least {wanted} are needed."
    ),
    "everywhere": mark(
        "Not enough: it fails from the same hours on in {had} countries. The service is down, or it is measured "
        "wrongly."
    ),
    "chance": mark("Not enough: so few measurements fail so often by chance. More would tell."),
    "mark": mark("Not enough: the measuring itself changed then, and no second signal shows it."),
    "software": mark(
        "Not enough of the sources that measured before say so: {had}, where at least {wanted} are needed. "
        "The others are new, as they are with new software."
    ),
    "silence": mark("Not enough: that fewer measurements came does not say why. A second signal could."),
}
"""Why a claim is not made."""

SHOWN_REASONS = REASONS | {
    "sources": mark("Not enough independent sources say so."),
    "software": mark("Not enough: it is said by new sources alone, as there are with new software."),
    "beside": mark("Not enough: a cut of the whole network looks the same, and too few other services were measured."),
}
"""The same on pages, which do not say how few people measured."""

RULES = {
    "signal-outage-frozen": mark(
        "A signal that fell below what noise and the week explain is down until three quarters of what it lost is "
        "back, and held."
    ),
    "recurring-cuts": mark(
        "Cuts of some hours at the same time of the local day, on most days, are one curfew and not many outages."
    ),
    "network-states": mark(
        "All that is measured on a network fails more than a baseline that was learnt before and frozen, in hours that "
        "recur."
    ),
    "service-states": mark("One service fails far more than its frozen baseline on a network where the others do not."),
    "cut-together": mark(
        "A cut that other networks of the country show in the same hours needs to be seen in fewer services of one on "
        "which few are measured."
    ),
    "works-beside": mark(
        "A cut fails in silence too, and chance makes some days bad: others beside it must work, and that most of it "
        "fails must be sure."
    ),
    "same-everywhere": mark(
        "What fails from the same hours on in most of the countries that measure it is down, or measured wrongly; no "
        "state did that."
    ),
    "first-week": mark(
        "Measurements by few that are dated long before all others, by clocks that are wrong or because they came "
        "late, are no history."
    ),
    "source-weights": mark(
        "One source, however loud, makes no event and ends none: beside others it counts at most about half of what "
        "they count together."
    ),
    "source-gate": mark(
        "One source, however loud, makes no event: enough independent ones say so, and of those who measured most do."
    ),
    "volume-silence": mark(
        "When people are cut off their measurements do not come, or come late. By itself that is no outage: they may "
        "have stopped."
    ),
    "protocol-groups": mark(
        "When services that have only their protocol in common are blocked at about the same time, the protocol is; "
        "Tor and a VPN are one by themselves."
    ),
}
"""What each rule of ``rules.toml`` says, for both languages."""

_SURENESS = {
    "certain": mark("certain"),
    "likely": mark("likely"),
    "possible": mark("possible"),
    "unsure": mark("unsure"),
}


def event_lines(found: Found, words: Words) -> Iterator[str]:
    """An event in sentences, the first of which says what it is."""
    event, evidence = found.event, found.evidence
    say = words.say
    dates, zone = _clock_of(event, words)
    yield what(event, words)
    start, state = dates.moment(event.start), say(STATES[evidence.state])
    if evidence.before:
        yield say(
            "It was so already when the measurements begin, {start} ({zone}). {state}",
            start=start, zone=zone, state=state,
        )  # fmt: skip
    elif event.end is None:
        yield say("From {start} ({zone}). {state}", start=start, zone=zone, state=state)
    else:
        yield say(
            "From {start} to {end} ({zone}), {length}.",
            start=start,
            end=dates.moment(event.end),
            zone=zone,
            length=_length(event.end - event.start, words),
        )
    if event.hours:
        begin, end = _clock(event.hours[0], words), _clock(event.hours[-1] + 1, words)
        hours = say("{start} to {end}", start=begin, end=end)
        yield say("Hours: {hours} ({zone}).", hours=hours, zone=evidence.zone)
        yield words.say_n("It was in force on {n} day.", "It was in force on {n} days.", len(evidence.days))
    if evidence.forecast is not None:
        yield say(
            "Next expected from {start} to {end} ({zone}); such a forecast held on {hits} of {all} days.",
            start=dates.moment(evidence.forecast.start),
            end=dates.moment(evidence.forecast.end),
            zone=zone,
            hits=evidence.forecast.hits,
            all=evidence.forecast.hits + evidence.forecast.misses,
        )
    if event.networks:
        named = [network_name(event.country, network, words) for network in event.networks]
        yield say("Networks: {networks}.", networks=listed(words, named))
    if event.mechanism and event.kind in ("block", "protocol_block"):
        yield say("How: {mechanism}.", mechanism=say(HOW[mechanism_of(event.mechanism)]))
    yield from _evidence(event, evidence, words)


def _evidence(event: Event, evidence: Evidence, words: Words) -> Iterator[str]:
    say = words.say
    yield say(
        "How sure: {sure}. Samples: {samples:,}; independent sources: {sources:,}; rule: {rule}.",
        sure=say(_SURENESS[sureness(event.confidence)]),
        samples=event.samples,
        sources=event.sources,
        rule=event.rule,
    )
    for vote in evidence.votes:
        if vote.fell and vote.lowest is not None:
            yield say("{signal}: down to {share:.0%} of the usual.", signal=vote.signal, share=vote.lowest)
        else:
            yield say("{signal}: as usual.", signal=vote.signal)
    for change in evidence.would_change:
        yield say(CHANGES[change])


def what(event: Event, words: Words) -> Said:
    """What an event is, in one sentence."""
    values: dict[str, object] = {"place": place(event, words)}
    message = KINDS[event.kind]
    if event.kind == "curfew" and event.hours:
        message = CURFEW_HOURS
        values |= {"begin": _clock(event.hours[0], words), "end": _clock(event.hours[-1] + 1, words)}
    if "{services}" in message:
        values["services"] = listed(words, (service_name(name, words) for name in event.services))
    return words.say(message, **values)


def place(event: Event, words: Words) -> Said:
    """Where an event is: the country, and its networks where they are few."""
    country = country_name(event.country, words)
    if not event.networks:
        return country
    if len(event.networks) > _NAMED:
        return words.say_n("{country} ({n} network)", "{country} ({n} networks)", len(event.networks), country=country)
    named = [network_name(event.country, network, words, short=True) for network in event.networks]
    return words.say("{country} ({networks})", country=country, networks=listed(words, named))


def listed(words: Words, parts: Iterable[Said]) -> Said:
    """Several things in a row, with the comma of the language."""
    return Said(("، " if words.right_to_left else ", ").join(parts))


def _clock(hour: int, words: Words) -> Said:
    return words.say("{hour:02d}:00", hour=hour)


def withheld_line(withheld: Withheld, words: Words) -> str:
    """A claim that is not made, and why."""
    dates, zone = _clock_of(withheld.event, words)
    reason = words.say(REASONS[withheld.reason], **_numbers(withheld))
    return words.say(
        "From {start} ({zone}): {what} {reason}",
        start=dates.moment(withheld.event.start),
        zone=zone,
        what=what(withheld.event, words),
        reason=reason,
    )


def _numbers(withheld: Withheld) -> dict[str, object]:
    return {} if withheld.reason in ("mark", "silence", "chance") else {"had": withheld.had, "wanted": withheld.wanted}


def mechanism_of(text: str) -> Mechanism:
    """A mechanism by what the store calls it."""
    return Mechanism(text) if text in Mechanism._value2member_map_ else Mechanism.UNKNOWN


def _clock_of(event: Event, words: Words) -> tuple[Dates, str]:
    """The clock that an event is told by, which is that of its hours, and what it is called."""
    zone, name = zone_of_country(event.country)
    return Dates(words, zone), name


def _length(length: timedelta, words: Words) -> str:
    hours = round(length.total_seconds() / 3600)
    if hours < 48:
        return words.say_n("{n} hour", "{n} hours", max(hours, 1))
    return words.say_n("{n} day", "{n} days", round(hours / 24))

"""What there is to see of a gateway, in sentences: the same on its page and in a terminal."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from rozaneh.core import Element, Spec
from rozaneh.gateway.desk import Look
from rozaneh.gateway.events import Fetched, Prepared
from rozaneh.gateway.state import Snapshot, WayInUse
from rozaneh.words import Said, Words, mark
from rozaneh.words.dates import Dates

__all__ = ["Blocked", "Used", "blocked", "coming", "fetched", "headline", "held", "preparation", "used"]

_MOST_WAYS = 6
_NOT_OF_THE_NETWORK = {"", "local", "rule", "paused", "datagrams"}
_CUTTING = {"decoy", "disorder", "split", "tlsfrag"}
_SEEN = {
    "dns_forgery": mark("Names are answered falsely here."),
    "dns_silence": mark("Nobody answers for some names here."),
    "tls_name_reset": mark("Connections are broken off as soon as a blocked name is seen."),
    "tls_name_silence": mark("Nothing comes back as soon as a blocked name is seen."),
    "tls_interception": mark("Somebody else answers in the place of a site."),
    "http_block_page": mark("A page of the censor is shown in the place of a site."),
    "http_reset": mark("Requests for blocked pages are broken off."),
    "http_silence": mark("Nothing comes back to requests for blocked pages."),
    "address_black_hole": mark("Packets to some addresses vanish, or these are down."),
    "address_refused": mark("Connections to some addresses are refused, by themselves or by somebody on the way."),
    "protocol_filter": mark("Some kinds of traffic are stopped here."),
    "stall": mark("Answers begin and do not go on."),
    "throttling": mark("Some sites are slowed down here."),
    "resolvers_silent": mark("No resolver can be asked in secret, so some blocked names were not asked for at all."),
    "service_refusal": mark("Some services themselves turn away visitors from this country."),
    "rule_abroad": mark("A rule of yours lets some places go only through a server abroad."),
    "whole_outage": mark("Nothing answered: this network seemed to be cut off altogether."),
    "domestic_only": mark("Nothing abroad answered: only the domestic network seemed to be left."),
    "site_down": mark("Some sites seem to be down for everybody."),
    "captive_portal": mark("This network wants you to log in first."),
}
_UNKNOWN = mark("Some places could not be reached; why is not known.")


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A way that connections went.

    Attributes:
        sentence: what it is.
        line: how often and how well.
        text: the way itself; empty for the direct one.
    """

    sentence: Said
    line: Said
    text: str


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was in the way.

    Attributes:
        sentence: what it is.
        since: when it was seen first.
        passed: how often it was passed, and how often not.
    """

    sentence: Said
    since: Said
    passed: Said


def headline(look: Look, words: Words) -> tuple[str, Said]:
    """Whether it works, in one sentence, and whether that is good."""
    say, state = words.say, look.state
    if look.paused:
        return "still", say("Paused: nothing goes through Rozaneh until you resume.")
    if state.outage == "whole_outage":
        return "bad", say("Nothing answers: this network seems to be cut off altogether.")
    if state.outage == "domestic_only":
        return "bad", say("Nothing abroad answers: only the domestic network seems to be left.")
    moved = (state.up_last_minute + state.down_last_minute) / 1e6
    if moved >= 0.05:
        return "good", say("Connected: {moved:.1f} MB moved in the last minute.", moved=moved)
    if state.open:
        return "good", words.say_n(
            "Connected: {n} connection is open.", "Connected: {n} connections are open.", state.open
        )
    if not state.ways:
        return "still", say("Ready. No program has used it yet.")
    if state.ways[0].obstacle not in _NOT_OF_THE_NETWORK and not state.ways[0].way:
        return "bad", say("The last connection found no way.")
    return "good", say("It works. No connection is open now.")


def used(ways: Sequence[WayInUse], words: Words, dates: Dates) -> list[Used]:
    """Through what connections went, the latest first; each way once."""
    first: dict[str, WayInUse] = {}
    for each in ways:
        if each.way:
            first.setdefault(each.way, each)
    return [
        Used(
            sentence=_way(name, words),
            line=words.say_n(
                "{n} connection, the last at {time}; it answers within {took:.1f}\u00a0s.",
                "{n} connections, the last at {time}; it answers within {took:.1f}\u00a0s.",
                sum(each.connections for each in ways if each.way == name),
                time=dates.clock(last.last.timetz()),
                took=last.typical_seconds,
            ),
            text=_worth_showing(name),
        )
        for name, last in list(first.items())[:_MOST_WAYS]
    ]


def _server(elements: tuple[Element, ...]) -> Element | None:
    return next((each for each in elements if each.is_url or each.name in ("tor", "exec", "plugin")), None)


def _worth_showing(name: str) -> str:
    """The way itself where its sentence does not hold all of it."""
    elements = Spec.parse(name).elements
    return name if len(elements) > 1 + (_server(elements) is not None) else ""


def _way(name: str, words: Words) -> Said:
    elements = Spec.parse(name).elements
    server = _server(elements)
    if server is not None:
        return words.say("Through your server {server}.", server=server.redacted())
    if any(each.name in _CUTTING for each in elements):
        return words.say("By cutting the first packet so that the filter does not see the name.")
    if len(elements) > 1:
        return words.say("By asking a resolver that answers truthfully.")
    return words.say("Directly, where nothing is in the way.")


def blocked(state: Snapshot, words: Words, dates: Dates) -> list[Blocked]:
    """What was in the way, the latest first, and whether it was passed."""
    by_obstacle: dict[str, list[WayInUse]] = {}
    for each in state.ways:
        if each.obstacle not in _NOT_OF_THE_NETWORK:
            by_obstacle.setdefault(each.obstacle, []).append(each)
    return [
        Blocked(
            sentence=words.say(_SEEN.get(obstacle, _UNKNOWN)),
            since=_since(min(each.since for each in met), state.now, words, dates),
            passed=_passed(met, words),
        )
        for obstacle, met in by_obstacle.items()
    ]


def _passed(met: Sequence[WayInUse], words: Words) -> Said:
    passed = sum(each.connections for each in met if each.way)
    lost = sum(each.connections for each in met if not each.way)
    if not lost:
        return words.say("Connections past it: {passed}.", passed=passed)
    return words.say("Connections past it: {passed}. Without a way: {lost}.", passed=passed, lost=lost)


def _since(moment: datetime, now: datetime, words: Words, dates: Dates) -> Said:
    if moment.date() == now.date():
        return words.say("Seen since {time} today.", time=dates.clock(moment.timetz()))
    return words.say("Seen since {moment}.", moment=dates.moment(moment))


def coming(look: Look, words: Words, dates: Dates) -> list[Said]:
    """What is expected of the line, and how sure that is."""
    curfew, now = look.curfew, look.state.now
    say = words.say
    waits = [held(look.held, words)] if look.held else []
    if curfew is None:
        return [
            say(
                "Not known. A cut that comes at the same hour on three days is recognised, and told here from then on."
            ),
            *waits,
        ]
    hours = {"start": dates.clock(curfew.start.timetz()), "end": _ends(curfew.end, dates)}
    if curfew.start <= now:
        first = say("At this hour the line abroad is usually cut here, until about {end}.", **hours)
    else:
        first = say("The line abroad is usually cut here from {start} to {end}.", **hours)
    usual = say("That is usual, not certain: it was so on {days} of {of} days.", days=curfew.days, of=curfew.of)
    done = look.prepared
    prepared = _prepared(done, words) if done is not None and done.start == curfew.start else ()
    return [first, usual, *prepared, *waits]


def held(count: int, words: Words) -> Said:
    """What waits for the line to be there."""
    return words.say_n(
        "{n} entry to be kept waits until the line abroad is there.",
        "{n} entries to be kept wait until the line abroad is there.",
        count,
    )


def fetched(event: Fetched, words: Words) -> list[Said]:
    """What was fetched of that, in sentences."""
    lines = [words.say("Fetched to be kept: {kept} entries, {size:.1f} MB.", kept=event.kept, size=event.size / 1e6)]
    if event.missed:
        lines.append(words.say("Not to be had: {missed}.", missed=event.missed))
    return lines


def _ends(moment: datetime, dates: Dates) -> Said:
    """The hour at which something ends: midnight belongs to the day before, as people say it."""
    return dates.hour(24) if (moment.hour, moment.minute) == (0, 0) else dates.clock(moment.timetz())


def _prepared(done: Prepared, words: Words) -> list[Said]:
    lines = (
        [words.say("Before it {ways} of your {of} servers answered.", ways=done.ways, of=done.of)] if done.of else []
    )
    if done.kept or done.missed:
        megabytes = done.size / 1e6
        lines.append(
            words.say("Fetched for it: {kept} entries of your list, {size:.1f} MB.", kept=done.kept, size=megabytes)
        )
    if done.missed:
        lines.append(words.say("Not to be had yet: {missed}. They are tried again after it.", missed=done.missed))
    return lines


def preparation(done: Prepared, words: Words, dates: Dates) -> list[Said]:
    """What was done for a cut, in sentences."""
    hours = {"start": dates.clock(done.start.timetz()), "end": _ends(done.end, dates)}
    return [words.say("The line abroad is usually cut here from {start} to {end}.", **hours), *_prepared(done, words)]

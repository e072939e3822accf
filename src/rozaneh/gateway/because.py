"""Why a destination is reached as it is, in sentences for a person: what was tried, what was seen, on what it rests."""

import datetime as dt
from collections.abc import Iterator, Mapping

from rozaneh.core import Failure, Op
from rozaneh.finder import Why
from rozaneh.finder.search import RESOLVERS_SILENT
from rozaneh.finder.table import Level
from rozaneh.finder.why import Evidence, TriedWay
from rozaneh.gateway.sentences import what_is_wrong
from rozaneh.words import Words, mark
from rozaneh.words.dates import Dates

__all__ = ["because"]

_RESTS_ON: Mapping[str, str] = {
    Level.WORKS: mark("Why this way: it was seen to get past that in {country}, last on {day}. Source: {source}"),
    Level.MIXED: mark(
        "Why this way: in {country} it was seen to get past that on some networks and not on others, last on {day}."
        " Source: {source}"
    ),
    Level.REASONED: mark(
        "Why this way: it should get past that, by how the obstacle works; nobody has shown it in {country} lately"
        " (written on {day}). Source: {source}"
    ),
}
_COUNTRIES = {"CN": mark("China"), "IR": mark("Iran"), "KZ": mark("Kazakhstan"), "RU": mark("Russia")}
_SILENCE = mark("nothing came back")
_BROKEN = mark("it was broken off")
_FORGED = mark("the answer to its name was false")
_NO_ANSWER = mark("its name could not be looked up")
_UNREACHABLE = mark("the network said that there is no way there")
_CERTIFICATE = mark("the certificate was not the site's")
_PAGE = mark("the answer was not what was asked for")
_FAILED: Mapping[str, str] = {
    Failure.GENERIC_TIMEOUT_ERROR: _SILENCE,
    **dict.fromkeys(
        (
            Failure.CONNECTION_RESET,
            Failure.CONNECTION_ABORTED,
            Failure.CONNECTION_ALREADY_CLOSED,
            Failure.EOF_ERROR,
            Failure.NETWORK_RESET,
        ),
        _BROKEN,
    ),
    Failure.CONNECTION_REFUSED: mark("it was refused"),
    Failure.DNS_BOGON_ERROR: _FORGED,
    Failure.DNS_NXDOMAIN_ERROR: mark("the answer was that there is no such name"),
    **dict.fromkeys(
        (
            Failure.ANDROID_DNS_CACHE_NO_DATA,
            Failure.DNS_NO_ANSWER,
            Failure.DNS_NON_RECOVERABLE_FAILURE,
            Failure.DNS_REFUSED_ERROR,
            Failure.DNS_REPLY_WITH_WRONG_QUERY_ID,
            Failure.DNS_SERVER_MISBEHAVING,
            Failure.DNS_SERVFAIL_ERROR,
            Failure.DNS_TEMPORARY_FAILURE,
        ),
        _NO_ANSWER,
    ),
    **dict.fromkeys((Failure.HOST_UNREACHABLE, Failure.NETWORK_UNREACHABLE, Failure.NETWORK_DOWN), _UNREACHABLE),
    **dict.fromkeys(
        (Failure.SSL_INVALID_CERTIFICATE, Failure.SSL_INVALID_HOSTNAME, Failure.SSL_UNKNOWN_AUTHORITY), _CERTIFICATE
    ),
    **dict.fromkeys((Failure.SSL_FAILED_HANDSHAKE, Failure.QUIC_INCOMPATIBLE_VERSION), mark("the handshake failed")),
    **dict.fromkeys(
        (
            Failure.HTTP_INVALID_REDIRECT_LOCATION_HOST,
            Failure.HTTP_REQUEST_FAILED,
            Failure.HTTP_UNEXPECTED_REDIRECT_URL,
            Failure.HTTP_UNEXPECTED_STATUS_CODE,
            Failure.JSON_PARSE_ERROR,
        ),
        _PAGE,
    ),
    Failure.UNKNOWN_FAILURE: mark("it failed"),
}
_STEPS: Mapping[str, str] = {
    Op.RESOLVE: mark("when its name was looked up"),
    Op.CONNECT: mark("when connecting"),
    Op.PROXY: mark("at the server of yours"),
    Op.TLS: mark("in the TLS handshake"),
    Op.QUIC: mark("in the QUIC handshake"),
    Op.REQUEST: mark("when asking"),
    Op.FIRST_BYTE: mark("after asking"),
    Op.THROUGHPUT: mark("in the middle of the answer"),
    Op.CLOSE: mark("at the end"),
}


def because(why: Why, words: Words) -> Iterator[str]:
    """What is known of one destination, one fact a line."""
    yield _outcome(why, words)
    yield from _reasons(why, words)
    for tried in why.tried:
        yield from _tried(tried, words)


def _outcome(why: Why, words: Words) -> str:
    place = f"{why.host}:{why.port}"
    if why.way and why.obstacle:
        text = mark("{place} is reached by {way}. Without that: {reason}.")
    elif why.way:
        text = mark("{place} is reached directly: nothing was seen in the way.")
    elif why.refusal or why.obstacle:
        text = mark("No way to {place} was found: {reason}.")
    else:
        text = mark("Nothing is settled yet about {place}.")
    return words.say(text, place=place, way=why.way, reason=what_is_wrong(why.refusal or why.obstacle, words))


def _reasons(why: Why, words: Words) -> Iterator[str]:
    if why.needs_upstream:
        yield words.say("A server abroad may help. To add one: rozaneh ways add --file -")
    if why.refusal == RESOLVERS_SILENT:
        yield words.say(
            "Others would see the name if it were asked for in the clear. To allow that: rozaneh up --allow-clear-dns"
        )
    if why.evidence is not None:
        yield from _evidence(why.evidence, words)
    if why.verified_again_in:
        yield words.say("The obstacle is looked at anew in {minutes:.0f} minutes.", minutes=why.verified_again_in / 60)


def _evidence(evidence: Evidence, words: Words) -> Iterator[str]:
    country = _COUNTRIES.get(evidence.place)
    rests_on = _RESTS_ON.get(evidence.level)
    if rests_on is not None:
        yield words.say(
            rests_on,
            country=words.say(country) if country else evidence.place,
            day=Dates(words, dt.UTC).day(evidence.seen),
            source=evidence.source,
        )
    if evidence.expired:
        yield words.say("That evidence is too old to count for more than a guess.")
    yield words.say(
        "Here, around this hour, it worked {good:.1f} times and failed {bad:.1f} times, faded with age.",
        good=evidence.worked_here,
        bad=evidence.failed_here,
    )


def _tried(tried: TriedWay, words: Words) -> Iterator[str]:
    took = tried.seconds
    if not tried.failure:
        yield words.say("tried {way}: an answer came after {took:.2f} s", way=tried.way, took=took)
    elif tried.failure == Failure.INTERRUPTED:
        yield words.say(
            "tried {way}: given up after {took:.2f} s, for another way or because it could bring nothing new",
            way=tried.way,
            took=took,
        )
    else:
        what = words.say(_FAILED.get(tried.failure, _FAILED[Failure.UNKNOWN_FAILURE]))
        when = _STEPS.get(tried.step)
        if when is not None:
            step = words.say(when)
            yield words.say(
                "tried {way}: {what} {step}, after {took:.2f} s", way=tried.way, what=what, step=step, took=took
            )
        else:
            yield words.say("tried {way}: {what}, after {took:.2f} s", way=tried.way, what=what, took=took)
    if tried.suggests:
        likely = max(tried.suggests, key=lambda name: tried.suggests[name])
        yield words.say("that suggests: {reason}", reason=what_is_wrong(likely, words))

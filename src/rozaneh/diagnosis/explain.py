"""What a verdict, a mechanism or a rule means for a person, and what to do about it: ``rozaneh explain``."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from rozaneh.core import LocalFault
from rozaneh.diagnosis.layers import layer_rules
from rozaneh.diagnosis.rules import Rule, rules
from rozaneh.diagnosis.sentences import HOW, STATE
from rozaneh.diagnosis.verdict import Mechanism, Outcome
from rozaneh.words import later, mark

_GATEWAY = mark(
    "Start the gateway with 'rozaneh up': it takes what stands in the way as its hint and looks for a way through."
)
_WAIT = mark("Wait, and check again later. No trick on your side helps.")
_AGAIN = mark("Check again later, and from another network if you can.")
_NOTHING = mark("Nothing has to be done.")
_ENCRYPTED = mark(
    "An encrypted resolver is enough here, if nothing else is in the way; 'rozaneh up' uses one by itself."
)


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said about one word of a verdict.

    Attributes:
        name: the word, as JSON has it; for a rule its id.
        kind: ``verdict``, ``mechanism`` or ``rule``.
        title: it in plain words.
        means: what it means.
        todo: what to do.
        rule: the rule itself, where one was asked for.
    """

    name: str
    kind: str
    title: str
    means: str
    todo: str
    rule: Rule | None = None


_O, _M = Outcome, Mechanism

_VERDICTS: Mapping[Outcome, tuple[str, str]] = MappingProxyType(
    {
        _O.OK: (
            mark("Every place that the service needs answered, the way the programs of this machine reach it."),
            _NOTHING,
        ),
        _O.BLOCKED: (
            mark(
                "Somebody on the path keeps you from it; how is said by the mechanism. It works "
                "elsewhere, or under another name."
            ),
            _GATEWAY,
        ),
        _O.THROTTLED: (
            mark("It opens, but the same server sends much slower under this name than under a harmless one."),
            _GATEWAY,
        ),
        _O.REFUSED: (
            mark(
                "The service's own server, with its own certificate, turns visitors from here away: "
                "sanctions, or its own choice."
            ),
            mark(
                "Only an exit in another country helps: a friend's server, or another way whose far end stands abroad."
            ),
        ),
        _O.DOWN: (mark("A vantage elsewhere sees the same failure: it works for nobody at the moment."), _WAIT),
        _O.OUTAGE: (
            mark("Nothing answers, neither here in the country nor abroad, or no name can be looked up at all."),
            mark("Look at your own line first: cable, Wi-Fi, credit, router. Then ask neighbours, and check again."),
        ),
        _O.DOMESTIC_ONLY: (
            mark(
                "Domestic places answer, and nothing abroad does, not even by its address: the "
                "country's network is cut off."
            ),
            mark(
                "Domestic services go on. Ways with a hop inside the country may work: 'rozaneh up' "
                "tries them. Else wait."
            ),
        ),
        _O.CAPTIVE_PORTAL: (
            mark("This network answers everything with its own login page, as in hotels and trains."),
            mark("Open any page in a browser, log in, and check again."),
        ),
        _O.CANNOT_TELL: (
            mark(
                "It did not work, and the evidence fits more than one cause. What was missing stands "
                "in the JSON output."
            ),
            _AGAIN,
        ),
    }
)

_MECHANISMS: Mapping[Mechanism, tuple[str, str]] = MappingProxyType(
    {
        _M.NONE: (mark("No obstacle was seen."), _NOTHING),
        _M.DNS_FORGERY: (
            mark("Who asks for the name's address is told a false one, or that there is no such name."),
            _ENCRYPTED,
        ),
        _M.DNS_SILENCE: (mark("Questions for the name's address are swallowed."), _ENCRYPTED),
        _M.TLS_NAME_RESET: (
            mark(
                "Each secure connection begins with the server's name in the clear; here that name makes "
                "a box on the path cut it."
            ),
            _GATEWAY,
        ),
        _M.TLS_NAME_SILENCE: (
            mark(
                "Each secure connection begins with the server's name in the clear; here everything after "
                "that name is swallowed."
            ),
            _GATEWAY,
        ),
        _M.TLS_INTERCEPTION: (
            mark("Somebody answers in the server's place, with a certificate that is not its own."),
            mark("Do not log in and do not click the warning away. Use a way through whose far end is elsewhere."),
        ),
        _M.HTTP_BLOCK_PAGE: (
            mark("A page of the filter is shown in the place of the site."),
            mark("Use https where the site has it; else 'rozaneh up'."),
        ),
        _M.HTTP_RESET: (
            mark("The connection is cut after the site's name in the request."),
            mark("Use https where the site has it; else 'rozaneh up'."),
        ),
        _M.HTTP_SILENCE: (
            mark("Nothing comes back after the site's name in the request."),
            mark("Use https where the site has it; else 'rozaneh up'."),
        ),
        _M.ADDRESS_BLACK_HOLE: (
            mark("Whatever is sent to the server's address is thrown away, under any name."),
            mark(
                "No trick with names helps: it takes another server in between, such as a friend's. "
                "'rozaneh up' uses those it is given."
            ),
        ),
        _M.ADDRESS_REFUSED: (
            mark("Connections to the server's address are turned away by somebody who is not the server."),
            mark(
                "No trick with names helps: it takes another server in between, such as a friend's. "
                "'rozaneh up' uses those it is given."
            ),
        ),
        _M.THROTTLING: (
            mark("The same server is slow under this name and fast under another, again and again."),
            _GATEWAY,
        ),
        _M.SERVICE_REFUSAL: (
            mark("The server itself says no, and says it to visitors from here alone. The filter has no part in it."),
            mark(
                "Only an exit in another country helps: a friend's server, or another way whose far end stands abroad."
            ),
        ),
        _M.QUIC_SILENCE: (
            mark("QUIC, the newer carrier of web pages over UDP, gets no answer; the older one over TCP may work."),
            mark("Browsers fall back by themselves. Where one hangs, turn QUIC (HTTP/3) off in its settings."),
        ),
        _M.WHOLE_OUTAGE: (
            mark("Nothing at all answers on this network."),
            mark("Look at your own line first: cable, Wi-Fi, credit, router. Then ask neighbours, and check again."),
        ),
        _M.DOMESTIC_ONLY: (
            mark("Only what stands inside the country answers."),
            mark(
                "Domestic services go on. Ways with a hop inside the country may work: 'rozaneh up' tries "
                "them. Else wait."
            ),
        ),
        _M.PROTOCOL_FILTER: (
            mark("This kind of traffic is not let through, whatever name or address it is for."),
            mark(
                "It takes a way that looks like permitted traffic, such as ordinary web pages; 'rozaneh "
                "up' tries such ways."
            ),
        ),
        _M.SITE_DOWN: (mark("The site fails for everybody, or its certificate is wrong for everybody."), _WAIT),
        _M.CAPTIVE_PORTAL: (
            mark("A login page stands before everything."),
            mark("Open any page in a browser, log in, and check again."),
        ),
        _M.UNKNOWN: (mark("Something is in the way, and what was seen does not tell what."), _AGAIN),
    }
)


def names() -> tuple[str, ...]:
    """Every word that can be explained."""
    return (
        *(o.value for o in Outcome),
        *(m.value for m in Mechanism),
        *(rule.id for rule in (*rules(), *layer_rules())),
    )


def explain(name: str) -> tuple[Explanation, ...]:
    """What a word of a verdict means; two explanations where it is both a verdict and a mechanism.

    Raises:
        LocalFault: there is no such word; the line names those that are spelt most alike.
    """
    word = name.strip().casefold().replace(" ", "_")
    found = [_verdict(each) for each in Outcome if each.value == word]
    found += [_mechanism(each) for each in Mechanism if each.value == word]
    found += [_rule(each) for each in (*rules(), *layer_rules()) if each.id == name.strip().casefold()]
    if not found:
        alike = difflib.get_close_matches(word, names(), n=3, cutoff=0.4)
        if alike:
            near = ", ".join(alike)
            raise LocalFault(later("nothing is called {name!r}; did you mean {near}?", name=name[:60], near=near))
        raise LocalFault(later("nothing is called {name!r}; 'rozaneh explain' lists what there is", name=name[:60]))
    return tuple(found)


def _verdict(outcome: Outcome) -> Explanation:
    means, todo = _VERDICTS[outcome]
    return Explanation(name=outcome.value, kind="verdict", title=STATE[outcome], means=means, todo=todo)


def _mechanism(mechanism: Mechanism) -> Explanation:
    means, todo = _MECHANISMS[mechanism]
    return Explanation(name=mechanism.value, kind="mechanism", title=HOW[mechanism], means=means, todo=todo)


def _rule(rule: Rule) -> Explanation:
    todo = _MECHANISMS[rule.mechanism][1] if rule.verdict is not Outcome.CANNOT_TELL else _AGAIN
    return Explanation(name=rule.id, kind="rule", title=HOW[rule.mechanism], means=rule.because, todo=todo, rule=rule)

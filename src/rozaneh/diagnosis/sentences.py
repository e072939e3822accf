"""The sentence that a person reads, for each verdict: the same in the command line, on pages and in logs."""

from types import MappingProxyType

from rozaneh.diagnosis.verdict import Layer, Mechanism, Outcome, Verdict, Who
from rozaneh.words import mark

_O, _M = Outcome, Mechanism

SENTENCES = MappingProxyType(
    {
        (_O.OK, _M.NONE): mark("{service} works here."),
        (_O.OK, _M.DNS_FORGERY): mark(
            "{service} opens here, but its name is answered falsely: you are led to a restricted variant of it."
        ),
        (_O.BLOCKED, _M.DNS_FORGERY): mark("{service} is blocked on this network: its name is answered falsely."),
        (_O.BLOCKED, _M.DNS_SILENCE): mark(
            "{service} is blocked on this network: questions for its name go unanswered."
        ),
        (_O.BLOCKED, _M.TLS_NAME_RESET): mark(
            "{service} is blocked on this network: connections are cut as soon as its name appears."
        ),
        (_O.BLOCKED, _M.TLS_NAME_SILENCE): mark(
            "{service} is blocked on this network: nothing comes back once its name appears."
        ),
        (_O.BLOCKED, _M.TLS_INTERCEPTION): mark(
            "Do not log in: somebody on this network answers in the place of {service}."
        ),
        (_O.BLOCKED, _M.HTTP_BLOCK_PAGE): mark(
            "{service} is blocked on this network: a block page is shown in its place."
        ),
        (_O.BLOCKED, _M.HTTP_RESET): mark("{service} is blocked on this network: requests for it are cut off."),
        (_O.BLOCKED, _M.HTTP_SILENCE): mark("{service} is blocked on this network: requests for it go unanswered."),
        (_O.BLOCKED, _M.ADDRESS_BLACK_HOLE): mark(
            "{service} is blocked on this network: nothing sent to its address arrives."
        ),
        (_O.BLOCKED, _M.ADDRESS_REFUSED): mark(
            "{service} is blocked on this network: connections to its address are turned away."
        ),
        (_O.BLOCKED, _M.PROTOCOL_FILTER): mark(
            "{service} is blocked on this network: this kind of traffic is not let through."
        ),
        (_O.BLOCKED, _M.QUIC_SILENCE): mark("{service} is blocked on this network over QUIC; other ways may work."),
        (_O.THROTTLED, _M.THROTTLING): mark("{service} is slowed down on purpose on this network."),
        (_O.REFUSED, _M.SERVICE_REFUSAL): mark(
            "{service} itself refuses visitors from this country. This is not the filter."
        ),
        (_O.DOWN, _M.SITE_DOWN): mark("{service} does not work for anybody at the moment. This is not the filter."),
        (_O.OUTAGE, _M.WHOLE_OUTAGE): mark(
            "{service} cannot be reached: nothing works on this network, not even domestic services."
        ),
        (_O.OUTAGE, _M.DNS_SILENCE): mark(
            "{service} cannot be found: this network looks up no names at all, although addresses can be reached."
            " 'rozaneh up' looks them up in another way."
        ),
        (_O.DOMESTIC_ONLY, _M.DOMESTIC_ONLY): mark(
            "Only the domestic network works here: {service} is cut off together with everything abroad."
        ),
        (_O.CAPTIVE_PORTAL, _M.CAPTIVE_PORTAL): mark(
            "{service} cannot be reached yet: this network wants you to log in first. Open any page in a browser."
        ),
        (_O.CANNOT_TELL, _M.UNKNOWN): mark("{service} does not work here. Not enough measurements to say why."),
    }
)
"""What to say, by verdict and mechanism. ``{service}`` is the name of the service, or the URL that was given."""

CLOCK = mark(
    "The clock of this device seems to be wrong, so that no certificate can be checked. Set it, then check again."
)
DIFFERS = mark(
    "A page comes for {service}, but not the one that is seen elsewhere. It may be a block page: look at it."
)
UNPAIRED = mark(
    "{service} does not open here: secure connections to it fail here and succeed elsewhere. The filter may do that, or"
    " the service itself."
)
UNTRIED = mark("Not enough measurements to say anything about {service}.")

SURE = MappingProxyType(
    {
        "certain": mark("certain"),
        "likely": mark("likely"),
        "possible": mark("possible"),
        "unsure": mark("unsure"),
    }
)
"""How sure, in a word."""


HOW = MappingProxyType(
    {
        _M.NONE: mark("no obstacle"),
        _M.DNS_FORGERY: mark("false answer to the name"),
        _M.DNS_SILENCE: mark("no answer to the name"),
        _M.TLS_NAME_RESET: mark("reset after the name in the TLS handshake"),
        _M.TLS_NAME_SILENCE: mark("silence after the name in the TLS handshake"),
        _M.TLS_INTERCEPTION: mark("somebody else answers TLS"),
        _M.HTTP_BLOCK_PAGE: mark("block page"),
        _M.HTTP_RESET: mark("reset after the request"),
        _M.HTTP_SILENCE: mark("silence after the request"),
        _M.ADDRESS_BLACK_HOLE: mark("the address is a black hole"),
        _M.ADDRESS_REFUSED: mark("connections to the address are refused"),
        _M.THROTTLING: mark("slowed down"),
        _M.SERVICE_REFUSAL: mark("refusal by the service"),
        _M.QUIC_SILENCE: mark("no answer to QUIC"),
        _M.WHOLE_OUTAGE: mark("whole outage"),
        _M.DOMESTIC_ONLY: mark("domestic network only"),
        _M.PROTOCOL_FILTER: mark("this kind of traffic is filtered"),
        _M.SITE_DOWN: mark("down"),
        _M.CAPTIVE_PORTAL: mark("login page"),
        _M.UNKNOWN: mark("unknown"),
    }
)
"""Each mechanism in a few words, for tables."""

STATE = MappingProxyType(
    {
        _O.OK: mark("works"),
        _O.BLOCKED: mark("blocked"),
        _O.THROTTLED: mark("slowed down"),
        _O.REFUSED: mark("refused"),
        _O.DOWN: mark("down"),
        _O.OUTAGE: mark("no network"),
        _O.DOMESTIC_ONLY: mark("cut off"),
        _O.CAPTIVE_PORTAL: mark("login needed"),
        _O.CANNOT_TELL: mark("not known"),
    }
)
"""Each outcome in a word or two, for tables."""

BY = MappingProxyType(
    {
        Who.NOBODY: mark("nobody"),
        Who.STATE: mark("the state or the network"),
        Who.SERVICE: mark("the service itself"),
        Who.NETWORK: mark("this network"),
        Who.DEVICE: mark("this device"),
        Who.UNKNOWN: mark("not known"),
    }
)
"""Who does it, in words."""


LEVEL = MappingProxyType(
    {
        "signature": mark("a known page or address"),
        "paired": mark("two attempts that differ in one thing"),
        "controlled": mark("a control elsewhere"),
        "single": mark("what the attempt itself shows"),
    }
)
"""What a rule rests on, in words."""


def sentence(verdict: Verdict) -> str:
    """The English sentence for a verdict, to be given to ``Words.say`` with ``service``."""
    if "device-clock" in verdict.rules:
        return CLOCK
    if verdict.rules[:1] == ("page-differs-plain",):
        return DIFFERS
    if verdict.verdict is Outcome.BLOCKED and verdict.who is Who.UNKNOWN and verdict.where is Layer.TLS:
        return UNPAIRED
    if verdict.verdict is Outcome.CANNOT_TELL and "attempt" in verdict.missing:
        return UNTRIED
    return SENTENCES.get((verdict.verdict, verdict.mechanism), SENTENCES[Outcome.CANNOT_TELL, Mechanism.UNKNOWN])

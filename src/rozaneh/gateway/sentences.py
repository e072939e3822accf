"""Why there is no connection, in a sentence for a person."""

from rozaneh.finder.refusal import Refusal
from rozaneh.words import Words, mark

_OBSTACLES = {
    "dns_forgery": mark("its name is answered falsely here"),
    "dns_silence": mark("nobody answers for its name here"),
    "tls_name_reset": mark("connections are broken off as soon as its name is seen"),
    "tls_name_silence": mark("nothing comes back as soon as its name is seen"),
    "tls_interception": mark("somebody else answers in its place"),
    "http_block_page": mark("a page of the censor is shown in its place"),
    "http_reset": mark("requests for it are broken off"),
    "http_silence": mark("nothing comes back to requests for it"),
    "address_black_hole": mark("packets to its address vanish, or it is down"),
    "address_refused": mark("connections to its address are refused, by itself or by somebody on the way"),
    "protocol_filter": mark("this kind of traffic is stopped here"),
    "stall": mark("answers to it begin and do not go on"),
    "throttling": mark("it is slowed down here"),
    "resolvers_silent": mark("no resolver can be asked for it in secret here, and in the clear its name is not shown"),
    "rule": mark("a rule of yours refuses it"),
    "rule_abroad": mark("a rule of yours lets it go only through a server abroad"),
    "service_refusal": mark("the service itself turns away visitors from this country"),
    "whole_outage": mark("nothing answers: this network seems to be cut off altogether"),
    "domestic_only": mark("nothing abroad answers: only the domestic network seems to be left"),
    "site_down": mark("it seems to be down for everybody"),
    "captive_portal": mark("this network wants you to log in first"),
}
_UNKNOWN = mark("no way led to it")


def what_is_wrong(obstacle: str, words: Words) -> str:
    """What is in the way of a target, as part of a sentence."""
    text: str = words.say(_OBSTACLES.get(obstacle, _UNKNOWN))
    return text


def why_not(refusal: Refusal, words: Words) -> str:
    """One line: why there is no connection, and what would help."""
    text: str = words.say("No connection: {why}.", why=what_is_wrong(refusal.obstacle, words))
    if refusal.needs_upstream:
        text = f"{text} {words.say('A server abroad may help: rozaneh up --way ss://…')}"
    return text

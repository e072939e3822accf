"""What a verdict can say. The strings are an interface: they stand in JSON output and in tables."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What a person wants to know first."""

    OK = "ok"
    BLOCKED = "blocked"
    """Somebody on the path keeps the user from it."""
    THROTTLED = "throttled"
    REFUSED = "refused"
    """The service itself turns the user away, because of sanctions or where the user is."""
    DOWN = "down"
    """It works for nobody."""
    OUTAGE = "outage"
    """Nothing works here, domestic services neither."""
    DOMESTIC_ONLY = "domestic_only"
    """What is abroad is cut off; domestic services work."""
    CAPTIVE_PORTAL = "captive_portal"
    """This network wants a login before it lets anything through."""
    CANNOT_TELL = "cannot_tell"


class Mechanism(StrEnum):
    """How it is done."""

    NONE = "none"
    DNS_FORGERY = "dns_forgery"
    """A false answer to the name, or a false "no such name"."""
    DNS_SILENCE = "dns_silence"
    TLS_NAME_RESET = "tls_name_reset"
    """The connection is reset after the name in the ClientHello."""
    TLS_NAME_SILENCE = "tls_name_silence"
    """Nothing comes back after the name in the ClientHello."""
    TLS_INTERCEPTION = "tls_interception"
    """Somebody else answers TLS in the place of the server."""
    HTTP_BLOCK_PAGE = "http_block_page"
    HTTP_RESET = "http_reset"
    HTTP_SILENCE = "http_silence"
    ADDRESS_BLACK_HOLE = "address_black_hole"
    """Packets to the address vanish."""
    ADDRESS_REFUSED = "address_refused"
    """Connections to the address are refused by somebody who is not the server."""
    THROTTLING = "throttling"
    SERVICE_REFUSAL = "service_refusal"
    QUIC_SILENCE = "quic_silence"
    WHOLE_OUTAGE = "whole_outage"
    DOMESTIC_ONLY = "domestic_only"
    PROTOCOL_FILTER = "protocol_filter"
    """The kind of traffic is stopped, whatever name or address it is for."""
    SITE_DOWN = "site_down"
    CAPTIVE_PORTAL = "captive_portal"
    UNKNOWN = "unknown"


class Layer(StrEnum):
    """In which step it happens."""

    NOWHERE = "nowhere"
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    QUIC = "quic"
    UDP = "udp"
    HTTP = "http"
    NETWORK = "network"
    """The whole network, not this target."""


class Who(StrEnum):
    """Who does it."""

    NOBODY = "nobody"
    STATE = "state"
    """The state, or the network on its behalf: from one place the two cannot be told apart."""
    SERVICE = "service"
    NETWORK = "network"
    """The network itself, by a fault or a login page."""
    DEVICE = "device"
    """The user's own machine, for instance its clock."""
    UNKNOWN = "unknown"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says about one target.

    Attributes:
        verdict: what.
        mechanism: how.
        where: in which step; on which hop is not told, because that takes raw sockets.
        who: by whom.
        confidence: 0 to 1; :func:`sureness` puts it in words.
        rules: the ids of the rules that decided, the deciding one first.
        missing: evidence that would have made it surer, by the names of the facts.
        also: further obstacles that were seen behind the one that is named; getting past that one is not enough.
    """

    verdict: Outcome
    mechanism: Mechanism
    where: Layer = Layer.NOWHERE
    who: Who = Who.UNKNOWN
    confidence: float = 0.0
    rules: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    also: tuple[Mechanism, ...] = ()


def sureness(confidence: float) -> str:
    """A confidence in one word: ``certain``, ``likely``, ``possible`` or ``unsure``."""
    steps = ((0.95, "certain"), (0.8, "likely"), (0.55, "possible"))
    return next((word for least, word in steps if confidence >= least), "unsure")

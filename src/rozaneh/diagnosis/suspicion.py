"""What one failed dial suggests, without any control: for a finder that must choose what to try next, now.

A suspicion is no verdict. It may be wrong at the price of one more dial; so it names every mechanism that fits, with a
weight, and never asks whether the site is simply down.
"""

from rozaneh.core import Attempt
from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip
from rozaneh.diagnosis import readings
from rozaneh.diagnosis.signatures import signatures
from rozaneh.diagnosis.verdict import Mechanism

Suspicion = tuple[Mechanism, float]

_M = Mechanism
_BY_READING: dict[str, tuple[Suspicion, ...]] = {
    "resolve.bogon": ((_M.DNS_FORGERY, 1.0),),
    "resolve.nxdomain": ((_M.DNS_FORGERY, 0.8), (_M.SITE_DOWN, 0.2)),
    "resolve.no_answer": ((_M.DNS_FORGERY, 0.7), (_M.SITE_DOWN, 0.3)),
    "resolve.error": ((_M.DNS_FORGERY, 0.6), (_M.DNS_SILENCE, 0.4)),
    "resolve.silence": ((_M.DNS_SILENCE, 0.9), (_M.WHOLE_OUTAGE, 0.1)),
    "resolve.unreachable": ((_M.WHOLE_OUTAGE, 0.8), (_M.DNS_SILENCE, 0.2)),
    "connect.bogon": ((_M.DNS_FORGERY, 1.0),),
    "connect.silence": ((_M.ADDRESS_BLACK_HOLE, 0.7), (_M.DNS_FORGERY, 0.15), (_M.DOMESTIC_ONLY, 0.15)),
    "connect.refused": ((_M.ADDRESS_REFUSED, 0.6), (_M.SITE_DOWN, 0.25), (_M.DNS_FORGERY, 0.15)),
    "connect.reset": ((_M.ADDRESS_REFUSED, 0.8), (_M.DNS_FORGERY, 0.2)),
    "connect.unreachable": ((_M.ADDRESS_REFUSED, 0.5), (_M.ADDRESS_BLACK_HOLE, 0.3), (_M.WHOLE_OUTAGE, 0.2)),
    "tls.reset": ((_M.TLS_NAME_RESET, 0.8), (_M.PROTOCOL_FILTER, 0.1), (_M.SERVICE_REFUSAL, 0.1)),
    "tls.silence": ((_M.TLS_NAME_SILENCE, 0.8), (_M.PROTOCOL_FILTER, 0.2)),
    "tls.certificate": ((_M.DNS_FORGERY, 0.5), (_M.TLS_INTERCEPTION, 0.5)),
    "tls.garbage": ((_M.TLS_INTERCEPTION, 0.6), (_M.TLS_NAME_RESET, 0.3), (_M.DNS_FORGERY, 0.1)),
    "tls.alert": ((_M.SERVICE_REFUSAL, 0.6), (_M.TLS_INTERCEPTION, 0.4)),
    "quic.silence": ((_M.QUIC_SILENCE, 1.0),),
    "quic.reset": ((_M.QUIC_SILENCE, 0.7), (_M.SERVICE_REFUSAL, 0.3)),
    "body.silence": ((_M.THROTTLING, 0.5), (_M.TLS_NAME_SILENCE, 0.5)),
    "body.reset": ((_M.TLS_NAME_RESET, 0.6), (_M.THROTTLING, 0.4)),
}
_AFTER_TLS: dict[str, tuple[Suspicion, ...]] = {
    "answer.reset": ((_M.TLS_NAME_RESET, 0.7), (_M.SERVICE_REFUSAL, 0.3)),
    "answer.silence": ((_M.TLS_NAME_SILENCE, 0.6), (_M.THROTTLING, 0.4)),
}
_IN_THE_CLEAR: dict[str, tuple[Suspicion, ...]] = {
    "answer.reset": ((_M.HTTP_RESET, 0.9), (_M.PROTOCOL_FILTER, 0.1)),
    "answer.silence": ((_M.HTTP_SILENCE, 0.8), (_M.PROTOCOL_FILTER, 0.2)),
}
_REFUSING = (403, 451)


def suspect(attempt: Attempt) -> tuple[Suspicion, ...]:
    """The mechanisms that an attempt suggests, the likeliest first.

    Args:
        attempt: one dial, with what was exchanged on it.

    Returns:
        Pairs of mechanism and weight; the weights sum to 1. Nothing for an attempt that worked and shows no sign of
        interference, or that was interrupted.
    """
    kinds = signatures().page_kinds(attempt)
    forged = _forged(attempt)
    read = reading_of(attempt)
    if forged and read != "ok":
        return ((Mechanism.DNS_FORGERY, 1.0),)
    if "block" in kinds and not readings.verified(attempt):
        return ((Mechanism.HTTP_BLOCK_PAGE, 1.0),)
    if readings.status(attempt) in _REFUSING and readings.verified(attempt):
        return ((Mechanism.SERVICE_REFUSAL, 1.0 if "refusal" in kinds else 0.7),)
    if read == "ok" or read.endswith(".interrupted"):
        return ()
    by_stage = _AFTER_TLS if readings.verified(attempt) else _IN_THE_CLEAR
    return by_stage.get(read) or _BY_READING.get(read, ((Mechanism.UNKNOWN, 1.0),))


def reading_of(attempt: Attempt) -> str:
    """As :func:`rozaneh.diagnosis.readings.reading`; ``interrupted`` is kept apart, because it says nothing."""
    interrupted = attempt.failure is not None and attempt.failure.value == "interrupted"
    return "none.interrupted" if interrupted else readings.reading(attempt)


def _forged(attempt: Attempt) -> bool:
    found = readings.answers(attempt)
    known = signatures()
    return any(is_ip(address) and (is_bogon(address) or known.address_kind(address) == "block") for address in found)

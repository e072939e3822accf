"""Which layers of a target were seen, and which of them did their work: facts, no judgement.

A layer is *seen* where a dial as the user's programs make it, or at a trusted address, came as far as that. It *did its
work* where one at an address believed to be right got through it: an answer with a false address in it is no work of
DNS, and a connection to that address is none of TCP.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from rozaneh.core import Attempt, Op
from rozaneh.diagnosis import readings
from rozaneh.diagnosis.evidence import Role
from rozaneh.diagnosis.verdict import Layer

LAYERS: Final = (Layer.DNS, Layer.TCP, Layer.TLS, Layer.QUIC, Layer.UDP, Layer.HTTP)
"""The layers that have a verdict of their own, in the order in which a dial goes through them."""

PAGED: Final = ("https", "http", "quic")
"""Kinds of targets that are asked for a page."""
BEHIND: Final = ("answer", "body")
"""Where a dial can end that got through the handshake."""


def was_seen(layer: Layer) -> str:
    """The fact that a dial came as far as this layer."""
    return f"layer.{layer}.seen"


def did_its_work(layer: Layer) -> str:
    """The fact that a dial at the right address got through this layer."""
    return f"layer.{layer}.ok"


LAYER_FACTS: Final = tuple(fact(layer) for layer in LAYERS for fact in (was_seen, did_its_work))
"""Every fact about layers."""


class Dial(NamedTuple):
    """An attempt, why it was made, and whether it went to an address believed to be right."""

    role: Role
    attempt: Attempt
    right: bool


def layer_facts(kind: str, dials: Iterable[Dial], issuer: str) -> Iterator[str]:
    """The facts that hold about layers.

    Args:
        kind: what the target is.
        dials: attempts as the user's programs make them, at trusted addresses, and over HTTP/3.
        issuer: whose certificates are right for this target too.
    """
    for role, attempt, right in dials:
        came = list(_quic(attempt) if role is Role.QUIC else _layers(kind, attempt, issuer))
        if role is Role.SYSTEM and any(True for _ in attempt.steps(Op.RESOLVE)):
            came.append((Layer.DNS, True))
        for layer, through in came:
            yield was_seen(layer)
            if through and right:
                yield did_its_work(layer)


def _layers(kind: str, attempt: Attempt, issuer: str) -> Iterator[tuple[Layer, bool]]:
    """The layers that an attempt came to behind the name, and whether it got through them."""
    stage = _stage(attempt)
    connected, verified = readings.connected(attempt), readings.verified(attempt, issuer)
    if kind not in ("udp", "quic") and (connected or stage == "connect"):
        yield Layer.TCP, connected
    if verified or readings.tls_answered(attempt) or stage == "tls":
        yield Layer.TLS, verified
    if kind == "quic":
        yield from _quic(attempt)
    if kind == "udp" and stage != "resolve":
        yield Layer.UDP, attempt.ok
    if kind in PAGED and stage in ("ok", *BEHIND):
        yield Layer.HTTP, attempt.ok


def _quic(attempt: Attempt) -> Iterator[tuple[Layer, bool]]:
    stage = _stage(attempt)
    if stage in ("ok", "quic", *BEHIND):
        yield Layer.QUIC, stage != "quic"


def _stage(attempt: Attempt) -> str:
    """Where an attempt ended; ``ok`` where it worked."""
    return readings.reading(attempt).partition(".")[0]

"""What happened in one step of an attempt, and nothing about what it means."""

from enum import StrEnum

import msgspec

from rozaneh.core.failure import Failure

TagValue = str | int | float | bool | tuple[str, ...]


class Op(StrEnum):
    """The steps that an attempt can consist of."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    PROXY = "proxy"
    """Talking an upstream proxy into dialling for us."""
    TLS = "tls_handshake"
    QUIC = "quic_handshake"
    REQUEST = "request"
    """Writing the request."""
    FIRST_BYTE = "first_byte"
    """Waiting for the first byte of the answer."""
    THROUGHPUT = "throughput"
    """Reading the rest of the answer."""
    CLOSE = "close"


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step.

    Attributes:
        op: which step.
        t0: seconds from the start of the attempt to the start of the step.
        took: seconds that the step lasted.
        failure: how it failed, or none.
        peer: ``address:port`` of the other end where there is one.
        parent: index, in the attempt's list, of the step that this one served, or none.
        sent: payload bytes written during the step.
        received: payload bytes read during the step.
        tags: facts of the protocol (``answers``, ``sni``, ``status`` ...), each a plain value.
    """

    op: Op
    t0: float
    took: float
    failure: Failure | None = None
    peer: str = ""
    parent: int | None = None
    sent: int = 0
    received: int = 0
    tags: dict[str, TagValue] = msgspec.field(default_factory=dict)

    def tag(self, name: str, default: TagValue = "") -> TagValue:
        """The value of a tag, or the default where the step did not set it."""
        return self.tags.get(name, default)

    def names(self, name: str) -> tuple[str, ...]:
        """A tag that holds a list of texts; empty where it is absent."""
        value = self.tags.get(name, ())
        return value if isinstance(value, tuple) else ()

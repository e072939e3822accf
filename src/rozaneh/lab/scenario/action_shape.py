"""Actions that hold packets back."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rozaneh.lab.scenario.fields import Bytes, Direction, Holder, Rate, Seconds, Share, Span


class Drop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packets vanish without a trace.

    Attributes:
        direction: while the verdict lasts, which packets: `this` = those that go the same way as the offending one,
            `out` or `in` as seen from the home network, or `both`. The offending packet is dropped unless it goes
            the other way.
    """

    shorthand: ClassVar[str] = "direction"

    direction: Literal["this", "out", "in", "both"] = "both"


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packets leave no faster than this; what does not fit in the queue is lost.

    Attributes:
        rate: bytes per second (IP bytes), or text: `"128kbit"`, `"20kB"`. A plain value in place of the table means
            this.
        per: what shares one such line: a flow, a source, a destination, a pair, a 3-tuple, or `all` that the rule
            hits.
        direction: which packets are slowed; with `both` each direction has a line of its own.
        queue: how long a packet may wait before it is lost, in seconds.
        share: between flows of one line: `fifo` = first come, first served; `fair` = active flows get equal parts.
    """

    shorthand: ClassVar[str] = "rate"

    rate: Rate
    per: Holder | Literal["all"] = "flow"
    direction: Direction = "both"
    queue: Seconds = 2.0
    share: Literal["fifo", "fair"] = "fifo"


class Delay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packets take longer.

    Attributes:
        seconds: how much; `[least, most]` is drawn for each packet. A plain value in place of the table means this.
        direction: which packets.
        reorder: whether packets may overtake each other when the delay varies.
    """

    shorthand: ClassVar[str] = "seconds"

    seconds: Span
    direction: Direction = "both"
    reorder: bool = False


class Loss(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A share of packets is lost.

    Attributes:
        probability: share of packets lost in the long run, 0 to 1. A plain number in place of the table means this.
        burst: mean number of packets lost in a row; 1 = each by itself (Gilbert's two-state model).
        direction: which packets.
    """

    shorthand: ClassVar[str] = "probability"

    probability: Share
    burst: Annotated[float, Meta(ge=1.0, le=10000.0)] = 1.0
    direction: Direction = "both"


class Reorder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A share of packets is held back, so that later ones overtake them.

    Attributes:
        probability: share of packets held back. A plain number in place of the table means this.
        by: for how long.
        direction: which packets.
    """

    shorthand: ClassVar[str] = "probability"

    probability: Share
    by: Span = (0.01, 0.01)
    direction: Direction = "both"


class Freeze(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something passes, then nothing any more: no reset, no close. Counted per flow from the match on.

    Attributes:
        bytes: payload bytes that still pass, in `direction`, as TCP or UDP carry them: TLS handshake and framing count
            too. A plain value in place of the table means this.
        packets: packets with payload that still pass, in `direction`.
        direction: which packets are counted, and dropped afterwards.
    """

    shorthand: ClassVar[str] = "bytes"

    bytes: Bytes | None = None
    packets: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    direction: Direction = "both"


class NullRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Routing: everything of the kind vanishes from the match on.

    Attributes:
        of: `packet` = exactly what matches, as long as it matches; `source` or `destination` address; `prefix` =
            the destination's block; `family` = the IP version.
        length: prefix length for `prefix`.
        seconds: for how long; without it, for good.
        direction: which packets vanish.
        icmp: whether routers say so ("network unreachable") or stay silent.
    """

    shorthand: ClassVar[str] = "of"

    of: Literal["packet", "source", "destination", "prefix", "family"] = "packet"
    length: Annotated[int, Meta(ge=1, le=128)] = 24
    seconds: Span | None = None
    direction: Direction = "both"
    icmp: bool = False

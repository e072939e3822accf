"""What a rule remembers: how long and for whom a verdict lasts, and how well its inspector follows a connection."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.fields import Bytes, Count, Direction, Scope, Seconds, Share, Span


class Residual(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long a verdict lasts after the offence.

    Attributes:
        seconds: duration, or `[least, most]` between which it is drawn. A plain value in place of the table means
            this.
        renew: whether a new offence, or any packet that the verdict hits, starts the time anew: `never`, `offence`,
            `packet`.
        action: what happens meanwhile to what the verdict covers; without it the rule's own action. The offending
            packet itself always meets the rule's own action.
    """

    shorthand: ClassVar[str] = "seconds"

    seconds: Span
    renew: Literal["never", "offence", "packet"] = "never"
    action: Action | None = None


class Tcp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How well the inspector follows TCP.

    Attributes:
        start: where it joins a connection: `any` = also in mid-flow, `syn` = only connections whose SYN it saw
            (packets before or without it are not inspected by this rule), `handshake` = only after SYN and SYN+ACK.
        resync_on_rst: after a RST it takes the next packet of the sender as the new start of the stream.
        checksum: whether it ignores packets whose TCP checksum is wrong.
        teardown: which segments make it forget the connection: `rst`, `fin`, both, or none. (Forgetting also ends
            verdicts of scope `flow` for this rule.)
        see: which direction its tap carries.
        new_syn: a second SYN on the same ports starts a new connection (`true`) or is ignored.
    """

    start: Literal["any", "syn", "handshake"] = "any"
    resync_on_rst: bool = False
    checksum: bool = False
    teardown: tuple[Literal["rst", "fin"], ...] = ()
    see: Direction = "both"
    new_syn: bool = True


class Reassembly(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the inspector joins before it reads.

    Attributes:
        tcp: `none` = every segment by itself; `in-order` = joins consecutive segments, stops at a gap or an
            overlap; `first-wins` / `last-wins` = out of order too, and where segments overlap the first or the last
            copy counts.
        records: whether a ClientHello spread over several TLS records is joined.
        bytes: how much of each direction is kept; what lies beyond is never read.
        fragments: IP fragments: `ignore` = looks at the first fragment alone and lets all pass, `reassemble` =
            reads the joined datagram (the last fragment meets the verdict), `drop` = an in-path box drops all
            fragments, whatever the rest of the match says.
    """

    shorthand: ClassVar[str] = "tcp"

    tcp: Literal["none", "in-order", "first-wins", "last-wins"] = "none"
    records: bool = False
    bytes: Bytes = 16384
    fragments: Literal["ignore", "reassemble", "drop"] = "ignore"


class Attention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of a flow is inspected. Whatever runs out first ends it.

    Attributes:
        packets: packets of the flow, both directions.
        data_packets: packets with payload, both directions.
        bytes: payload bytes, both directions.
        seconds: age of the flow.
        then: what becomes of a flow on which the rule did not match in that time: it is `free`, or the rule's
            action is taken (`act`).
    """

    packets: Count | None = None
    data_packets: Count | None = None
    bytes: Bytes | None = None
    seconds: Seconds | None = None
    then: Literal["free", "act"] = "free"


class Wait(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lies between the match and the action; everything given must have passed. Packets pass untouched until then.

    Attributes:
        seconds: time since the match, fixed or `[least, most]`. A plain value in place of the table means this.
            Actions that inject do so by themselves when the time is over; the others begin with the next packet.
        packets: further packets of the flow.
        bytes: further IP bytes of the flow.
    """

    shorthand: ClassVar[str] = "seconds"

    seconds: Span = (0.0, 0.0)
    packets: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    bytes: Bytes = 0


class Capacity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much the box can hold.

    Attributes:
        flows: size of the flow table.
        expiry: seconds without a packet after which a flow is forgotten.
        overflow: when the table is full: `oldest` = the flow that was silent longest is forgotten; `open` = new
            flows pass uninspected; `closed` = packets of new flows are dropped (in-path only).
        share: share of flows that the box looks at, 0 to 1 (a stable draw per flow).
    """

    flows: Annotated[int, Meta(ge=1, le=100_000)] = 4096
    expiry: Seconds = 300.0
    overflow: Literal["oldest", "open", "closed"] = "oldest"
    share: Share = 1.0


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the rule remembers.

    Attributes:
        scope: what a verdict covers. `packet` = the matching packet alone, nothing is kept; `flow` = this 5-tuple, both
            directions; `3-tuple` = client, server and server port; `source` = everything of the client; `destination` =
            everything with the server; `pair` = client and server. Without it: `flow` if the match reads connections
            (`tls`, `http`, `looks_like`, `quic.sni`, `quic.alpn`, `quic.extension`, `flow.data_packet`; also inside
            `any`, `all` and `not`), else `packet`.
        residual: how long a verdict lasts. Without it: scope `flow` lasts as long as the flow is known, every other
            scope for good.
        delay: what must pass between the match and the action.
        tcp: how well it follows TCP connections.
        reassembly: what it joins before it reads. A plain text means `reassembly.tcp`.
        attention: how much of a flow it inspects; without it, all.
        capacity: how many flows it can hold.
    """

    scope: Scope | None = None
    residual: Residual | None = None
    delay: Wait | None = None
    tcp: Tcp = Tcp()
    reassembly: Reassembly = Reassembly()
    attention: Attention | None = None
    capacity: Capacity = Capacity()

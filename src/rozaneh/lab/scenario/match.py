"""What a rule looks for. All conditions that are given must hold; a list of values means "any of these"."""

from typing import ClassVar, Literal

import msgspec

from rozaneh.lab.scenario.fields import (
    Ages,
    Bytes,
    ClockTime,
    Counts,
    Day,
    Direction,
    Holder,
    Label,
    Octet,
    Ports,
    Protocols,
    Seconds,
    Share,
    Short,
    Sizes,
    Weekday,
)
from rozaneh.lab.scenario.match_packet import Endpoint, Flags, Icmp
from rozaneh.lab.scenario.match_protocol import Dns, Http, LooksLike, Payload, Quic, Tls


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much crossed in the last seconds.

    Attributes:
        seconds: length of the window, from now backwards.
        bytes: IP bytes of the flow in it, this packet included.
        packets: packets of the flow in it, this packet included.
        direction: which packets count.
    """

    seconds: Seconds = 1.0
    bytes: Sizes = ()
    packets: Counts = ()
    direction: Direction = "both"


class Flow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The flow so far, this packet included. A flow is a 5-tuple, both ways; ICMP and others: the pair of addresses.

    Attributes:
        bytes: IP bytes in both directions.
        bytes_out: IP bytes sent from the home network.
        bytes_in: IP bytes sent to the home network.
        packets: packets in both directions.
        packets_out: packets sent from the home network.
        packets_in: packets sent to the home network.
        age: seconds since its first packet.
        idle: seconds since its previous packet.
        data_packet: which packet with payload this is, counted from 1 in its own direction; packets without payload
            do not match.
        opened: `inside` = its first packet came from the home network, `outside` = from beyond.
        established: for TCP, whether SYN and SYN+ACK were both seen.
        window: how much crossed in the last seconds.
    """

    bytes: Sizes = ()
    bytes_out: Sizes = ()
    bytes_in: Sizes = ()
    packets: Counts = ()
    packets_out: Counts = ()
    packets_in: Counts = ()
    age: Ages = ()
    idle: Ages = ()
    data_packet: Counts = ()
    opened: Literal["inside", "outside"] | None = None
    established: bool | None = None
    window: Window | None = None


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often something happened lately. Counted are packets for which all *other* conditions of the match hold.

    Attributes:
        kind: `packets`; `flows` (different flows); `bytes` (IP bytes); `destinations` (different addresses at the
            far end); `ports` (different server ports); `events` (events that rules logged with the name `event`).
        from_: whose: kept apart per flow, 3-tuple, source, destination or pair; `all` = one count for everybody
            behind this box.
        at_least: the count in the window is at least this, the present packet included.
        at_most: the count in the window is at most this.
        within: length of the window, from now backwards.
        event: with `kind = "events"`: the name given by `log` in another rule.
    """

    kind: Literal["packets", "flows", "bytes", "destinations", "ports", "events"] = "packets"
    from_: Holder | Literal["all"] = msgspec.field(default="source", name="from")
    at_least: Bytes = 1
    at_most: Bytes | None = None
    within: Seconds = 60.0
    event: Label | None = None


class Marked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mark that the `mark` action of some rule (or the result of an active probe) has set and that has not expired.

    Attributes:
        name: the mark's name.
        on: what carries it: this packet's flow, 3-tuple, source, destination or pair. Must be the `on` with which
            it was set.
        within: the mark was set, or set again, at most this many seconds ago.
        at_least: the mark was set at least this often in its present life.
    """

    shorthand: ClassVar[str] = "name"

    name: Label
    on: Holder = "source"
    within: Seconds | None = None
    at_least: int = 1


class Dates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of days, both ends included.

    Attributes:
        from_: the first day.
        to: the last day; without it there is no end.
    """

    shorthand: ClassVar[str] = "from"

    from_: Day = msgspec.field(name="from")
    to: Day | None = None


class When(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a rule is in force, on the scenario's (fake) clock. All that is given must hold.

    Attributes:
        from_: first moment of the day, `"16:00"`.
        to: the moment of the day at which it ends, itself excluded, up to `"24:00"`; earlier than `from` wraps over
            midnight.
        weekdays: days of the week, `"mon"` to `"sun"`. A stretch that wraps over midnight belongs to the day on
            which it began.
        dates: stretches of days, `{ from = "2022-09-21", to = "2022-10-03" }`; any one of a list.
        schedule: the name of a `[schedule.NAME]` of the scenario; any one of a list.
        age: seconds since the censor began to run.
    """

    shorthand: ClassVar[str] = "schedule"

    from_: ClockTime | None = msgspec.field(default=None, name="from")
    to: ClockTime | None = None
    weekdays: tuple[Weekday, ...] = ()
    dates: tuple[Dates, ...] = ()
    schedule: tuple[Label, ...] = ()
    age: Ages = ()


class Chance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A draw, from the run's seed.

    Attributes:
        probability: share that matches, 0 to 1. A plain number in place of the table means this.
        per: what is drawn for once: each packet anew, or the same answer for a whole flow, 3-tuple, source,
            destination or pair for good.
    """

    shorthand: ClassVar[str] = "probability"

    probability: Share
    per: Literal["packet"] | Holder = "packet"


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All conditions that are given must hold; without any, every packet matches.

    Order: conditions on the packet and the flow first, then `chance`, then `history`; so only packets that fit all
    the rest are
    drawn for and counted.

    Attributes:
        any: at least one of these tables (each a whole match) holds.
        all: every one of these tables holds.
        not_: none of these tables holds; one table or a list.
        direction: `out` = packets sent from the home network, `in` = packets sent to it.
        ip: IP version, 4 or 6.
        protocol: IP protocol by number or name: `tcp`, `udp`, `icmp` (either family), `gre`, `esp`, ...
        source: the end that sent this packet.
        destination: the end this packet is sent to.
        client: the end that opened the flow, whichever way this packet goes.
        server: the other end of the flow, whichever way this packet goes.
        port: one of the packet's two ports, whichever end it belongs to.
        port_order: the source port of this packet compared with its destination port.
        ttl: TTL or hop limit, as it arrives at the box.
        ip_id: the IPv4 identification field.
        size: size of the IP packet, in bytes.
        payload_size: bytes above the TCP or UDP header (above the IP header for other protocols).
        flags: TCP flags.
        fragment: `any` = part of a fragmented datagram, `first` = its first part, `later` = another part, `no` =
            not a fragment. With `state.reassembly.fragments = "reassemble"` a rule sees joined datagrams as whole
            ones.
        checksum: whether the TCP or UDP checksum of the packet is right.
        icmp: type and code of an ICMP message.
        dns: a DNS message.
        http: an HTTP/1 message.
        tls: a TLS handshake over TCP.
        quic: a QUIC packet.
        payload: bytes and statistics of the payload.
        looks_like: class of protocol, guessed from the first bytes of this packet's payload (with
            `state.reassembly.tcp` of the stream so far); add `flow.data_packet = 1` for the first of a flow.
        flow: the flow so far.
        history: how often something happened lately.
        marked: marks set by other rules; all of a list must be there.
        time: hour, weekday, dates, schedule.
        chance: a draw; a number from 0 to 1 or a table.
    """

    any: tuple["Match", ...] = ()
    all: tuple["Match", ...] = ()
    not_: tuple["Match", ...] = msgspec.field(default=(), name="not")
    direction: Direction = "both"
    ip: Literal[4, 6] | None = None
    protocol: Protocols = ()
    source: Endpoint | None = None
    destination: Endpoint | None = None
    client: Endpoint | None = None
    server: Endpoint | None = None
    port: Ports = ()
    port_order: Literal["source-above", "source-below", "equal"] | None = None
    ttl: Octet = ()
    ip_id: Short = ()
    size: Sizes = ()
    payload_size: Sizes = ()
    flags: Flags | None = None
    fragment: Literal["any", "first", "later", "no"] | None = None
    checksum: Literal["valid", "invalid"] | None = None
    icmp: Icmp | None = None
    dns: Dns | None = None
    http: Http | None = None
    tls: Tls | None = None
    quic: Quic | None = None
    payload: Payload | None = None
    looks_like: LooksLike | None = None
    flow: Flow | None = None
    history: History | None = None
    marked: tuple[Marked, ...] = ()
    time: When | None = None
    chance: Chance | None = None

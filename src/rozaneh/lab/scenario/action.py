"""What a rule does. Several actions may stand together: a reset and a mark, a delay and a loss."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rozaneh.lab.scenario.fields import (
    Body,
    Bytes,
    Direction,
    End,
    Holder,
    IpAddress,
    Label,
    Octets,
    Rate,
    Seconds,
    Share,
    Span,
    Text,
)

Octet = Annotated[int, Meta(ge=0, le=255)]
Ttl = Annotated[int, Meta(ge=1, le=255)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class Drop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packets vanish without a trace.

    Attributes:
        direction: while the verdict lasts, which packets: `this` = those that go the same way as the offending one,
            `out` or `in` as seen from the home network, or `both`. The offending packet is dropped unless it goes
            the other way.
    """

    shorthand: ClassVar[str] = "direction"

    direction: Literal["this", "out", "in", "both"] = "both"


class Reset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Forged TCP resets. Packets that are not TCP are dropped instead when the rule is in-path.

    While a verdict lasts, every further segment of what it covers is answered again (resets themselves are not).

    Attributes:
        to: who gets them.
        count: how many to each.
        flags: `rst` or `rst+ack`.
        sequence: sequence numbers, as offsets from the exact one; with several, one reset each (then `count`
            repeats the series).
        ttl: TTL of the forged packets when they leave the box.
        ip_id: their IPv4 identification; without it a random one.
        interval: seconds between two of a series.
        pass_original: whether the offending packet goes on. On-path it always does; in-path it is held back unless
            `true`.
    """

    shorthand: ClassVar[str] = "to"

    to: tuple[End, ...] = ("client", "server")
    count: Annotated[int, Meta(ge=1, le=32)] = 1
    flags: Literal["rst", "rst+ack"] = "rst+ack"
    sequence: tuple[int, ...] = (0,)
    ttl: Ttl = 64
    ip_id: Annotated[int, Meta(ge=0, le=65535)] | None = None
    interval: Seconds = 0.0
    pass_original: bool = False


class Icmp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A forged ICMP error to whoever sent the packet, quoting it.

    Attributes:
        kind: which error; a plain text in place of the table means this. Each has its number in either family.
        type: the type number, in place of `kind`.
        code: the code number, with `type`.
        hop: which router it claims to come from, counted from the home network; without it the box's own place.
        from_: the address it claims to come from, in place of `hop`.
        pass_original: whether the offending packet goes on (on-path: always).
    """

    shorthand: ClassVar[str] = "kind"

    kind: Literal[
        "admin-prohibited",
        "net-unreachable",
        "host-unreachable",
        "port-unreachable",
        "protocol-unreachable",
        "time-exceeded",
    ] = "admin-prohibited"
    type: Octet | None = None
    code: Octet = 0
    hop: Annotated[int, Meta(ge=1, le=32)] | None = None
    from_: IpAddress | None = msgspec.field(default=None, name="from")
    pass_original: bool = False


Rcode = Literal["noerror", "formerr", "servfail", "nxdomain", "refused", "empty"]


class Injector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several machines that forge answers; what is not given is taken from the `dns` action.

    Attributes:
        a: addresses for A questions.
        aaaa: addresses for AAAA questions.
        rcode: response code in place of addresses.
        ttl: TTL of the records, seconds.
        delay: seconds after the query (on top of the rule's `reaction_time`).
        ip_ttl: TTL of the IP packet; `"mirror"` = that of the query.
    """

    a: tuple[IpAddress, ...] = ()
    aaaa: tuple[IpAddress, ...] = ()
    rcode: Rcode | None = None
    ttl: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    delay: Span = (0.0, 0.0)
    ip_ttl: Ttl | Literal["mirror"] | None = None


class Dns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A forged answer to a DNS query, over UDP or TCP. Acts on queries alone.

    Attributes:
        a: addresses to answer A questions with.
        aaaa: addresses to answer AAAA questions with.
        cname: a name the answer points to first.
        rcode: response code: `nxdomain`, `servfail`, `refused`, `formerr`, or `empty` (no error, no record).
        other: what questions get for whose type no address is given here (AAAA without `aaaa`, HTTPS, TXT ...):
            `empty`, another code, or `pass` (left alone).
        pick: of several addresses: `all`, or one at `random`, or each in `turn`.
        ttl: TTL of the records, in seconds.
        replace: `true` = the query goes no further (in-path only); `false` = the forged answer races the true one.
            Without it: in-path replaces, on-path races.
        count: how many times each answer is sent.
        ip_ttl: TTL of the forged IP packet when it leaves the box; `"mirror"` = that of the query.
        injectors: several forgers, each answering by itself; they inherit what they do not say.
    """

    shorthand: ClassVar[str] = "rcode"

    a: tuple[IpAddress, ...] = ()
    aaaa: tuple[IpAddress, ...] = ()
    cname: Text | None = None
    rcode: Rcode = "noerror"
    other: Literal["empty", "nxdomain", "servfail", "refused", "pass"] = "empty"
    pick: Literal["all", "random", "turn"] = "all"
    ttl: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 300
    replace: bool | None = None
    count: Annotated[int, Meta(ge=1, le=16)] = 1
    ip_ttl: Ttl | Literal["mirror"] = 64
    injectors: tuple[Injector, ...] = ()


class Http(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A forged HTTP answer to the client, in the server's name. Acts on packets with payload towards the server.

    In-path, the flow belongs to the censor from then on: nothing of it crosses any more.

    Attributes:
        status: status code.
        reason: the words after it; without it the usual ones.
        headers: header fields; Content-Length and Connection are added unless given here.
        body: the body, text or `"hex:..."`.
        redirect: a URL for a Location header (`status` is then 302 unless given).
        raw: the exact bytes to send, in place of everything above.
        close: how the forged connection ends at the client: `fin`, `rst`, or `none`.
        server: what the server gets: `rst`, or `nothing`.
    """

    shorthand: ClassVar[str] = "status"

    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    reason: Text | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: Body = b""
    redirect: Text | None = None
    raw: Octets | None = None
    close: Literal["fin", "rst", "none"] = "fin"
    server: Literal["rst", "nothing"] = "rst"


class Send(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Forged payload: TCP segments (PSH+ACK) with the right numbers, or UDP datagrams with the ports turned round.

    Attributes:
        data: the payload, text or `"hex:..."`. A plain text in place of the table means this.
        to: who gets it.
        count: how many times; over TCP each follows on the last.
        interval: seconds between two.
        fin: whether the last TCP segment carries FIN.
        ttl: TTL of the forged packets when they leave the box.
        pass_original: whether the offending packet goes on (on-path: always).
    """

    shorthand: ClassVar[str] = "data"

    data: Octets
    to: tuple[End, ...] = ("client",)
    count: Annotated[int, Meta(ge=1, le=32)] = 1
    interval: Seconds = 0.0
    fin: bool = False
    ttl: Ttl = 64
    pass_original: bool = True


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
        bytes: payload bytes that still pass, in `direction`. A plain value in place of the table means this.
        packets: packets with payload that still pass, in `direction`.
        direction: which packets are counted, and dropped afterwards.
    """

    shorthand: ClassVar[str] = "bytes"

    bytes: Bytes | None = None
    packets: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    direction: Direction = "both"


class Redirect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The flow ends at another machine, which answers in the server's name (destination NAT, in-path only).

    It must catch the first packet of a flow: match the address or port, or earlier marks, not the SNI. Later
    packets follow.

    Attributes:
        to: a host name of the lab world or an IP address; `"mitm"` = the censor's machine that accepts TLS for any
            name.
        port: destination port there; without it the same port.
        issuer: with `to = "mitm"`: the name of the authority under which it makes certificates; without it that of the
            lab's state.
        tls_version: with `to = "mitm"`: the highest TLS version it speaks, `"1.2"` or `"1.3"`.
    """

    shorthand: ClassVar[str] = "to"

    to: Text = "mitm"
    port: Port | None = None
    issuer: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    tls_version: Literal["1.2", "1.3"] | None = None


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


class Refuse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The *far end* refuses. Not censorship: forged here so that it looks exactly as if the server itself had done it.

    Attributes:
        with_: `rst` = the connection is refused or reset; `alert` = a TLS alert after the ClientHello; `403`, `451`
            = an HTTP answer with that status (over TLS by a server with a valid certificate: the rule must catch
            the first packet of the flow).
        body: for 403 and 451, the body.
    """

    shorthand: ClassVar[str] = "with"

    with_: Literal["rst", "alert", "403", "451"] = msgspec.field(default="rst", name="with")
    body: Body = b""


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sets a named mark for `marked` conditions. Does not end the evaluation of rules.

    Attributes:
        name: the mark's name.
        on: what is marked: this packet's flow, 3-tuple, source (client), destination (server), or pair.
        seconds: how long it stays; without it, for good. Setting it again starts anew.
        clear: `true` = takes the mark away instead.
    """

    shorthand: ClassVar[str] = "name"

    name: Label
    on: Holder = "source"
    seconds: Span | None = None
    clear: bool = False


class Log(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts an event, for `history.kind = "events"` and the lab's report. Does not end the evaluation of rules.

    Attributes:
        event: the event's name. A plain text in place of the table means this.
    """

    shorthand: ClassVar[str] = "event"

    event: Label = "seen"


class Probe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The censor's own host connects to the server and looks what answers. Does not end the evaluation of rules.

    Attributes:
        kind: `connect` = opens TCP only; `replay` = sends the client's first payload again; `random` = sends random
            bytes; `tls` = a real TLS handshake; `http` = a GET request. Several: one connection each.
        delay: seconds from the match to the probe.
        size: number of random bytes.
        every: no second probe to the same server and port within this time.
        mark: a mark set when the result is one of `when`; marks on `source`, `pair`, `flow` and `3-tuple` are those
            of the client that set it off.
        when: results that set the mark: `open` (TCP connects), `answers` (bytes come back), `tls` (a TLS record
            comes back), `http` (an HTTP answer comes back), `silent` (connects, no byte), `resets` (connects, then
            reset), `closes` (connects, then closed), `refused` (no connection).
    """

    shorthand: ClassVar[str] = "kind"

    kind: tuple[Literal["connect", "replay", "random", "tls", "http"], ...] = ("replay",)
    delay: Span = (0.0, 0.0)
    size: Bytes = 221
    every: Seconds = 60.0
    mark: Mark | None = None
    when: tuple[Literal["open", "answers", "tls", "http", "silent", "resets", "closes", "refused"], ...] = ("open",)


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens. A plain text in place of the table names one action with its defaults: `action = "drop"`.

    Attributes:
        pass_: this packet (or, with a scope, what the verdict covers) goes on; later rules are not asked.
        drop: packets vanish.
        reset: forged TCP resets.
        icmp: a forged ICMP error.
        dns: a forged DNS answer.
        http: a forged HTTP answer.
        send: forged payload.
        rate: a slow line.
        delay: packets take longer.
        jitter: a random delay between zero and this, for each packet; order is kept.
        loss: packets are lost.
        reorder: packets overtake each other.
        freeze: something passes, then nothing any more.
        redirect: the flow ends at another machine.
        null_route: addresses without a route.
        refuse: the far end refuses.
        mark: sets marks; one table or a list.
        log: counts an event.
        probe: an active probe.
    """

    pass_: bool = msgspec.field(default=False, name="pass")
    drop: Drop | None = None
    reset: Reset | None = None
    icmp: Icmp | None = None
    dns: Dns | None = None
    http: Http | None = None
    send: Send | None = None
    rate: RateLimit | None = None
    delay: Delay | None = None
    jitter: Delay | None = None
    loss: Loss | None = None
    reorder: Reorder | None = None
    freeze: Freeze | None = None
    redirect: Redirect | None = None
    null_route: NullRoute | None = None
    refuse: Refuse | None = None
    mark: tuple[Mark, ...] = ()
    log: Log | None = None
    probe: Probe | None = None

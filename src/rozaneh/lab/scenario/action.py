"""What a rule does. Several actions may stand together: a reset and a mark, a delay and a loss."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rozaneh.lab.scenario.action_forge import Dns, Http, Icmp, Refuse, Reset, Send
from rozaneh.lab.scenario.action_shape import Delay, Drop, Freeze, Loss, NullRoute, RateLimit, Reorder
from rozaneh.lab.scenario.fields import Bytes, Holder, Label, Seconds, Span, Text

Port = Annotated[int, Meta(ge=1, le=65535)]


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

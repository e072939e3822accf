"""Actions that forge packets."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rozaneh.lab.scenario.fields import Body, End, IpAddress, Octets, Seconds, Span, Text

Octet = Annotated[int, Meta(ge=0, le=255)]


Ttl = Annotated[int, Meta(ge=1, le=255)]


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


class Refuse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The *far end* refuses. Not censorship: forged here so that it looks exactly as if the server itself had done it.

    Attributes:
        with_: `rst` = the connection is refused or reset; `alert` = a TLS alert after the ClientHello; `403`, `451`
            = an HTTP answer with that status (over TLS by a server with a valid certificate: the rule must catch
            the first packet of the flow).
        body: for 403 and 451 over plain HTTP, the body.
    """

    shorthand: ClassVar[str] = "with"

    with_: Literal["rst", "alert", "403", "451"] = msgspec.field(default="rst", name="with")
    body: Body = b""

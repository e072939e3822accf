"""What a rule looks for. All conditions that are given must hold; a list of values means "any of these"."""

from typing import ClassVar, Literal

import msgspec

from rozaneh.lab.scenario.fields import (
    Address,
    Ages,
    Asn,
    Bits,
    Bytes,
    ClockTime,
    Codes,
    Counts,
    Day,
    Direction,
    Extension,
    Holder,
    HostName,
    Label,
    Octet,
    Octets,
    Ports,
    Protocols,
    QueryType,
    QuicVersion,
    RecordType,
    Seconds,
    Share,
    Shares,
    Short,
    Sizes,
    Text,
    Weekday,
)


class Named(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A host name. Several keys given together mean "any of these"; case does not matter.

    Attributes:
        exact: the name is one of these. A plain text or list in place of the table means this.
        suffix: the name is one of these or lies below one: `il` covers `example.il`, `blocked.example` covers
            `www.blocked.example`.
        label: one label of the name (a part between dots) is one of these.
        keyword: the name contains one of these texts.
        pattern: the name fits one of these patterns, in which `*` stands for any characters and `?` for one.
        present: `false` = there is no such name at all (a ClientHello without SNI); `true` = there is one, whatever
            it says.
    """

    shorthand: ClassVar[str] = "exact"

    exact: tuple[HostName, ...] = ()
    suffix: tuple[HostName, ...] = ()
    label: tuple[HostName, ...] = ()
    keyword: tuple[Text, ...] = ()
    pattern: tuple[HostName, ...] = ()
    present: bool | None = None


class Worded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text. Several keys given together mean "any of these"; case does not matter.

    Attributes:
        exact: the text is one of these. A plain text or list in place of the table means this.
        prefix: it begins with one of these.
        suffix: it ends with one of these.
        keyword: it contains one of these.
        present: `false` = there is no such text; `true` = there is one, whatever it says.
    """

    shorthand: ClassVar[str] = "exact"

    exact: tuple[Text, ...] = ()
    prefix: tuple[Text, ...] = ()
    suffix: tuple[Text, ...] = ()
    keyword: tuple[Text, ...] = ()
    present: bool | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One end of a packet or flow.

    Attributes:
        address: an address, a block, a host name of the lab (all its addresses), or `"@set"`. A plain text or list
            in place of the table means this.
        port: TCP or UDP port; packets without ports do not match.
        network: a network of the lab world that the address belongs to (`mobile`, `fixed`, ...), or a zone: `home`,
            `isp`, `domestic`, `world`.
        asn: the autonomous system the address belongs to.
        group: a set of addresses of the scenario's `[sets]`, by its name without the `@`, for instance `exempt`.
    """

    shorthand: ClassVar[str] = "address"

    address: tuple[Address, ...] = ()
    port: Ports = ()
    network: tuple[Label, ...] = ()
    asn: tuple[Asn, ...] = ()
    group: tuple[Label, ...] = ()


Flag = Literal["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"]


class Flags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """TCP flags of the packet; packets without a TCP header do not match.

    Attributes:
        all: flags that are set. A plain text or list in place of the table means this.
        none: flags that are not set.
    """

    shorthand: ClassVar[str] = "all"

    all: tuple[Flag, ...] = ()
    none: tuple[Flag, ...] = ()


class Icmp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An ICMP or ICMPv6 message.

    Attributes:
        type: the type number as sent (echo request: 8 in IPv4, 128 in IPv6), or several.
        code: the code number.
    """

    shorthand: ClassVar[str] = "type"

    type: Octet = ()
    code: Octet = ()


class Dns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A DNS message over UDP or TCP, on any port unless a port is asked for too.

    Attributes:
        qname: the name in the first question.
        qtype: the record type asked for.
        transport: `udp` or `tcp`.
        message: `query` or `answer`.
        answer: an address in the answer section is one of these (address, block, or `"@set"`).
        rcode: the response code of an answer (0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED).
    """

    qname: Named | None = None
    qtype: QueryType = ()
    transport: tuple[Literal["udp", "tcp"], ...] = ()
    message: Literal["query", "answer"] | None = None
    answer: tuple[Address, ...] = ()
    rcode: Octet = ()


class Http(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An HTTP/1 request (or, for `status`, an answer), on any port.

    Attributes:
        host: the Host header, without the port.
        method: the request's method, as sent.
        path: the request target; `*` fits are written with `prefix`, `suffix`, `keyword`.
        header: headers by name, each with the text its value must fit: `header.user-agent.keyword = "curl"`.
        keyword: the request contains one of these bytes anywhere in its first `within` bytes, headers and body alike.
        first_bytes: the request begins with one of these bytes, e.g. `"GET /"`.
        within: how many bytes from the start of the request are read.
        status: the status code of an answer.
    """

    host: Named | None = None
    method: tuple[Text, ...] = ()
    path: Worded | None = None
    header: dict[str, Worded] = msgspec.field(default_factory=dict)
    keyword: tuple[Octets, ...] = ()
    first_bytes: tuple[Octets, ...] = ()
    within: Bytes = 4096
    status: Codes = ()


class Certificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The server's certificate as it crosses the wire; only TLS 1.2 and older show it.

    Attributes:
        subject: the common name of the subject.
        issuer: the issuer's names (`CN=..., O=...`), as one text.
        san: any DNS name among the subject's alternative names.
    """

    shorthand: ClassVar[str] = "subject"

    subject: Named | None = None
    issuer: Worded | None = None
    san: Named | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The TLS record that the payload of this packet begins with.

    Attributes:
        type: 20 change_cipher_spec, 21 alert, 22 handshake, 23 application_data; by number or name.
        length: the length in the record's header, in bytes.
    """

    shorthand: ClassVar[str] = "type"

    type: RecordType = ()
    length: Short = ()


class Tls(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """TLS over TCP, on any port. What the inspector can read depends on `state.reassembly`.

    Conditions on the ClientHello (`sni` to `hello_size`) hold as soon as the inspector has read the bytes they need, and
    from then on for every packet of the flow, both directions; absence (`present = false`) needs the whole hello. So
    `not = { tls.sni = ... }` also holds for packets before the hello: put `tls.sni.present = true` beside it.

    Attributes:
        sni: the server name in the ClientHello. `sni.present = false` matches a hello without SNI.
        extension: the ClientHello has this extension; by number or name, for instance `0xffce`, `"esni"`, `"ech"`.
        alpn: the ClientHello offers one of these protocols, for instance `h2`.
        version: the highest version that the ClientHello offers (`1.0` to `1.3`).
        ja3: the JA3 digest of the ClientHello begins with one of these (hexadecimal).
        ja4: the JA4 text of the ClientHello begins with one of these.
        cipher: the ClientHello offers this cipher suite, by number.
        first_cipher: the first cipher suite (GREASE aside) is this one; 0x1303 is ChaCha20-Poly1305.
        records: number of TLS records over which the ClientHello is spread, as far as the inspector saw; `>=2` can
            already hold for the first record, if its length shows that the hello does not fit.
        hello_size: length of the ClientHello message, in bytes, as its header states it.
        hello: `client` = this packet begins a ClientHello (even an incomplete one); `server` = this packet begins a
            ServerHello.
        complete: `true` = the inspector has read the ClientHello to its end; `false` = one began and it cannot: the
            rest is in another record (without `reassembly.records`), another segment (without `reassembly.tcp`), or
            beyond `reassembly.bytes`.
        server_hello: whether a ServerHello was seen in the flow.
        record: type and length of the record that this packet's payload begins with.
        certificate: names in the server's certificate.
    """

    sni: Named | None = None
    extension: Extension = ()
    alpn: tuple[Text, ...] = ()
    version: tuple[Literal["1.0", "1.1", "1.2", "1.3"], ...] = ()
    ja3: tuple[Text, ...] = ()
    ja4: tuple[Text, ...] = ()
    cipher: Short = ()
    first_cipher: Short = ()
    records: Counts = ()
    hello_size: Sizes = ()
    hello: Literal["client", "server"] | None = None
    complete: bool | None = None
    server_hello: bool | None = None
    record: Record | None = None
    certificate: Certificate | None = None


class Quic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """QUIC over UDP, on any port.

    Attributes:
        sni: server name in the ClientHello, read by decrypting the client's Initial packets (RFC 9001, 5.2), over
            several of them where needed.
        alpn: the ClientHello offers one of these protocols, for instance `h3`.
        extension: the ClientHello has this extension.
        version: the version in a long header: a number, `"v1"`, `"v2"`, `"draft-29"`, or `"negotiation"`.
        header: `long` or `short` header. A UDP payload is taken for QUIC by its fixed bit alone.
        packet: the type of a long-header packet.
    """

    sni: Named | None = None
    alpn: tuple[Text, ...] = ()
    extension: Extension = ()
    version: QuicVersion = ()
    header: Literal["long", "short"] | None = None
    packet: tuple[Literal["initial", "0rtt", "handshake", "retry", "negotiation"], ...] = ()


class Slice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Exact bytes at one place of the payload.

    Attributes:
        offset: where, in bytes from the start; negative counts from the end.
        is_: the bytes that must stand there: text, or `"hex:16 03 01"`; any one of a list.
    """

    shorthand: ClassVar[str] = "is"

    offset: int = 0
    is_: tuple[Octets, ...] = msgspec.field(default=(), name="is")


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The bytes a packet carries above TCP or UDP; conditions given together must all hold. An empty payload never matches.

    With `state.reassembly.tcp` the bytes are those of the joined stream so far instead of one packet's.

    Attributes:
        bytes: exact bytes at an offset: `{ offset = 5, is = "hex:01" }`, or a list of such tables, all of which
            must hold.
        prefix: the payload begins with one of these.
        keyword: the payload contains one of these within its first `within` bytes.
        within: how many bytes from the start are looked at by `keyword` and the statistics below.
        popcount: mean number of bits set per byte (random bytes: about 4).
        printable_share: share of printable ASCII bytes (0x20 to 0x7e), 0 to 1.
        first_printable: how many bytes at the start are printable before the first that is not.
        longest_printable: length of the longest run of printable bytes.
        size: payload size in bytes, of this packet; a list of numbers is a length set.
    """

    shorthand: ClassVar[str] = "prefix"

    bytes: tuple[Slice, ...] = ()
    prefix: tuple[Octets, ...] = ()
    keyword: tuple[Octets, ...] = ()
    within: Bytes = 65535
    popcount: Bits = ()
    printable_share: Shares = ()
    first_printable: Counts = ()
    longest_printable: Counts = ()
    size: Sizes = ()


Class = Literal["tls", "http", "dns", "ssh", "quic", "wireguard", "openvpn", "unknown"]


class LooksLike(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The class of protocol that the payload's first bytes suggest. Packets without payload have no class and do not match.

    Attributes:
        protocol: one of these classes; `unknown` = none of the others. A plain text or list in place of the table
            means this.
        bytes: how many bytes from the start the classifier looks at. TLS needs 3 (0x16 0x03, or 5 to check the
            length), HTTP 8, SSH 4, QUIC 5, WireGuard 4 and its exact sizes, DNS 12.
    """

    shorthand: ClassVar[str] = "protocol"

    protocol: tuple[Class, ...] = ()
    bytes: Bytes = 64


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
    """The flow so far, this packet included. A flow is a 5-tuple, both directions; ICMP and others: the pair of addresses.

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
    """How often something happened lately. What is counted are packets for which all *other* conditions of the same match hold.

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
        looks_like: class of protocol, guessed from the first bytes.
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

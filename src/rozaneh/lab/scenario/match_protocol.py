"""Conditions on what a packet or connection says: DNS, HTTP, TLS, QUIC, bytes, classes of protocol."""

from typing import ClassVar, Literal

import msgspec

from rozaneh.lab.scenario.fields import (
    Address,
    Bits,
    Bytes,
    Codes,
    Counts,
    Extension,
    Octet,
    Octets,
    QueryType,
    QuicVersion,
    RecordType,
    Shares,
    Short,
    Sizes,
    Text,
)
from rozaneh.lab.scenario.match_packet import Named, Worded


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

    Conditions on the ClientHello (`sni` to `hello_size`) hold as soon as the inspector has read the bytes they need,
    and from then on for every packet of the flow, both directions; absence (`present = false`) needs the whole hello.
    So `not = { tls.sni = ... }` also holds for packets before the hello: put `tls.sni.present = true` beside it.

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
    """The bytes a packet carries above TCP or UDP; all given conditions must hold. An empty payload never matches.

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
    """The class of protocol that the payload's first bytes suggest. Packets without payload do not match.

    Attributes:
        protocol: one of these classes; `unknown` = none of the others. A plain text or list in place of the table
            means this.
        bytes: how many bytes from the start the classifier looks at. TLS needs 3 (0x16 0x03, or 5 to check the
            length), HTTP 8, SSH 4, QUIC 5, WireGuard 4 and its exact sizes, DNS 12.
    """

    shorthand: ClassVar[str] = "protocol"

    protocol: tuple[Class, ...] = ()
    bytes: Bytes = 64

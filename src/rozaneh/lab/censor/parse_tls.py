"""TLS as an inspector reads it: records, the ClientHello as far as it is there, the ServerHello, the certificate.

Deliberately naive and independent of the product's codecs. Every function takes any bytes and answers, or says that it
cannot; none raises. Formats: RFC 8446 sections 4.1.2, 4.2 and 5.1; RFC 5246 section 7.4.2 for certificates.
"""

from dataclasses import dataclass, field

_LONGEST_HELLO = 65536
_MOST_EXTENSIONS = 256


@dataclass(slots=True)
class Hello:
    """A ClientHello, read as far as its bytes are there.

    Attributes:
        size: length of the handshake message that its header states.
        records: over how many records it is spread, as far as is known.
        complete: whether all of it was read.
        cut: whether it can never be read whole by this inspector (the rest is in a record it does not join).
        legacy_version: version field of the hello.
        ciphers: cipher suites in order.
        extensions: extension types in order.
        sni: the server name, if it was read.
        alpn: the protocols offered.
        versions: content of supported_versions.
        groups: content of supported_groups.
        formats: content of ec_point_formats.
        algorithms: content of signature_algorithms.
        record_version: version in the first record's header.
    """

    size: int = 0
    records: int = 1
    complete: bool = False
    cut: bool = False
    legacy_version: int = 0
    ciphers: list[int] = field(default_factory=list)
    extensions: list[int] = field(default_factory=list)
    sni: str | None = None
    alpn: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    formats: list[int] = field(default_factory=list)
    algorithms: list[int] = field(default_factory=list)
    over_quic: bool = False

    @property
    def version(self) -> int:
        """The highest version offered, GREASE aside."""
        real = [version for version in self.versions if not is_grease(version)]
        return max(real) if real else self.legacy_version


def is_grease(number: int) -> bool:
    """Whether a number is one of those reserved to keep peers tolerant (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def begins_hello(data: bytes, kind: int = 1) -> bool:
    """Whether bytes begin a handshake record that begins a message of the given type (1 ClientHello, 2 ServerHello).

    A record of fewer bytes than a handshake header needs is taken by its first byte.
    """
    return len(data) >= 6 and data[0] == 22 and data[1] == 3 and data[5] == kind


def read_hello(data: bytes, *, join_records: bool) -> Hello | None:
    """The ClientHello at the start of a stream or segment; ``None`` if none begins there.

    Args:
        data: bytes from the start of the stream (or of one segment).
        join_records: whether a hello spread over several records is put together.
    """
    if not begins_hello(data):
        return None
    body, at, records = bytearray(), 0, 0
    size = _LONGEST_HELLO
    cut = False
    while at + 5 <= len(data) and data[at] == 22 and data[at + 1] == 3 and len(body) < size:
        length = (data[at + 3] << 8) | data[at + 4]
        records += 1
        if records == 1 or join_records:
            body += data[at + 5 : at + 5 + length]
        if len(body) >= 4:
            size = 4 + int.from_bytes(body[1:4], "big")
        if records == 1 and length < (size if len(body) >= 4 else 5):
            cut = not join_records
        at += 5 + length
        if at > len(data):
            break
    if records == 1 and cut:
        records = 2
    hello = parse_hello_message(bytes(body))
    hello.records = records
    hello.cut = cut
    return hello


def parse_hello_message(body: bytes) -> Hello:
    """Read a ClientHello message (with its four-byte handshake header) as far as it goes."""
    hello = Hello()
    if len(body) < 4:
        return hello
    hello.size = int.from_bytes(body[1:4], "big")
    end = min(len(body), 4 + hello.size)
    try:
        _fill(hello, body[:end])
    except IndexError:
        return hello
    hello.complete = len(body) >= 4 + hello.size
    return hello


def _u16(data: bytes, at: int) -> int:
    return (data[at] << 8) | data[at + 1]


def _fill(hello: Hello, body: bytes) -> None:
    """Raises IndexError where the bytes end."""
    hello.legacy_version = _u16(body, 4)
    at = 38
    at += 1 + body[at]
    length = _u16(body, at)
    ciphers = body[at + 2 : at + 2 + length]
    hello.ciphers = [_u16(ciphers, i) for i in range(0, len(ciphers) - 1, 2)]
    at += 2 + length
    at += 1 + body[at]
    if at >= 4 + hello.size:
        return
    end = at + 2 + _u16(body, at)
    at += 2
    while at + 4 <= end and len(hello.extensions) < _MOST_EXTENSIONS:
        kind, length = _u16(body, at), _u16(body, at + 2)
        content = body[at + 4 : at + 4 + length]
        whole = len(content) == length
        hello.extensions.append(kind)
        if whole:
            _read_extension(hello, kind, content)
        at += 4 + length
        if not whole:
            raise IndexError


def _read_extension(hello: Hello, kind: int, content: bytes) -> None:
    try:
        if kind == 0 and content[2] == 0:
            name = content[5 : 5 + _u16(content, 3)]
            hello.sni = name.decode("ascii", "replace").lower().rstrip(".")
        elif kind == 10:
            hello.groups = [_u16(content, i) for i in range(2, len(content) - 1, 2)]
        elif kind == 11:
            hello.formats = list(content[1:])
        elif kind == 13:
            hello.algorithms = [_u16(content, i) for i in range(2, len(content) - 1, 2)]
        elif kind == 16:
            at = 2
            while at < len(content):
                hello.alpn.append(content[at + 1 : at + 1 + content[at]].decode("ascii", "replace"))
                at += 1 + content[at]
        elif kind == 43:
            hello.versions = [_u16(content, i) for i in range(1, len(content) - 1, 2)]
    except IndexError:
        return


@dataclass(slots=True)
class Certificate:
    """Names in a certificate, as text."""

    subject: str
    issuer: str
    names: tuple[str, ...]


def first_certificate(data: bytes) -> bytes | None:
    """The first certificate of a TLS 1.2 server's flight, DER; ``None`` while it is not there or encrypted."""
    body, at = bytearray(), 0
    while at + 5 <= len(data) and data[at] == 22:
        length = _u16(data, at + 3)
        body += data[at + 5 : at + 5 + length]
        at += 5 + length
    at = 0
    while at + 4 <= len(body):
        kind, length = body[at], int.from_bytes(body[at + 1 : at + 4], "big")
        if kind == 11:
            size = int.from_bytes(body[at + 7 : at + 10], "big")
            der = bytes(body[at + 10 : at + 10 + size])
            return der if size and len(der) == size else None
        at += 4 + length
    return None


def read_certificate(der: bytes) -> Certificate | None:
    """Subject, issuer and names of a certificate; ``None`` if it is not one."""
    # Imported on first use: most scenarios never look at a certificate, and this import is slow.
    from cryptography import x509  # noqa: PLC0415 - slow to import, and few censors need it
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - slow to import, and few censors need it

    try:
        found = x509.load_der_x509_certificate(der)
        common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names: tuple[str, ...] = ()
        try:
            extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = tuple(extension.value.get_values_for_type(x509.DNSName))
        except x509.ExtensionNotFound:
            pass
        subject = str(common[0].value) if common else ""
        return Certificate(subject.lower(), found.issuer.rfc4514_string(), tuple(name.lower() for name in names))
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None

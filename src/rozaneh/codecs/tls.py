"""As much of TLS as can be read and re-cut from outside (RFC 8446 sections 4.1.2 and 5.1, RFC 6066, RFC 7301).

Theory of operation. A TLS stream is a row of records: type, version, length, payload. The first flight of a client is
one handshake message, the ClientHello, in one record or several. :func:`find_client_hello` reads the name and the
protocols it offers and says *where in the stream* the name stands, so that a dialer can cut there. :func:`cut_record`
turns one record into several that carry the same bytes, which every TLS server has to put together again.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import msgspec

from rozaneh.core import RemoteFault

HEADER = 5
HANDSHAKE = 22

_ALERT = 21
_CLIENT_HELLO = 1
_SERVER_HELLO = 2
_LONGEST_PAYLOAD = (1 << 14) + 256  # RFC 8446 section 5.2: what an encrypted record may have
_LONGEST_HELLO = 1 << 16
_SERVER_NAME = 0
_ALPN = 16
_HOST_NAME = 0


class RecordHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first five bytes of a record.

    Attributes:
        kind: the content type; 22 is a handshake, 21 an alert, 23 data.
        version: the legacy version, for instance 0x0301.
        length: bytes of payload that follow.
    """

    kind: int
    version: int
    length: int


class ClientHello(msgspec.Struct, frozen=True, kw_only=True):
    """What a ClientHello shows to everybody on the path.

    Attributes:
        server_name: the name asked for; empty when there is none.
        name_offsets: for each byte of the name, its offset in the stream; records may lie between them.
        alpn: the application protocols offered.
        end: offset in the stream after the message's last byte.
    """

    server_name: str = ""
    name_offsets: tuple[int, ...] = ()
    alpn: tuple[str, ...] = ()
    end: int = 0

    @property
    def middle_of_name(self) -> int | None:
        """The offset in the stream of the byte in the middle of the name; none without a name."""
        return self.name_offsets[len(self.name_offsets) // 2] if self.name_offsets else None


class ServerHello(msgspec.Struct, frozen=True):
    """The server has begun to answer in TLS."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The server, or somebody in its name, refuses.

    Attributes:
        level: 1 for a warning, 2 when it is fatal.
        description: the number of the alert, for instance 112 for an unrecognised name.
    """

    level: int
    description: int


def record_header(data: bytes) -> RecordHeader | None:
    """Read the header of the record that begins here; none while there are fewer than five bytes.

    Raises:
        RemoteFault: these bytes begin no TLS record.
    """
    if len(data) < HEADER:
        return None
    header = RecordHeader(
        kind=data[0], version=int.from_bytes(data[1:3], "big"), length=int.from_bytes(data[3:5], "big")
    )
    if not 20 <= header.kind <= 24 or header.version >> 8 != 3 or header.length > _LONGEST_PAYLOAD:
        raise RemoteFault(f"not a TLS record: it begins with {data[:HEADER].hex()}")
    return header


def find_client_hello(data: bytes) -> ClientHello | None:
    """Read the ClientHello at the start of a stream; none while it is incomplete.

    Raises:
        RemoteFault: the bytes are no ClientHello.
    """
    message, offsets, complete = _first_message(data)
    if message and message[0] != _CLIENT_HELLO:
        raise RemoteFault(f"not a ClientHello: a handshake message of type {message[0]}")
    return _client_hello(message, offsets) if complete else None


def middle_of_name(data: bytes) -> int | None:
    """The offset of the middle of the server name in a first flight; none if it is no ClientHello or has no name."""
    try:
        hello = find_client_hello(data)
    except RemoteFault:
        return None
    return hello.middle_of_name if hello is not None else None


def server_answer(data: bytes) -> ServerHello | Alert | None:
    """What the first bytes from a server say; none while there are too few.

    Raises:
        RemoteFault: the bytes are neither the start of a ServerHello nor an alert.
    """
    header = record_header(data)
    if header is None or len(data) < HEADER + 2:
        return None
    if header.kind == _ALERT and header.length == 2:
        return Alert(level=data[HEADER], description=data[HEADER + 1])
    if header.kind == HANDSHAKE and data[HEADER] == _SERVER_HELLO:
        return ServerHello()
    raise RemoteFault("not the answer of a TLS server")


def cut_record(record: bytes, positions: Iterable[int]) -> bytes:
    """Cut one whole record into several that carry the same payload.

    Args:
        record: the record with its header, and nothing after it.
        positions: where in the payload to cut; those at its ends or beyond are passed over.

    Raises:
        RemoteFault: the bytes are no whole record.
    """
    header = record_header(record)
    if header is None or len(record) != HEADER + header.length:
        raise RemoteFault("not one whole TLS record")
    payload = record[HEADER:]
    edges = [0, *sorted({at for at in positions if 0 < at < len(payload)}), len(payload)]
    pieces = (payload[start:end] for start, end in pairwise(edges))
    return b"".join(record[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def with_extension(record: bytes, kind: int, body: bytes) -> bytes:
    """A record that holds one ClientHello, with one more extension after its own (RFC 8446, section 4.1.2).

    Args:
        record: the whole record.
        kind: the extension's number.
        body: its content.

    Raises:
        RemoteFault: the bytes are no such record, or the result would be too long for one.
    """
    hello = bytearray(record[HEADER:])
    at = _place_of_extensions(record)
    added = kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
    try:
        length = int.from_bytes(hello[at : at + 2], "big") + len(added)
        hello[at : at + 2] = length.to_bytes(2, "big")
        hello += added
        hello[1:4] = (len(hello) - 4).to_bytes(3, "big")
        return record[:3] + len(hello).to_bytes(2, "big") + bytes(hello)
    except OverflowError as error:
        raise RemoteFault("the hello becomes too long for one record") from error


def _place_of_extensions(record: bytes) -> int:
    """Where, after the record's header, the length of the extensions stands, if they end the record."""
    if len(record) < HEADER or int.from_bytes(record[3:5], "big") != len(record) - HEADER:
        raise RemoteFault("not one whole record")
    message = record[HEADER:]
    if record[0] != HANDSHAKE or message[:1] != b"\x01" or int.from_bytes(message[1:4], "big") != len(message) - 4:
        raise RemoteFault("not one whole ClientHello")
    at = 4 + 2 + 32
    for size in (1, 2, 1):
        at += size + int.from_bytes(message[at : at + size], "big")
    if at + 2 > len(message) or at + 2 + int.from_bytes(message[at : at + 2], "big") != len(message):
        raise RemoteFault("a ClientHello whose extensions do not end it")
    return at


def _first_message(data: bytes) -> tuple[bytes, list[int], bool]:
    """The first handshake message as far as it is there, the stream offset of each byte, and whether it is whole."""
    message = bytearray()
    offsets: list[int] = []
    at = 0
    while True:
        if data[at : at + 1] not in (b"", bytes([HANDSHAKE])):
            raise RemoteFault(f"not a TLS handshake: it begins with {data[at : at + HEADER].hex()}")
        header = record_header(data[at : at + HEADER])
        if header is None:
            return bytes(message), offsets, False
        if header.length == 0:
            raise RemoteFault("an empty TLS handshake record, which RFC 8446 section 5.1 forbids")
        at += HEADER
        end = min(at + header.length, len(data))
        message += data[at:end]
        offsets += range(at, end)
        if len(message) >= 4:
            length = 4 + int.from_bytes(message[1:4], "big")
            if length > _LONGEST_HELLO:
                raise RemoteFault(f"a ClientHello of {length} bytes")
            if len(message) >= length:
                return bytes(message[:length]), offsets[:length], True
        if end < at + header.length:
            return bytes(message), offsets, False
        at = end


class _Reader:
    """Reads the fields of a message in order, with its bounds."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self.at = start
        self.end = end

    def number(self, size: int) -> int:
        start = self.skip(size)
        return int.from_bytes(self._data[start : self.at], "big")

    def skip(self, size: int) -> int:
        """Pass over bytes, and return where they began."""
        start = self.at
        if start + size > self.end:
            raise RemoteFault("a length in the ClientHello points beyond its end")
        self.at += size
        return start

    def vector(self, size: int) -> "_Reader":
        """A field with its length in front, as a reader of its own."""
        length = self.number(size)
        return _Reader(self._data, self.skip(length), self.at)

    def text(self) -> str:
        return self._data[self.at : self.end].decode("latin-1")


def _client_hello(message: bytes, offsets: list[int]) -> ClientHello:
    whole = _Reader(message, 4, len(message))
    whole.skip(2 + 32)
    for size in (1, 2, 1):  # session identifier, cipher suites, compression methods
        whole.vector(size)
    name, place = "", (0, 0)
    alpn: tuple[str, ...] = ()
    if whole.at < whole.end:
        for kind, body in _extensions(whole.vector(2)):
            if kind == _SERVER_NAME and not name:
                name, place = _server_name(body)
            elif kind == _ALPN:
                alpn = tuple(_protocols(body.vector(2)))
    return ClientHello(
        server_name=name, name_offsets=tuple(offsets[slice(*place)]), alpn=alpn, end=offsets[-1] + 1 if offsets else 0
    )


def _extensions(block: _Reader) -> Iterator[tuple[int, _Reader]]:
    while block.at < block.end:
        yield block.number(2), block.vector(2)


def _server_name(body: _Reader) -> tuple[str, tuple[int, int]]:
    names = body.vector(2)
    while names.at < names.end:
        kind, name = names.number(1), names.vector(2)
        if kind == _HOST_NAME:
            return name.text(), (name.at, name.end)
    return "", (0, 0)


def _protocols(names: _Reader) -> Iterator[str]:
    while names.at < names.end:
        yield names.vector(1).text()


class RecordCutter:
    """Cuts the first record of a stream, and passes everything after it unchanged.

    Bytes of an incomplete first record are held back until it is whole, at most one record. A stream that begins with
    something else than a handshake record passes unchanged.

    Args:
        positions: called with the whole record, returns where in its payload to cut.
        padding: how many empty records of the same type and version go in front of it.
    """

    def __init__(self, positions: Callable[[bytes], Iterable[int]], padding: int = 0) -> None:
        self._positions = positions
        self._padding = padding
        self._held = b""
        self.done = False

    def cut(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; return those to send now, which may be none."""
        if self.done:
            return data
        self._held += data
        try:
            header = record_header(self._held)
        except RemoteFault:
            return self._rest()
        if self._held and self._held[0] != HANDSHAKE:
            return self._rest()
        if header is None or len(self._held) < HEADER + header.length:
            return b""
        end = HEADER + header.length
        record, after = self._held[:end], self._rest()[end:]
        empty = record[:3] + bytes(2)
        return empty * self._padding + cut_record(record, self._positions(record)) + after

    def _rest(self) -> bytes:
        held, self._held = self._held, b""
        self.done = True
        return held

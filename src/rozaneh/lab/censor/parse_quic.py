"""QUIC as an inspector reads it: long headers, and the ClientHello inside the client's Initial packets.

Anybody on the path can derive the keys of Initial packets from the connection id (RFC 9001 section 5.2; RFC 9369 for
version 2). The client's first keys stay those of its first destination connection id, so an inspector keeps them per
flow.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from rozaneh.lab.censor.parse_tls import Hello, parse_hello_message

V1, V2, DRAFT_29 = 1, 0x6B3343CF, 0xFF00001D
_SALTS: Mapping[int, bytes] = {
    V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
    DRAFT_29: bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"),
}
_TYPES = ("initial", "0rtt", "handshake", "retry")
_TYPES_V2 = ("retry", "initial", "0rtt", "handshake")
_MOST_CRYPTO = 65536
_MOST_PACKETS = 16


@dataclass(slots=True, frozen=True)
class Header:
    """A long header.

    Attributes:
        version: its version.
        packet: ``initial``, ``0rtt``, ``handshake``, ``retry`` or ``negotiation``.
        dcid: destination connection id.
        number_at: where the (protected) packet number begins; Initial packets only.
        end: where the packet ends in the datagram; Initial packets only.
    """

    version: int
    packet: str
    dcid: bytes
    number_at: int = 0
    end: int = 0


def is_quic(data: bytes) -> bool:
    """Whether bytes have QUIC's fixed bit and, for a long header, a version that is known or negotiates."""
    if len(data) < 21 or not data[0] & 0x40:
        return False
    return not data[0] & 0x80 or int.from_bytes(data[1:5], "big") in _SALTS


def read_header(data: bytes, at: int = 0) -> Header | None:
    """A long header at a place in a datagram; ``None`` if there is none."""
    if len(data) < at + 7 or not data[at] & 0x80:
        return None
    version = int.from_bytes(data[at + 1 : at + 5], "big")
    size = data[at + 5]
    dcid = data[at + 6 : at + 6 + size]
    if size > 20 or len(dcid) != size:
        return None
    if version == 0:
        return Header(version, "negotiation", dcid)
    packet = (_TYPES_V2 if version == V2 else _TYPES)[(data[at] >> 4) & 3]
    if packet != "initial":
        return Header(version, packet, dcid)
    place = at + 6 + size
    if place >= len(data):
        return None
    place += 1 + data[place]
    token, place = _varint(data, place)
    length, place = _varint(data, place + token)
    if length < 20 or place + length > len(data):
        return Header(version, packet, dcid)
    return Header(version, packet, dcid, place, place + length)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and where it ends; beyond the data both are too large to be of use."""
    if at >= len(data):
        return 0, len(data) + 1
    size = 1 << (data[at] >> 6)
    value = int.from_bytes(data[at : at + size], "big") & ((1 << (size * 8 - 2)) - 1)
    return value, at + size


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.digest(secret, info + b"\1", hashlib.sha256)[:length]


@dataclass(slots=True)
class InitialReader:
    """Collects the CRYPTO stream of one client's Initial packets, in any order, and reads the hello in it.

    Attributes:
        hello: the ClientHello as far as it was read.
        packets: how many Initial packets were tried.
    """

    hello: Hello | None = None
    packets: int = 0
    _dcid: bytes = b""
    _pieces: dict[int, bytes] = field(default_factory=dict)
    _held: int = 0

    def feed(self, datagram: bytes) -> bool:
        """Take a datagram of the client; whether anything new was read."""
        at, found = 0, False
        while at < len(datagram) and self.packets < _MOST_PACKETS:
            header = read_header(datagram, at)
            if header is None or header.packet != "initial" or not header.end:
                break
            self.packets += 1
            if not self._dcid:
                self._dcid = header.dcid
            plain = self._open(datagram, at, header, self._dcid)
            if plain is None and header.dcid != self._dcid:
                plain = self._open(datagram, at, header, header.dcid)
            if plain is not None and self._take(plain):
                found = True
            at = header.end
        if found:
            self._read()
        return found

    @property
    def over(self) -> bool:
        """Whether nothing more will be learned."""
        return (self.hello is not None and self.hello.complete) or self.packets >= _MOST_PACKETS

    def _open(self, datagram: bytes, at: int, header: Header, dcid: bytes) -> bytes | None:
        # Imported on first use: scenarios without QUIC names never pay for it.
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - slow to import, and few censors need it
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - slow to import, and few censors need it
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - slow to import, and few censors need it

        salt = _SALTS.get(header.version)
        if salt is None:
            return None
        prefix = b"quicv2 " if header.version == V2 else b"quic "
        client = _expand(hmac.digest(salt, dcid, hashlib.sha256), b"client in", 32)
        key, iv, mask_key = (
            _expand(client, prefix + name, size) for name, size in ((b"key", 16), (b"iv", 12), (b"hp", 16))
        )
        place = header.number_at
        sample = datagram[place + 4 : place + 20]
        if len(sample) < 16:
            return None
        # Header protection is one AES block by itself (RFC 9001, 5.4.3), which is what ECB means here.
        mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor().update(sample)  # noqa: S305 - RFC 9001 says so
        first = datagram[at] ^ (mask[0] & 0x0F)
        size = (first & 3) + 1
        number = bytes(a ^ b for a, b in zip(datagram[place : place + size], mask[1:], strict=False))
        head = bytes([first]) + datagram[at + 1 : place] + number
        nonce = bytes(a ^ b for a, b in zip(iv, number.rjust(12, b"\0"), strict=True))
        try:
            return AESGCM(key).decrypt(nonce, datagram[place + size : header.end], head)
        except InvalidTag:
            return None

    def _take(self, plain: bytes) -> bool:
        at, found = 0, False
        while at < len(plain):
            kind = plain[at]
            if kind in (0, 1):
                at += 1
            elif kind == 6:
                offset, at = _varint(plain, at + 1)
                length, at = _varint(plain, at)
                piece = plain[at : at + length]
                at += length
                if (
                    len(piece) == length
                    and offset < _MOST_CRYPTO
                    and self._held < _MOST_CRYPTO
                    and offset not in self._pieces
                ):
                    self._pieces[offset] = piece
                    self._held += length
                    found = True
            elif kind in (2, 3):
                at = _skip_ack(plain, at)
            else:
                break
        return found

    def _read(self) -> None:
        stream = bytearray()
        for offset in sorted(self._pieces):
            if offset > len(stream):
                break
            piece = self._pieces[offset]
            stream += piece[len(stream) - offset :] if offset + len(piece) > len(stream) else b""
        if stream[:1] == b"\1":
            self.hello = parse_hello_message(bytes(stream))
            self.hello.over_quic = True


def _skip_ack(plain: bytes, at: int) -> int:
    kind = plain[at]
    at += 1
    ranges = 0
    for index in range(4):
        value, at = _varint(plain, at)
        ranges = value if index == 2 else ranges
    for _ in range(min(ranges, 256) * 2 + (3 if kind == 3 else 0)):
        _, at = _varint(plain, at)
    return at

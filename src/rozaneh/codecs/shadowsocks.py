"""Shadowsocks with the AEAD ciphers of 2017 (SIP004, SIP007) and its links (SIP002), as bytes in and values out.

Theory of operation. Each direction begins with a random salt. From the salt and a key that comes from the password, a
subkey is derived (HKDF-SHA1). Then follow chunks: two bytes of length and their tag, payload and its tag, each sealed
with the next nonce. The client's first payload begins with the address that it wants. Sources: shadowsocks.org,
"AEAD ciphers" and "SIP002 URI scheme"; the prefix is Outline's (github.com/Jigsaw-Code/outline-sdk, ``prefix``).
"""

import base64
import binascii
import hashlib
import ipaddress
import secrets
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rozaneh.core import RemoteFault, SpecError, TargetError
from rozaneh.core.target import clean_host

Aead = AESGCM | ChaCha20Poly1305

LARGEST_CHUNK = 0x3FFF

_TAG = 16
_NONCE = 12
_LONGEST_PREFIX = 16
_IPV4, _NAME, _IPV6 = 1, 3, 4


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A cipher of 2017.

    Attributes:
        name: as it stands in links.
        key_size: bytes of key, and of salt.
        cipher: makes the cipher from a subkey.
    """

    name: str
    key_size: int
    cipher: Callable[[bytes], Aead]


METHODS = {
    method.name: method
    for method in (
        Method(name="aes-128-gcm", key_size=16, cipher=AESGCM),
        Method(name="aes-192-gcm", key_size=24, cipher=AESGCM),
        Method(name="aes-256-gcm", key_size=32, cipher=AESGCM),
        Method(name="chacha20-ietf-poly1305", key_size=32, cipher=ChaCha20Poly1305),
    )
}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What an ``ss://`` link says.

    Attributes:
        method: the cipher's name.
        password: the secret.
        host: the server's name or address.
        port: its port.
        prefix: bytes that the client's salt begins with, so that the stream looks like another protocol at first.
        name: what the link calls itself.
    """

    method: str
    password: str
    host: str
    port: int
    prefix: bytes = b""
    name: str = ""

    def __repr__(self) -> str:
        return f"Link(method={self.method!r}, host={self.host!r}, port={self.port}, password='***')"


def parse_link(text: str) -> Link:
    """Read a link: SIP002, with the user part in base64url or percent-encoded, or the older form all in base64.

    Keys of the query that are not known are passed over; ``plugin`` is refused, because it names a program to run.

    Raises:
        SpecError: the text is no such link; the message says which part is wrong and never repeats the password.
    """
    if not text.startswith("ss://"):
        raise SpecError("not a Shadowsocks link: it begins with ss://")
    body, _, fragment = text.removeprefix("ss://").partition("#")
    if "@" in body:
        user, _, place = body.partition("@")
        login = unquote(user) if ":" in user else _unwrapped(unquote(user), "method and password")
    else:
        login, _, place = _unwrapped(body.rstrip("/"), "the whole link").rpartition("@")
    parts = _split(place)
    method, colon, password = login.partition(":")
    if method.lower() not in METHODS:
        raise SpecError(f"cipher {method[:40]!r} is not spoken here; expected one of {', '.join(METHODS)}")
    if not colon or not password:
        raise SpecError("the password is missing")
    host, port = _place(parts)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.get("plugin"):
        raise SpecError(
            "the link asks for a plugin, which is a program of its own; ask its owner for a link without one"
        )
    return Link(
        method=method.lower(),
        password=password,
        host=host,
        port=port,
        prefix=_prefix(query.get("prefix", "")),
        name=unquote(fragment)[:100],
    )


def _split(place: str) -> SplitResult:
    try:
        return urlsplit(f"ss://{place}")
    except ValueError as error:
        raise SpecError(f"the server is not host:port ({error})") from None


def _unwrapped(text: str, what: str) -> str:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True).decode()
    except (binascii.Error, ValueError):
        raise SpecError(f"{what} should be base64 there, or host and port are missing") from None


def _place(parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = clean_host(parts.hostname or ""), parts.port
    except (TargetError, ValueError) as error:
        raise SpecError(f"the server is not host:port ({error})") from None
    if not port:
        raise SpecError("the server's port is missing, as in ss://...@host:8388")
    return host, port


def _prefix(text: str) -> bytes:
    try:
        prefix = text.encode("latin-1")
    except UnicodeEncodeError:
        raise SpecError("the prefix has characters above U+00FF") from None
    if len(prefix) > _LONGEST_PREFIX:
        raise SpecError(f"the prefix has {len(prefix)} bytes; more than {_LONGEST_PREFIX} leave too little salt")
    return prefix


def key_from_password(password: str, size: int) -> bytes:
    """The key that a password stands for: EVP_BytesToKey of OpenSSL with MD5 and no salt, as everybody does it here."""
    key = digest = b""
    while len(key) < size:
        digest = hashlib.md5(digest + password.encode(), usedforsecurity=False).digest()
        key += digest
    return key[:size]


def address_header(host: str, port: int) -> bytes:
    """The address that begins a client's payload: a type, a name or an IP address, and a port."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", "replace")[:255]
        place = bytes([_NAME, len(name)]) + name
    else:
        place = bytes([_IPV4 if ip.version == 4 else _IPV6]) + ip.packed
    return place + port.to_bytes(2, "big")


class _Sealer:
    """A cipher whose nonce counts up, little-endian, with each use."""

    def __init__(self, method: Method, key: bytes, salt: bytes) -> None:
        # SHA-1 is what the protocol says; as a key derivation it is not known to be weak.
        derived = HKDF(hashes.SHA1(), method.key_size, salt, b"ss-subkey")  # noqa: S303 - fixed by the protocol
        self._aead = method.cipher(derived.derive(key))
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(_NONCE, "little")
        self._count += 1
        return nonce

    def seal(self, data: bytes) -> bytes:
        return self._aead.encrypt(self._nonce(), data, None)

    def open(self, data: bytes) -> bytes:
        try:
            return self._aead.decrypt(self._nonce(), data, None)
        except InvalidTag:
            raise RemoteFault(
                "a Shadowsocks chunk fails its check: another password or cipher, or changed bytes"
            ) from None


class Encoder:
    """One direction, outwards.

    Args:
        method: the cipher.
        key: from :func:`key_from_password`.
        prefix: bytes that the salt begins with.
        salt: for tests; fresh random bytes otherwise.
    """

    def __init__(self, method: Method, key: bytes, *, prefix: bytes = b"", salt: bytes | None = None) -> None:
        fresh = prefix + secrets.token_bytes(max(0, method.key_size - len(prefix)))
        self._unsent_salt = fresh if salt is None else salt
        self._sealer = _Sealer(method, key, self._unsent_salt)

    def encode(self, data: bytes) -> bytes:
        """The chunks that carry these bytes, with the salt before the first."""
        out = [self._unsent_salt]
        self._unsent_salt = b""
        for start in range(0, len(data), LARGEST_CHUNK):
            piece = data[start : start + LARGEST_CHUNK]
            out += [self._sealer.seal(len(piece).to_bytes(2, "big")), self._sealer.seal(piece)]
        return b"".join(out)


class Decoder:
    """One direction, inwards. It holds at most one chunk."""

    def __init__(self, method: Method, key: bytes) -> None:
        self._method = method
        self._key = key
        self._sealer: _Sealer | None = None
        self._length: int | None = None
        self._held = bytearray()

    def decode(self, data: bytes) -> bytes:
        """Take bytes from the other end, return the payload that they complete.

        Raises:
            RemoteFault: a chunk fails its check; nothing after it can be read.
        """
        self._held += data
        out = []
        while (piece := self._step()) is not None:
            out.append(piece)
        return b"".join(out)

    def _step(self) -> bytes | None:
        if self._sealer is None:
            salt = self._taken(self._method.key_size)
            if salt is None:
                return None
            self._sealer = _Sealer(self._method, self._key, salt)
        if self._length is None:
            sealed = self._taken(2 + _TAG)
            if sealed is None:
                return None
            self._length = int.from_bytes(self._sealer.open(sealed), "big") & LARGEST_CHUNK
        sealed = self._taken(self._length + _TAG)
        if sealed is None:
            return None
        self._length = None
        return self._sealer.open(sealed)

    def _taken(self, size: int) -> bytes | None:
        if len(self._held) < size:
            return None
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

"""Shadowsocks with the AEAD ciphers of 2017 (SIP004, SIP007), as bytes in and values out.

Theory of operation. Each direction begins with a random salt. From the salt and a key that comes from the password, a
subkey is derived (HKDF-SHA1). Then follow chunks: two bytes of length and their tag, payload and its tag, each sealed
with the next nonce. The client's first payload begins with the address that it wants. Sources: shadowsocks.org,
"AEAD ciphers" and "SIP002 URI scheme"; the prefix is Outline's (github.com/Jigsaw-Code/outline-sdk, ``prefix``).
"""

import hashlib
import secrets
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rozaneh.codecs.counted import TAG, Counted, Opening, Readable
from rozaneh.core import RemoteFault

Aead = AESGCM | ChaCha20Poly1305

LARGEST_CHUNK = 0x3FFF


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


def key_from_password(password: str, size: int) -> bytes:
    """The key that a password stands for: EVP_BytesToKey of OpenSSL with MD5 and no salt, as everybody does it here."""
    key = digest = b""
    while len(key) < size:
        digest = hashlib.md5(digest + password.encode(), usedforsecurity=False).digest()
        key += digest
    return key[:size]


def _session(method: Method, key: bytes, salt: bytes) -> Counted:
    # SHA-1 is what the protocol says; as a key derivation it is not known to be weak.
    derived = HKDF(hashes.SHA1(), method.key_size, salt, b"ss-subkey")  # noqa: S303 - fixed by the protocol
    return Counted(method.cipher(derived.derive(key)))


def seal_datagram(method: Method, key: bytes, plain: bytes) -> bytes:
    """One datagram: a salt of its own, then address and data sealed with the first nonce (SIP004, "UDP")."""
    salt = secrets.token_bytes(method.key_size)
    return salt + _session(method, key, salt).seal(plain)


def open_datagram(method: Method, key: bytes, sealed: bytes) -> bytes:
    """What is in one datagram.

    Raises:
        RemoteFault: it fails its check.
    """
    if len(sealed) < method.key_size + TAG:
        raise RemoteFault("a datagram that is shorter than its salt")
    return _session(method, key, sealed[: method.key_size]).open(sealed[method.key_size :])


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
        self._sealer = _session(method, key, self._unsent_salt)

    def encode(self, data: Readable) -> bytes:
        """The chunks that carry these bytes, with the salt before the first."""
        salt, self._unsent_salt = self._unsent_salt, b""
        chunks = self._sealer.seal_chunks(data, LARGEST_CHUNK)
        return salt + chunks if salt else chunks


class Decoder(Opening):
    """One direction, inwards. It holds at most what came with the beginning of one chunk."""

    def __init__(self, method: Method, key: bytes) -> None:
        super().__init__(LARGEST_CHUNK)
        self._method = method
        self._key = key

    def _begin(self, sealed: memoryview) -> tuple[Counted, int, None] | None:
        size = self._method.key_size
        if len(sealed) < size:
            return None
        return _session(self._method, self._key, bytes(sealed[:size])), size, None

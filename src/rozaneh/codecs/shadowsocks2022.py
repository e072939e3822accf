"""Shadowsocks of 2022 (SIP022) with identity headers (SIP023), a client's side of TCP, as bytes in and values out.

Theory of operation. A request is a salt, perhaps identity headers, a sealed head of fixed length (kind, time,
length), a sealed head of variable length (address, padding, first payload), then chunks as in 2017. A response is a
salt, a head that repeats the request's salt, then chunks. Subkeys come from key and salt by BLAKE3. The time, and
the salt that is repeated, are what keeps a recording from being played back. Source: shadowsocks.org, SIP022 and
SIP023.
"""

import secrets
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rozaneh.codecs.counted import TAG, Counted, Opening, Readable
from rozaneh.core import RemoteFault

LARGEST_CHUNK = 0xFFFF
LATE = 30
"""Seconds by which the other end's clock may differ."""

_REQUEST, _RESPONSE = 0, 1
_MOST_PADDING = 900
_SESSION = "shadowsocks 2022 session subkey"
_IDENTITY = "shadowsocks 2022 identity subkey"


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A cipher of 2022.

    Attributes:
        name: as it stands in links.
        key_size: bytes of key, and of salt.
        cipher: makes the cipher from a subkey.
    """

    name: str
    key_size: int
    cipher: Callable[[bytes], AESGCM | ChaCha20Poly1305]


METHODS = {
    method.name: method
    for method in (
        Method(name="2022-blake3-aes-128-gcm", key_size=16, cipher=AESGCM),
        Method(name="2022-blake3-aes-256-gcm", key_size=32, cipher=AESGCM),
        Method(name="2022-blake3-chacha20-poly1305", key_size=32, cipher=ChaCha20Poly1305),
    )
}


def session(method: Method, key: bytes, salt: bytes) -> Counted:
    """The cipher of one direction of one session."""
    subkey = blake3(key + salt, derive_key_context=_SESSION).digest(method.key_size)
    return Counted(method.cipher(subkey))


class Encoder:
    """A request, outwards.

    Args:
        method: the cipher.
        keys: the user's last; those before open the identity headers.
        address: what is asked for, as :func:`rozaneh.codecs.socks_address.address_header` makes it.
        now: seconds since the epoch.
        salt: for tests; fresh random bytes otherwise.
        prefix: bytes that the salt begins with.
    """

    def __init__(
        self,
        method: Method,
        keys: Sequence[bytes],
        address: bytes,
        *,
        now: int,
        salt: bytes | None = None,
        prefix: bytes = b"",
    ) -> None:
        fresh = prefix + secrets.token_bytes(max(0, method.key_size - len(prefix)))
        self.salt = fresh if salt is None else salt
        self._sealer = session(method, keys[-1], self.salt)
        self._open = self.salt + b"".join(_identity(one, other, self.salt) for one, other in pairwise(keys))
        self._address: bytes | None = address
        self._now = now

    def encode(self, data: Readable) -> bytes:
        """The bytes that carry these, with the heads before the first; without any payload there is padding."""
        if self._address is None:
            return self._sealer.seal_chunks(data, LARGEST_CHUNK)
        first, data = data[: LARGEST_CHUNK - _MOST_PADDING - 300], data[LARGEST_CHUNK - _MOST_PADDING - 300 :]
        padding = secrets.token_bytes(0 if first else 1 + secrets.randbelow(_MOST_PADDING))
        variable = self._address + len(padding).to_bytes(2, "big") + padding + first
        fixed = bytes([_REQUEST]) + self._now.to_bytes(8, "big") + len(variable).to_bytes(2, "big")
        self._address = None
        heads = self._open + self._sealer.seal(fixed) + self._sealer.seal(variable)
        return heads + self._sealer.seal_chunks(data, LARGEST_CHUNK)


class Decoder(Opening):
    """A response, inwards. It holds at most what came with the beginning of one chunk.

    Args:
        method: the cipher.
        key: the user's.
        request_salt: that of the request which this has to answer.
        now: seconds since the epoch.
    """

    def __init__(self, method: Method, key: bytes, request_salt: bytes, *, now: Callable[[], float]) -> None:
        super().__init__(LARGEST_CHUNK)
        self._method = method
        self._key = key
        self._request_salt = request_salt
        self._now = now

    def _begin(self, sealed: memoryview) -> tuple[Counted, int, int] | None:
        salt = self._method.key_size
        size = salt + 1 + 8 + salt + 2 + TAG
        if len(sealed) < size:
            return None
        sealer = session(self._method, self._key, bytes(sealed[:salt]))
        length = self._checked(sealer.open(sealed[salt:size]))
        return sealer, size, int.from_bytes(length, "big")

    def _checked(self, head: bytes) -> bytes:
        kind, then, salt = head[0], int.from_bytes(head[1:9], "big"), head[9:-2]
        if kind != _RESPONSE or salt != self._request_salt:
            raise RemoteFault("a Shadowsocks server answers another request than ours")
        if abs(then - self._now()) > LATE:
            raise RemoteFault("a Shadowsocks server answers with another time: its clock or this one is wrong")
        return head[-2:]


def _identity(key: bytes, following: bytes, salt: bytes) -> bytes:
    """An identity header: the beginning of the next key's hash, in one block of AES (SIP023)."""
    subkey = blake3(key + salt, derive_key_context=_IDENTITY).digest(len(key))
    block = Cipher(algorithms.AES(subkey), modes.ECB())  # noqa: S305 - one block under a key used once, as SIP023 says
    encryptor = block.encryptor()
    return encryptor.update(blake3(following).digest(16)) + encryptor.finalize()

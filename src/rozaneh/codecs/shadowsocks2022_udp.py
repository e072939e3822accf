"""Datagrams of Shadowsocks of 2022 (SIP022) with identity headers (SIP023), a client's side, bytes in and values out.

Theory of operation. Whoever sends has a session with a number, and counts its packets. A packet begins with both, as
one block of AES under the key itself; then, where there are several keys, come identity headers, one block each; then
what is sealed under a subkey of that session, with the last twelve bytes of the block, before it was encrypted, as
nonce. Inside stand kind, time, in an answer the number of the session that it belongs to, padding, address and data. An
answer is taken once: its number lies in a window behind the highest that was seen of its session (as in RFC 6479).

The method with ChaCha20 seals its datagrams by XChaCha20-Poly1305, which the library of ciphers does not have; so it
has no entry in :data:`METHODS`. Source: shadowsocks.org, SIP022 and SIP023.
"""

import secrets
from collections.abc import Sequence
from itertools import pairwise

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rozaneh.codecs.shadowsocks2022 import LATE
from rozaneh.codecs.shadowsocks2022 import METHODS as OF_STREAMS
from rozaneh.core import RemoteFault

METHODS = {name: method for name, method in OF_STREAMS.items() if method.cipher is AESGCM}

_BLOCK = 16
_TAG = 16
_TO_SERVER, _TO_CLIENT = 0, 1
_HEAD = 1 + 8 + 8 + 2
_MOST_PADDING = 900
_DNS = (53).to_bytes(2, "big")
_WINDOW = 1024
_SESSION = "shadowsocks 2022 session subkey"
_MOST_SESSIONS = 2
"""Of the server: it may begin a new one while packets of the one before are still under way."""


class Association:
    """One session of ours with one server, and what it hears from there.

    Args:
        keys: the user's last; those before open the identity headers.
        session: eight bytes, for tests; fresh random ones otherwise.
    """

    def __init__(self, keys: Sequence[bytes], *, session: bytes | None = None) -> None:
        self.session = secrets.token_bytes(8) if session is None else session
        self._keys = tuple(keys)
        self._cipher = _cipher(keys[-1], self.session)
        self._sent = 0
        self._heard: dict[bytes, tuple[AESGCM, _Window]] = {}

    def seal(self, address: bytes, data: bytes, *, now: float) -> bytes:
        """One datagram for the server.

        Args:
            address: where it is to go, as :func:`rozaneh.codecs.socks_address.address_header` makes it.
            data: what is in it.
            now: seconds since the epoch.
        """
        head = self.session + self._sent.to_bytes(8, "big")
        self._sent += 1
        # A lookup's length tells much of the name, so lookups alone are padded, as other clients do.
        padding = secrets.token_bytes(1 + secrets.randbelow(_MOST_PADDING) if address.endswith(_DNS) else 0)
        body = bytes([_TO_SERVER]) + int(now).to_bytes(8, "big") + len(padding).to_bytes(2, "big") + padding
        identities = b"".join(_identity(one, other, head) for one, other in pairwise(self._keys))
        sealed = self._cipher.encrypt(head[4:], body + address + data, None)
        return _encrypted(self._keys[0], head) + identities + sealed

    def open(self, message: bytes, *, now: float) -> bytes:
        """What is in one datagram of the server: address and data.

        Args:
            message: the datagram.
            now: seconds since the epoch.

        Raises:
            RemoteFault: it fails a check, is late, is for another session, or was there before.
        """
        if len(message) < _BLOCK + _HEAD + _TAG:
            raise RemoteFault("a Shadowsocks datagram that is too short")
        head = _decrypted(self._keys[-1], message[:_BLOCK])
        theirs = head[:8]
        cipher, window = self._heard.get(theirs) or (_cipher(self._keys[-1], theirs), _Window())
        try:
            plain = cipher.decrypt(head[4:], message[_BLOCK:], None)
        except InvalidTag:
            raise RemoteFault("a Shadowsocks datagram fails its check") from None
        kind, then, ours = plain[0], int.from_bytes(plain[1:9], "big"), plain[9:17]
        if kind != _TO_CLIENT or ours != self.session:
            raise RemoteFault("a Shadowsocks datagram for somebody else")
        if abs(then - now) > LATE:
            raise RemoteFault("a Shadowsocks server sends another time: its clock or this one is wrong")
        start = _HEAD + int.from_bytes(plain[17:_HEAD], "big")
        if start > len(plain):
            raise RemoteFault("a Shadowsocks datagram whose padding ends beyond it")
        if not window.take(int.from_bytes(head[8:], "big")):
            raise RemoteFault("a Shadowsocks datagram that was there before")
        self._keep(theirs, cipher, window)
        return plain[start:]

    def _keep(self, theirs: bytes, cipher: AESGCM, window: "_Window") -> None:
        if theirs not in self._heard:
            while len(self._heard) >= _MOST_SESSIONS:
                self._heard.pop(next(iter(self._heard)))
            self._heard[theirs] = (cipher, window)


class _Window:
    """The numbers that were there before, of the highest and those not far behind it."""

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0

    def take(self, number: int) -> bool:
        """Whether a number is new; it is not from now on. What lies behind the window counts as seen."""
        behind = self._highest - number
        if behind < 0:
            self._seen = ((self._seen << min(-behind, _WINDOW)) | 1) & ((1 << _WINDOW) - 1)
            self._highest = number
            return True
        if behind >= _WINDOW or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True


def _cipher(key: bytes, session: bytes) -> AESGCM:
    return AESGCM(blake3(key + session, derive_key_context=_SESSION).digest(len(key)))


def _identity(key: bytes, following: bytes, head: bytes) -> bytes:
    """An identity header: the beginning of the next key's hash, mixed with the head so that no two are the same."""
    mixed = int.from_bytes(blake3(following).digest(_BLOCK), "big") ^ int.from_bytes(head, "big")
    return _encrypted(key, mixed.to_bytes(_BLOCK, "big"))


def _encrypted(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - one block that never repeats, as SIP022 says
    return encryptor.update(block) + encryptor.finalize()


def _decrypted(key: bytes, block: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - the same
    return decryptor.update(block) + decryptor.finalize()

"""Datagrams of Shadowsocks of 2022 (SIP022) with identity headers (SIP023), a client's side, bytes in and values out.

Theory of operation. Whoever sends has a session with a number, and counts its packets; both are the head of a packet.
With AES it stands first, as one block under the key itself; then, where there are several keys, come identity headers,
one block each; then what is sealed under a subkey of that session, with the last twelve bytes of the head, before it
was encrypted, as nonce. With ChaCha20 a random nonce of 24 bytes stands first, and all the rest, the head too, is
sealed under the key itself by XChaCha20-Poly1305. Inside stand kind, time, in an answer the number of the session that
it belongs to, padding, address and data. An answer is taken once: its number lies in a window behind the highest that
was seen of its session (as in RFC 6479).

Source: shadowsocks.org, SIP022 and SIP023.
"""

import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl import bindings as nacl
from nacl.exceptions import CryptoError

from rozaneh.codecs.shadowsocks2022 import LATE, Method
from rozaneh.core import RemoteFault

_BLOCK = 16
_NONCE = 24
_TAG = 16
_TO_SERVER, _TO_CLIENT = 0, 1
_BEGINNING = 1 + 8 + 8 + 2
_MOST_PADDING = 900
_DNS = (53).to_bytes(2, "big")
_WINDOW = 1024
_SESSION = "shadowsocks 2022 session subkey"
_MOST_SESSIONS = 2
"""Of the server: it may begin a new one while packets of the one before are still under way."""


class Association:
    """One session of ours with one server, and what it hears from there.

    Args:
        method: the cipher.
        keys: the user's last; those before open the identity headers, which only AES has.
        session: eight bytes, for tests; fresh random ones otherwise.
    """

    def __init__(self, method: Method, keys: Sequence[bytes], *, session: bytes | None = None) -> None:
        self.session = secrets.token_bytes(8) if session is None else session
        self._packets: _Packets = _WithAes(keys) if method.cipher is AESGCM else _WithXChaCha(keys[-1])
        self._sent = 0
        self._heard: dict[bytes, _Window] = {}

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
        return self._packets.seal(head, body + address + data)

    def open(self, message: bytes, *, now: float) -> bytes:
        """What is in one datagram of the server: address and data.

        Args:
            message: the datagram.
            now: seconds since the epoch.

        Raises:
            RemoteFault: it fails a check, is late, is for another session, or was there before.
        """
        head, plain = self._packets.open(message)
        kind, then, ours = plain[0], int.from_bytes(plain[1:9], "big"), plain[9:17]
        if kind != _TO_CLIENT or ours != self.session:
            raise RemoteFault("a Shadowsocks datagram for somebody else")
        if abs(then - now) > LATE:
            raise RemoteFault("a Shadowsocks server sends another time: its clock or this one is wrong")
        start = _BEGINNING + int.from_bytes(plain[17:_BEGINNING], "big")
        if start > len(plain):
            raise RemoteFault("a Shadowsocks datagram whose padding ends beyond it")
        window = self._heard.get(head[:8]) or _Window()
        if not window.take(int.from_bytes(head[8:], "big")):
            raise RemoteFault("a Shadowsocks datagram that was there before")
        if head[:8] not in self._heard:
            while len(self._heard) >= _MOST_SESSIONS:
                self._heard.pop(next(iter(self._heard)))
            self._heard[head[:8]] = window
        return plain[start:]


class _Packets(Protocol):
    """How a head and what follows it become a packet, and back."""

    def seal(self, head: bytes, body: bytes) -> bytes:
        """A packet for the server."""

    def open(self, message: bytes) -> tuple[bytes, bytes]:
        """The head of a server's packet and what follows, which is no shorter than what every answer begins with.

        Raises:
            RemoteFault: it is too short, or fails its check.
        """


class _WithAes:
    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)
        self._ours: tuple[bytes, AESGCM] | None = None
        self._theirs: tuple[bytes, AESGCM] | None = None

    def seal(self, head: bytes, body: bytes) -> bytes:
        self._ours = self._of(head, self._ours)
        identities = b"".join(_identity(one, other, head) for one, other in pairwise(self._keys))
        return _encrypted(self._keys[0], head) + identities + self._ours[1].encrypt(head[4:], body, None)

    def open(self, message: bytes) -> tuple[bytes, bytes]:
        if len(message) < _BLOCK + _BEGINNING + _TAG:
            raise RemoteFault("a Shadowsocks datagram that is too short")
        head = _decrypted(self._keys[-1], message[:_BLOCK])
        known = self._of(head, self._theirs)
        try:
            plain = known[1].decrypt(head[4:], message[_BLOCK:], None)
        except InvalidTag:
            raise RemoteFault("a Shadowsocks datagram fails its check") from None
        self._theirs = known
        return head, plain

    def _of(self, head: bytes, last: tuple[bytes, AESGCM] | None) -> tuple[bytes, AESGCM]:
        """The session of a head and its cipher, which mostly is the last one."""
        session, key = head[:8], self._keys[-1]
        if last is not None and last[0] == session:
            return last
        return session, AESGCM(blake3(key + session, derive_key_context=_SESSION).digest(len(key)))


class _WithXChaCha:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, head: bytes, body: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + nacl.crypto_aead_xchacha20poly1305_ietf_encrypt(head + body, None, nonce, self._key)

    def open(self, message: bytes) -> tuple[bytes, bytes]:
        if len(message) < _NONCE + _BLOCK + _BEGINNING + _TAG:
            raise RemoteFault("a Shadowsocks datagram that is too short")
        nonce, sealed = message[:_NONCE], message[_NONCE:]
        try:
            plain = nacl.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, None, nonce, self._key)
        except CryptoError:
            raise RemoteFault("a Shadowsocks datagram fails its check") from None
        return plain[:_BLOCK], plain[_BLOCK:]


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

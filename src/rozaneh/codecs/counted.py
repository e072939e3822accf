"""What both editions of Shadowsocks have in common (SIP004, SIP022): a nonce that counts up, and sealed chunks."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rozaneh.core import RemoteFault

_NONCE = 12


class Counted:
    """A cipher of one direction of one session.

    Args:
        cipher: made with that session's own key, which no other session may ever have.
    """

    def __init__(self, cipher: AESGCM | ChaCha20Poly1305) -> None:
        self._cipher = cipher
        self._decrypt = cipher.decrypt
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(_NONCE, "little")
        self._count += 1
        return nonce

    def seal(self, data: bytes) -> bytes:
        """Seal one piece."""
        return self._cipher.encrypt(self._nonce(), data, None)

    def open(self, data: bytes) -> bytes:
        """Open one piece.

        Raises:
            RemoteFault: it fails its check.
        """
        nonce = self._count.to_bytes(_NONCE, "little")
        self._count += 1
        try:
            return self._decrypt(nonce, data, None)
        except InvalidTag:
            raise RemoteFault(
                "a Shadowsocks chunk fails its check: another password or cipher, or changed bytes"
            ) from None


class Held:
    """Bytes that have come and are taken out again in pieces of known size; what is left over is copied once a time."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    def add(self, data: bytes) -> None:
        """More have come."""
        left = self._data[self._at :]
        self._data, self._at = left + data if left else data, 0

    def take(self, size: int) -> bytes | None:
        """The next piece; none while it is not there as a whole."""
        end = self._at + size
        if end > len(self._data):
            return None
        taken, self._at = self._data[self._at : end], end
        return taken

"""An AEAD whose nonce counts up with each use, as both editions of Shadowsocks have it (SIP004, SIP022)."""

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
        try:
            return self._cipher.decrypt(self._nonce(), data, None)
        except InvalidTag:
            raise RemoteFault(
                "a Shadowsocks chunk fails its check: another password or cipher, or changed bytes"
            ) from None

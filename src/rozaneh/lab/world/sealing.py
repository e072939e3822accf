"""What the lab's Shadowsocks servers of 2017 and of 2022 have in common: pieces under a counted nonce, and silence."""

import asyncio

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rozaneh.core import RemoteFault
from rozaneh.lab.world.doors import IDLE_SECONDS, Stream


class Sealer:
    """One direction: pieces under a nonce that counts."""

    def __init__(self, aead: AESGCM | ChaCha20Poly1305) -> None:
        self._aead = aead
        self._used = 0

    def _nonce(self) -> bytes:
        self._used += 1
        return (self._used - 1).to_bytes(12, "little")

    def seal(self, data: bytes) -> bytes:
        """The next piece, encrypted, with its tag."""
        return self._aead.encrypt(self._nonce(), data, None)

    def unseal(self, data: bytes) -> bytes:
        """The next piece, decrypted.

        Raises:
            RemoteFault: it was not made with this key, or not in this place.
        """
        try:
            return self._aead.decrypt(self._nonce(), data, None)
        except InvalidTag:
            raise RemoteFault("not encrypted with this key") from None


async def swallow(stream: Stream) -> None:
    """Read and say nothing, until they leave."""
    async with asyncio.timeout(IDLE_SECONDS):
        while await stream.some():
            pass

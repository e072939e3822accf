"""What both editions of Shadowsocks have in common (SIP004, SIP022): a nonce that counts up, and sealed chunks.

Theory of operation. A chunk is two bytes of length and their tag, then payload and its tag. A gigabyte is 60,000 of
them, so they are sealed and opened from buffer to buffer (:meth:`Counted.seal_chunks`, :meth:`Counted.open_chunks`):
no object is made for a chunk, and no byte that comes is copied but by the cipher.
"""

from abc import ABC, abstractmethod

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rozaneh.core import RemoteFault

Readable = bytes | memoryview

TAG = 16
_NONCE = 12
_LENGTH = 2
_HEAD = _LENGTH + TAG


class Counted:
    """A cipher of one direction of one session.

    Args:
        cipher: made with that session's own key, which no other session may ever have.
    """

    def __init__(self, cipher: AESGCM | ChaCha20Poly1305) -> None:
        self._cipher = cipher
        self._count = 0
        self._length = bytearray(_LENGTH)

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(_NONCE, "little")
        self._count += 1
        return nonce

    def seal(self, data: Readable) -> bytes:
        """Seal one piece."""
        return self._cipher.encrypt(self._nonce(), data, None)

    def open(self, data: Readable) -> bytes:
        """Open one piece.

        Raises:
            RemoteFault: it fails its check.
        """
        try:
            return self._cipher.decrypt(self._nonce(), data, None)
        except InvalidTag:
            raise _fails() from None

    def seal_chunks(self, data: Readable, most: int) -> bytes:
        """The chunks that carry these bytes.

        Args:
            data: payload.
            most: payload of one chunk at most.
        """
        size = len(data)
        chunks = bytearray(size + -(-size // most) * (_HEAD + TAG))
        plain, sealed = memoryview(data), memoryview(chunks)
        encrypt, nonce = self._cipher.encrypt_into, self._nonce
        at = 0
        for start in range(0, size, most):
            piece = plain[start : start + most]
            end = at + _HEAD + len(piece) + TAG
            encrypt(nonce(), len(piece).to_bytes(_LENGTH, "big"), None, sealed[at : at + _HEAD])
            encrypt(nonce(), piece, None, sealed[at + _HEAD : end])
            at = end
        return bytes(chunks)

    def open_chunks(
        self, sealed: memoryview, plain: memoryview, most: int, due: int | None
    ) -> tuple[int, int, int | None]:
        """Open the chunks that have come as a whole.

        Args:
            sealed: what has come and was not taken yet.
            plain: where to put the payload; at least as large.
            most: the bits of a length that count.
            due: the length of the first chunk, where it was taken already.

        Returns:
            How many bytes were taken, how many were put, and the length of the next chunk where that was taken.

        Raises:
            RemoteFault: a chunk fails its check; nothing after it can be read.
        """
        decrypt, count, length, size = self._cipher.decrypt_into, self._count, self._length, len(sealed)
        taken = put = 0
        try:
            while True:
                if due is None:
                    end = taken + _HEAD
                    if end > size:
                        break
                    decrypt(count.to_bytes(_NONCE, "little"), sealed[taken:end], None, length)
                    due = int.from_bytes(length, "big") & most
                    count += 1
                    taken = end
                end = taken + due + TAG
                if end > size:
                    break
                decrypt(count.to_bytes(_NONCE, "little"), sealed[taken:end], None, plain[put : put + due])
                count += 1
                put += due
                taken, due = end, None
        except InvalidTag:
            raise _fails() from None
        self._count = count
        return taken, put, due


def _fails() -> RemoteFault:
    return RemoteFault("a Shadowsocks chunk fails its check: another password or cipher, or changed bytes")


class Opening(ABC):
    """One direction, inwards: chunks after a beginning of which each edition has its own.

    Args:
        most: the bits of a chunk's length that count.

    Attributes:
        held: what has come of something that is not there as a whole.
    """

    def __init__(self, most: int) -> None:
        self.held = b""
        self._most = most
        self._sealer: Counted | None = None
        self._due: int | None = None

    def midway(self) -> bool:
        """Whether the length of a chunk has been taken and the chunk has not."""
        return self._due is not None

    @abstractmethod
    def _begin(self, sealed: memoryview) -> tuple[Counted, int, int | None] | None:
        """Read the beginning; none while it is not there as a whole.

        Returns:
            The cipher of what follows, the size of the beginning, and the length of the first chunk if it said that.
        """

    def decode_into(self, sealed: memoryview, plain: memoryview) -> tuple[int, int]:
        """Open what has come as a whole, beginning with what was not taken the last time.

        Args:
            sealed: what has come and was not taken yet.
            plain: where to put the payload; at least as large.

        Returns:
            How many bytes were taken, and how many were put.

        Raises:
            RemoteFault: a check fails; nothing after it can be read.
        """
        begun = 0
        if self._sealer is None:
            beginning = self._begin(sealed)
            if beginning is None:
                return 0, 0
            self._sealer, begun, self._due = beginning
            sealed = sealed[begun:]
        taken, put, self._due = self._sealer.open_chunks(sealed, plain, self._most, self._due)
        return begun + taken, put

    def decode(self, data: bytes) -> bytes:
        """Take bytes from the other end, return the payload that they complete; what is left over is held.

        Raises:
            RemoteFault: a check fails; nothing after it can be read.
        """
        sealed = memoryview(self.held + data)
        plain = memoryview(bytearray(len(sealed)))
        taken, put = self.decode_into(sealed, plain)
        self.held = bytes(sealed[taken:])
        return bytes(plain[:put])

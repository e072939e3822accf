"""A Shadowsocks server (AEAD ciphers of 2017), written apart from the product's so that each checks the other.

Source: shadowsocks.org, "AEAD Ciphers" (SIP004), and "Stream format"; the key derivation is OpenSSL's
EVP_BytesToKey with MD5 and then HKDF-SHA1 with the text ``ss-subkey``.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.lab.topology import Service
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import option_text
from rozaneh.lab.world.doors import HANDSHAKE_SECONDS, IDLE_SECONDS, Caller, Stream
from rozaneh.lab.world.relays import Destination, read_destination
from rozaneh.lab.world.sealing import Sealer, swallow

_KEY_LENGTHS = {"aes-128-gcm": 16, "aes-256-gcm": 32, "chacha20-ietf-poly1305": 32}
_TAG = 16
_LONGEST_CHUNK = 0x3FFF


def cipher(method: str, password: str, salt: bytes) -> Sealer:
    """One direction of a connection: a key derived from password and salt."""
    length = key_length(method)
    # The protocol prescribes MD5 and SHA-1 here; neither carries its security.
    master, last = b"", b""
    while len(master) < length:
        last = hashlib.md5(last + password.encode(), usedforsecurity=False).digest()
        master += last
    key = HKDF(algorithm=SHA1(), length=length, salt=salt, info=b"ss-subkey").derive(master[:length])  # noqa: S303 - prescribed
    return Sealer(AESGCM(key) if method.startswith("aes") else ChaCha20Poly1305(key))


def key_length(method: str) -> int:
    """Bytes of key, and of salt, of a method.

    Raises:
        LocalFault: no such method.
    """
    if method not in _KEY_LENGTHS:
        raise LocalFault(f"Shadowsocks method {method!r} is unknown; expected one of {', '.join(_KEY_LENGTHS)}")
    return _KEY_LENGTHS[method]


class ClearText:
    """What a client says, decrypted chunk by chunk."""

    def __init__(self, read: Callable[[int], Awaitable[bytes]], method: str, password: str) -> None:
        self._read = read
        self._method = method
        self._password = password
        self._cipher: Sealer | None = None
        self._left = b""

    async def chunk(self) -> bytes:
        """The next chunk, at most 16,383 bytes.

        Raises:
            RemoteFault: it is not encrypted as it should be.
            EOFError: the stream ended.
        """
        if self._left:
            left, self._left = self._left, b""
            return left
        if self._cipher is None:
            salt = await self._read(key_length(self._method))
            self._cipher = cipher(self._method, self._password, salt)
        length = int.from_bytes(self._cipher.unseal(await self._read(2 + _TAG)), "big")
        if length > _LONGEST_CHUNK:
            raise RemoteFault("a Shadowsocks chunk of this length does not exist")
        return self._cipher.unseal(await self._read(length + _TAG))

    async def exactly(self, count: int) -> bytes:
        """Exactly so many bytes, from as many chunks as that takes."""
        gathered = b""
        while len(gathered) < count:
            gathered += await self.chunk()
        self._left = gathered[count:]
        return gathered[:count]

    async def destination(self) -> Destination:
        """Where the client wants to go: the first thing it says."""
        return await read_destination(self.exactly)


def shadowsocks(service: Service, host: str, dialler: Dialler) -> Callable[[Caller], Awaitable[None]]:
    """A door for Shadowsocks. Strangers get silence until they leave, as from ``ss-server``."""
    method, password = option_text(service, "method", "chacha20-ietf-poly1305"), option_text(service, "password")
    key_length(method)

    async def serve(caller: Caller) -> None:
        stream = await caller.stream()
        clear = ClearText(stream.exactly, method, password)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                wanted = await clear.destination()
        except RemoteFault:
            await swallow(stream)
            return
        far = await dialler.open(host, wanted.host, wanted.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_outwards(clear, far))
                both.create_task(_homewards(far, stream, method, password))
        except* (OSError, EOFError, RemoteFault):
            stream.reset()
            far.reset()
        finally:
            far.close()

    return serve


async def _outwards(clear: ClearText, far: Stream) -> None:
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                data = await clear.chunk()
        except EOFError as error:
            if getattr(error, "partial", b""):
                raise
            await far.end()
            return
        await far.send(data)


async def _homewards(far: Stream, stream: Stream, method: str, password: str) -> None:
    salt = secrets.token_bytes(key_length(method))
    sealer = cipher(method, password, salt)
    pending = salt
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            data = await far.some(_LONGEST_CHUNK)
        if not data:
            await stream.end()
            return
        await stream.send(pending + sealer.seal(len(data).to_bytes(2, "big")) + sealer.seal(data))
        pending = b""

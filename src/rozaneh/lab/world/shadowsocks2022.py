"""A Shadowsocks server of 2022 (SIP022, TCP alone), written apart from the product's so that each checks the other.

A salt is taken once, and a request half a minute off is refused: then whoever sent it gets silence until they leave.
"""

import asyncio
import base64
import binascii
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.lab.topology import Service
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import option_text
from rozaneh.lab.world.doors import HANDSHAKE_SECONDS, IDLE_SECONDS, Caller, Stream
from rozaneh.lab.world.relays import Destination, read_destination
from rozaneh.lab.world.sealing import Sealer, swallow

_Read = Callable[[int], Awaitable[bytes]]

_METHODS: dict[str, tuple[int, type[AESGCM | ChaCha20Poly1305]]] = {
    "2022-blake3-aes-128-gcm": (16, AESGCM),
    "2022-blake3-aes-256-gcm": (32, AESGCM),
    "2022-blake3-chacha20-poly1305": (32, ChaCha20Poly1305),
}
_TAG = 16
_LATE = 30
_MOST_SALTS = 4096
_LONGEST_CHUNK = 0xFFFF


class Key:
    """What the server and its users share.

    Args:
        method: the cipher.
        text: the key in base64.

    Raises:
        LocalFault: no such method, or a key of another length.
    """

    def __init__(self, method: str, text: str) -> None:
        self.size, self._cipher = _METHODS.get(method, (0, AESGCM))
        try:
            self._key = base64.b64decode(text, validate=True)
        except binascii.Error:
            self._key = b""
        if not self.size or len(self._key) != self.size:
            raise LocalFault(f"Shadowsocks of 2022 needs one of {', '.join(_METHODS)} and a key for it in base64")

    def sealer(self, salt: bytes) -> Sealer:
        """The cipher of one direction."""
        from blake3 import blake3  # noqa: PLC0415 - only its users need it

        derived = blake3(self._key + salt, derive_key_context="shadowsocks 2022 session subkey").digest(self.size)
        return Sealer(self._cipher(derived))


class Request:
    """What a client has said first.

    Attributes:
        salt: to be repeated in the answer.
        wanted: where it wants to go.
        first: what it already says.
        sealer: opens what it says next.
    """

    def __init__(self, salt: bytes, wanted: Destination, first: bytes, sealer: Sealer) -> None:
        self.salt = salt
        self.wanted = wanted
        self.first = first
        self.sealer = sealer


async def read_request(read: _Read, key: Key, now: float) -> Request:
    """Read a request's heads.

    Raises:
        RemoteFault: it is none, or late.
        EOFError: it ended before.
    """
    salt = await read(key.size)
    sealer = key.sealer(salt)
    fixed = sealer.unseal(await read(11 + _TAG))
    if fixed[0] or abs(int.from_bytes(fixed[1:9], "big") - now) > _LATE:
        raise RemoteFault("no request, or one of another time")
    head = bytearray(sealer.unseal(await read(int.from_bytes(fixed[9:], "big") + _TAG)))

    async def inside(count: int) -> bytes:
        if len(head) < count:
            raise RemoteFault("a head that ends too soon")
        part = bytes(head[:count])
        del head[:count]
        return part

    wanted = await read_destination(inside)
    padding = int.from_bytes(await inside(2), "big")
    await inside(padding)
    if not padding and not head:
        raise RemoteFault("neither padding nor data, which SIP022 forbids")
    return Request(salt, wanted, bytes(head), sealer)


def shadowsocks2022(service: Service, host: str, dialler: Dialler) -> Callable[[Caller], Awaitable[None]]:
    """A door for Shadowsocks of 2022."""
    method = option_text(service, "method", "2022-blake3-aes-256-gcm")
    key = Key(method, option_text(service, "key"))
    salts: deque[bytes] = deque(maxlen=_MOST_SALTS)

    async def serve(caller: Caller) -> None:
        stream = await caller.stream()
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                request = await read_request(stream.exactly, key, time.time())
        except RemoteFault:
            await swallow(stream)
            return
        if request.salt in salts:  # a recording
            await swallow(stream)
            return
        salts.append(request.salt)
        far = await dialler.open(host, request.wanted.host, request.wanted.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_outwards(stream, request, far))
                both.create_task(_homewards(far, stream, request.salt, key))
        except* (OSError, EOFError, RemoteFault):
            stream.reset()
            far.reset()
        finally:
            far.close()

    return serve


async def _outwards(stream: Stream, request: Request, far: Stream) -> None:
    if request.first:
        await far.send(request.first)
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                length = int.from_bytes(request.sealer.unseal(await stream.exactly(2 + _TAG)), "big")
        except EOFError as error:
            if getattr(error, "partial", b""):
                raise
            await far.end()
            return
        await far.send(request.sealer.unseal(await stream.exactly(length + _TAG)))


async def _homewards(far: Stream, stream: Stream, theirs: bytes, key: Key) -> None:
    salt = secrets.token_bytes(key.size)
    sealer = key.sealer(salt)
    begun = False
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            data = await far.some(_LONGEST_CHUNK)
        if not data:
            await stream.end()
            return
        length = len(data).to_bytes(2, "big")
        head = length if begun else b"\x01" + int(time.time()).to_bytes(8, "big") + theirs + length
        await stream.send((b"" if begun else salt) + sealer.seal(head) + sealer.seal(data))
        begun = True

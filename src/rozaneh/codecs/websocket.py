"""WebSocket (RFC 6455) as a carrier of bytes, both ends, as bytes in and values out.

Theory of operation. The client asks for an upgrade with a random key; the server proves that it understood by the
key's digest. Then both send frames: a client's are masked, a server's are not. Only the bytes of binary and text
frames matter here, wherever they are cut; a ping is answered, a close ends the stream.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence

import h11
import msgspec

from rozaneh.codecs.http1 import Switch
from rozaneh.core import RemoteFault

_LONGEST_HEAD = 16 * 1024
_LARGEST_FRAME = 1 << 24
_SWITCHING = 101
_MOST_REPLIES = 64
"""Pings in what is read at once; whoever sends more wants them answered for the sake of the work."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10


class Opened(msgspec.Struct, frozen=True):
    """The server has agreed; frames follow."""


class Refused(msgspec.Struct, frozen=True):
    """The server has not agreed.

    Attributes:
        status: its status code.
    """

    status: int


class Handshake:
    """A client's side of the upgrade.

    Args:
        host: value of the ``Host`` header.
        path: the request target.
        headers: further headers.
        key: for tests; 16 fresh random bytes otherwise.

    Raises:
        RemoteFault: no request can ask for this.
    """

    def __init__(
        self, host: str, path: str, *, headers: Sequence[tuple[str, str]] = (), key: bytes | None = None
    ) -> None:
        self._key = base64.b64encode(secrets.token_bytes(16) if key is None else key)
        self._peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        asked = [
            ("Host", host),
            *headers,
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self._key.decode()),
            ("Sec-WebSocket-Version", "13"),
        ]
        try:
            head = self._peer.send(h11.Request(method="GET", target=path, headers=asked))
            self.request = (head or b"") + (self._peer.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise RemoteFault(f"no WebSocket can be asked for this: {error}") from error
        self._answer = Switch(self._peer)

    @property
    def leftover(self) -> bytes:
        """The bytes that came after the server's answer."""
        return bytes(self._peer.trailing_data[0])

    def receive(self, data: bytes) -> Opened | Refused | None:
        """Take bytes from the server; none while its answer is incomplete.

        Raises:
            RemoteFault: the bytes are no HTTP response, end before it does, or the digest is wrong.
        """
        try:
            answer = self._answer.receive(data)
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not the answer of a WebSocket server: {error}") from error
        if answer is None:
            return None
        if answer.status_code != _SWITCHING:
            return Refused(answer.status_code)
        given = {name: value for name, value in answer.headers}  # noqa: C416 - h11's headers are no mapping of text
        if given.get(b"sec-websocket-accept") != accept(self._key):
            raise RemoteFault("the WebSocket server answers another request's key")
        return Opened()


def accept(key: bytes) -> bytes:
    """What a server answers to a client's key (RFC 6455 section 4.2.2)."""
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def frame(data: bytes, *, mask: bytes | None, opcode: int = _BINARY) -> bytes:
    """One whole frame.

    Args:
        data: the payload.
        mask: four bytes for a client; none for a server.
        opcode: binary unless it is a control frame.
    """
    size = len(data)
    flag = 0 if mask is None else 0x80
    if size < 126:
        head = bytes([0x80 | opcode, flag | size])
    elif size < 1 << 16:
        head = bytes([0x80 | opcode, flag | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, flag | 127]) + size.to_bytes(8, "big")
    return head + data if mask is None else head + mask + masked(data, mask)


def masked(data: bytes, mask: bytes) -> bytes:
    """The payload under a mask; a second time gives it back."""
    size = len(data)
    stream = mask * (size // 4 + 1)
    number = int.from_bytes(data, "big") ^ int.from_bytes(stream[:size], "big")
    return number.to_bytes(size, "big")


class Frames:
    """Reads frames from the other end. It holds a head or a control frame at most: payload is passed on as it comes.

    Args:
        expect_mask: whether that is a client.

    Attributes:
        closed: whether it has said that nothing more comes.
        replies: control frames to send back: opcode and payload.
    """

    def __init__(self, *, expect_mask: bool = False) -> None:
        self.closed = False
        self.replies: list[tuple[int, bytes]] = []
        self._expect_mask = expect_mask
        self._held = bytearray()
        self._left = 0
        self._mask = b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes, return the payload in them.

        Raises:
            RemoteFault: they are no frames, or more pings than anybody has to send at once.
        """
        self._held += data
        out = []
        while not self.closed and (payload := self._next()) is not None:
            out.append(payload)
        return b"".join(out)

    def _next(self) -> bytes | None:
        return self._piece(min(self._left, len(self._held))) if self._left else self._begin()

    def _piece(self, size: int) -> bytes | None:
        """What is there of a frame's payload; none when nothing is."""
        if not size:
            return None
        piece = bytes(self._held[:size])
        del self._held[:size]
        self._left -= size
        if self._mask:
            piece = masked(piece, self._mask)
            turn = size % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
        return piece

    def _begin(self) -> bytes | None:
        """Take the head of a frame off, and of a control frame all of it; none while that is incomplete."""
        held = self._held
        if len(held) < 2:
            return None
        opcode, is_masked, size = held[0] & 15, held[1] & 0x80, held[1] & 0x7F
        if held[0] & 0x70 or bool(is_masked) is not self._expect_mask:
            raise RemoteFault("not a WebSocket frame: reserved bits are set, or the mask is not as it should be")
        wide = {126: 2, 127: 8}.get(size, 0)
        start = 2 + wide + (4 if is_masked else 0)
        if len(held) < start:
            return None
        if wide:
            size = int.from_bytes(held[2 : 2 + wide], "big")
        if size > _LARGEST_FRAME or (opcode >= _CLOSE and size > 125):
            raise RemoteFault(f"a WebSocket frame of {size} bytes")
        if opcode >= _CLOSE and len(held) < start + size:
            return None
        self._left, self._mask = size, bytes(held[start - 4 : start]) if is_masked else b""
        del held[:start]
        return self._meant(opcode, (self._piece(size) or b"") if opcode >= _CLOSE else b"")

    def _meant(self, opcode: int, control: bytes) -> bytes:
        if opcode in (_CONTINUATION, _TEXT, _BINARY):
            return b""
        if opcode == _PING:
            if len(self.replies) >= _MOST_REPLIES:
                raise RemoteFault("WebSocket pings without end")
            self.replies.append((_PONG, control))
        elif opcode == _CLOSE:
            self.closed = True
            self.replies.append((_CLOSE, control[:2]))
        elif opcode != _PONG:
            raise RemoteFault(f"a WebSocket frame of the unknown kind {opcode}")
        return b""

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

from rozaneh.core import RemoteFault

_LONGEST_HEAD = 16 * 1024
_LARGEST_FRAME = 1 << 24
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
            self._peer.receive_data(data)
            event = self._peer.next_event()
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not the answer of a WebSocket server: {error}") from error
        if isinstance(event, h11.Response):
            return Refused(event.status_code)
        if isinstance(event, h11.ConnectionClosed):
            raise RemoteFault("the WebSocket server closed the connection without an answer")
        if not isinstance(event, h11.InformationalResponse):
            return None
        if event.status_code != 101:
            return self.receive(b"")
        given = {name: value for name, value in event.headers}  # noqa: C416 - h11's headers are no mapping of text
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
    """Reads frames from the other end.

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

    def receive(self, data: bytes) -> bytes:
        """Take bytes, return the payload that they complete.

        Raises:
            RemoteFault: they are no frames.
        """
        self._held += data
        out = []
        while not self.closed and (payload := self._one()) is not None:
            out.append(payload)
        return b"".join(out)

    def _one(self) -> bytes | None:
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
        if len(held) < start + size:
            return None
        payload = bytes(held[start : start + size])
        if is_masked:
            payload = masked(payload, bytes(held[start - 4 : start]))
        del held[: start + size]
        return self._meant(opcode, payload)

    def _meant(self, opcode: int, payload: bytes) -> bytes:
        if opcode in (_CONTINUATION, _TEXT, _BINARY):
            return payload
        if opcode == _PING:
            self.replies.append((_PONG, payload))
        elif opcode == _CLOSE:
            self.closed = True
            self.replies.append((_CLOSE, payload[:2]))
        elif opcode != _PONG:
            raise RemoteFault(f"a WebSocket frame of the unknown kind {opcode}")
        return b""

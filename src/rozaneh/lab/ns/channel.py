"""Messages and file descriptors between the processes of one lab.

A message is four bytes of length and then MessagePack; file descriptors travel with the length. A stream socket is
used, not a packet socket, because the size of one packet is bounded by a setting of the machine that an unprivileged
user cannot change, and a world with hundreds of hosts is larger.
"""

import array
import socket
import struct
from collections.abc import Sequence

_LENGTH = struct.Struct("!I")
_MOST_BYTES = 64 << 20
_MOST_FDS = 64
_FD_SIZE = array.array("i").itemsize


class ChannelClosed(Exception):
    """The process at the other end has gone."""


class Channel:
    """One end of a connection between two processes. Blocking; whoever shares it among threads brings a lock."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def pair(cls) -> "tuple[Channel, Channel]":
        """Both ends of a new connection."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """The file descriptor, for polling and for handing this end to a child."""
        return self._end.fileno()

    def close(self) -> None:
        """Close this end; the other sees :class:`ChannelClosed`."""
        self._end.close()

    def send(self, message: bytes, fds: Sequence[int] = ()) -> None:
        """Send a message, with copies of these file descriptors.

        Raises:
            ChannelClosed: nobody is there any more.
        """
        try:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            self._end.sendmsg([_LENGTH.pack(len(message))], ancillary)
            self._end.sendall(message)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self) -> tuple[bytes, list[int]]:
        """Wait for one message; the file descriptors that came with it belong to the caller.

        Raises:
            ChannelClosed: nobody is there any more.
        """
        try:
            head, ancillary, _, _ = self._end.recvmsg(_LENGTH.size, socket.CMSG_SPACE(_MOST_FDS * _FD_SIZE))
            fds = _received(ancillary)
            head += self._exactly(_LENGTH.size - len(head)) if head else b""
            if not head:
                raise ChannelClosed("end of stream")
            (length,) = _LENGTH.unpack(head)
            if length > _MOST_BYTES:
                raise ChannelClosed("a message of impossible length")
            return self._exactly(length), fds
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self._end.recv(min(length - len(parts), 1 << 20))
            if not part:
                raise ChannelClosed("end of stream")
            parts += part
        return bytes(parts)


def _received(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % _FD_SIZE])
    return fds.tolist()

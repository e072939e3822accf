"""Bytes that are sealed and opened between two sockets, without a task and a stream: for :mod:`rozaneh.net.splice`.

A :class:`Coded` stream changes bytes and has no opinion on when they move. Directly above a plain socket it can leave
moving to the pump, which reads many chunks at once, opens them from one buffer that all connections share into another
one, and sends what is in that: no object and no copy for a chunk.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from anyio.abc import ByteStream

from rozaneh.core import RemoteFault
from rozaneh.net.pool import Pool, Read
from rozaneh.net.sockets import SocketStream, bare_socket_stream, bottom

__all__ = ["Change", "Coded", "Coding", "Decoding", "Encoding", "coded_socket_stream"]


@dataclass(frozen=True, slots=True)
class Coding:
    """What a coded stream leaves behind.

    Attributes:
        below: the stream that carries the changed bytes.
        encode: the changed form of bytes; called first with what is said first, which may be nothing.
        decode_into: takes changed bytes, beginning with those that it has not taken, and room for as many; says how
            many it took and how many it put there. Leaves far less than :meth:`Pool.for_opening` has room for. Raises
            ``RemoteFault`` for what the other end should not have sent.
        midway: whether more must come after what was taken, so that an end would be none.
        decoded: what has come and is ready to be read.
        held: what has come and was not taken yet.
    """

    below: ByteStream
    encode: Callable[[bytes | memoryview], bytes]
    decode_into: Callable[[memoryview, memoryview], tuple[int, int]]
    midway: Callable[[], bool]
    decoded: bytes
    held: bytes


@runtime_checkable
class Coded(Protocol):
    """A stream that only changes the bytes which the one below it carries."""

    def coding(self) -> Coding:
        """What it takes to go on without it, as it is now. Whoever goes on by that uses this stream no more."""


def coded_socket_stream(stream: ByteStream) -> tuple[SocketStream | None, Coding | None]:
    """The socket stream at the bottom, where bytes pass unchanged or changed once; and what changes them."""
    below = bottom(stream)
    if not isinstance(below, Coded):
        return bare_socket_stream(stream), None
    coding = below.coding()
    return bare_socket_stream(coding.below), coding


class Change(Protocol):
    """What happens to the bytes of one direction."""

    def read(self, source: socket.socket, pool: Pool) -> Read | None:
        """Read what has come, and change it; none at the end.

        Raises:
            OSError: as the system call does.
            RemoteFault: what has come should not have, or ended too early.
        """


class Encoding:
    """Seals what goes out.

    Args:
        coding: how.
    """

    __slots__ = ("_encode",)

    def __init__(self, coding: Coding) -> None:
        self._encode = coding.encode

    def read(self, source: socket.socket, pool: Pool) -> Read | None:
        """See :class:`Change`."""
        read = pool.read(source)
        if read is None:
            return None
        data, plain, full = read
        return memoryview(self._encode(data)), plain, full


class Decoding:
    """Opens what comes in.

    Args:
        coding: how.
    """

    __slots__ = ("_decode_into", "_held", "_midway")

    def __init__(self, coding: Coding) -> None:
        self._decode_into = coding.decode_into
        self._midway = coding.midway
        self._held = coding.held

    def read(self, source: socket.socket, pool: Pool) -> Read | None:
        """See :class:`Change`."""
        sealed, plain = pool.for_opening()
        held = len(self._held)
        got = source.recv_into(sealed[held:])
        if not got:
            if held or self._midway():
                raise RemoteFault("the connection ended in the middle of a sealed chunk")
            return None
        sealed[:held] = self._held
        end = held + got
        taken, put = self._decode_into(sealed[:end], plain)
        self._held = bytes(sealed[taken:end])
        return plain[:put], put, end == len(sealed)

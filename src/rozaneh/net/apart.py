"""Sockets in a network namespace of their own, in which a tunnel for packets ends.

A tunnel such as WireGuard's carries packets, and a machine has one table of routes for them. To send some connections
through it and no others, and to leave the machine's routes alone, the tunnel's interface stands in a namespace that a
process of ours makes (:mod:`rozaneh.net.apart_process`); sockets made there go through the tunnel whoever uses them. It
needs no root where users may have namespaces and ``/dev/net/tun``.
"""

import array
import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import msgspec

from rozaneh.core import DialFailed, Failure

__all__ = ["ApartSockets", "Order", "start"]

_ANSWER_WITHIN = 5.0
_START_WITHIN = 15.0
_PROCESS = Path(__file__).with_name("apart_process.py")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is to make.

    Attributes:
        program: the path of ``wireguard-go``.
        settings: in the form of WireGuard's configuration protocol; ``{peer0}`` and so on stand where the peers'
            endpoints belong. It holds keys: it goes through a socket, never on a command line.
        addresses: of this end, with their networks.
        routes: networks that lead into the tunnel.
        mtu: bytes.
    """

    program: str
    settings: str
    addresses: tuple[str, ...]
    routes: tuple[str, ...]
    mtu: int

    def __repr__(self) -> str:
        return f"Order(addresses={self.addresses!r})"


class ApartSockets:
    """Sockets of such a namespace: an implementation of :class:`rozaneh.net.sockets.Sockets` for dialling alone."""

    def __init__(self, channel: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self._channel = channel
        self._process = process
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, _end, channel, process)
        """Ends the process, and with it the namespace; sockets that were handed out are dead then."""

    @property
    def lives(self) -> bool:
        """Whether the tunnel is there."""
        return self._process.poll() is None

    def stream(self, family: socket.AddressFamily) -> socket.socket:
        """A TCP socket that is not connected yet."""
        return self._ask(b"stream", family)

    def datagram(self, family: socket.AddressFamily) -> socket.socket:
        """A UDP socket that is not connected yet."""
        return self._ask(b"datagram", family)

    def listener(self, address: str, port: int) -> socket.socket:
        """Nobody is to reach us through a tunnel."""
        raise PermissionError(f"nothing listens in a tunnel, not at {address}:{port} either")

    def raw_tcp(self, family: socket.AddressFamily) -> socket.socket:
        """A tunnel carries whole connections, so nothing is cut or added below them."""
        raise PermissionError(f"no raw sockets in a tunnel, of family {family}")

    def _ask(self, kind: bytes, family: socket.AddressFamily) -> socket.socket:
        with self._lock:
            try:
                self._channel.send(kind + (b"6" if family == socket.AF_INET6 else b"4"))
                said, ancillary, _, _ = self._channel.recvmsg(16, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
            except TimeoutError:
                self.close()  # an answer that still came would be taken for that to another question
                raise
        got = array.array("i")
        for _, _, data in ancillary:
            got.frombytes(data)
        if not got and said:
            raise OSError(int(said), os.strerror(int(said)))
        if not got:
            raise ConnectionAbortedError("the tunnel has ended")
        made = socket.socket(fileno=got[0])
        made.setblocking(False)  # noqa: FBT003 - the system's own signature
        return made


async def start(order: Order, outside: list[socket.socket]) -> ApartSockets:
    """Make a namespace with a tunnel.

    Args:
        order: what is to be in it.
        outside: for each peer a connected UDP socket that leads to it; they are closed here.

    Raises:
        DialFailed: this system does not allow it, or the program does not run; the message says which call was refused.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ExitStack() as undo:
        undo.callback(ours.close)
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220 - it outlives the task that starts it
                [sys.executable, "-I", "-S", str(_PROCESS), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        undo.callback(_end, ours, process)
        ours.setblocking(False)  # noqa: FBT003 - the system's own signature
        fds = array.array("i", [each.fileno() for each in outside])
        ours.sendmsg([json.dumps(msgspec.to_builtins(order)).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        for each in outside:
            each.close()
        with anyio.move_on_after(_START_WITHIN):
            await anyio.wait_readable(ours)
        try:
            answer = ours.recv(4096)
        except OSError:
            answer = b"it did not start in time"
        if answer != b"ready":
            why = answer.decode("utf-8", "replace") or "its process has ended"
            raise DialFailed(Failure.UNKNOWN_FAILURE, f"no tunnel is allowed here, or none starts: {why}")
        ours.settimeout(_ANSWER_WITHIN)
        undo.pop_all()
        return ApartSockets(ours, process)


def _end(channel: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    channel.close()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    process.wait()

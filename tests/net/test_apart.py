"""What asks for sockets of a tunnel's namespace, and a process there that keeps it waiting, or cannot."""

import array
import errno
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rozaneh.net.apart import ApartSockets


@contextmanager
def apart() -> Iterator[tuple[ApartSockets, socket.socket]]:
    """The asker's side, and the other end of its channel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(0.05)
    with theirs:
        sockets = ApartSockets(ours, subprocess.Popen(["sleep", "60"], start_new_session=True))
        try:
            yield sockets, theirs
        finally:
            sockets.close()


def give(channel: socket.socket, made: socket.socket) -> None:
    rights = array.array("i", [made.fileno()])
    channel.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def test_an_answer_that_comes_too_late_is_not_taken_for_that_to_another_question() -> None:
    with apart() as (sockets, channel):
        with pytest.raises(TimeoutError):
            sockets.stream(socket.AF_INET)
        assert channel.recv(64) == b"stream4"
        assert channel.recv(64) == b"", "it waits for nothing more"
        assert not sockets.lives
        with pytest.raises(OSError, match="Bad file descriptor"):
            sockets.datagram(socket.AF_INET)


def test_a_socket_that_cannot_be_made_costs_that_socket_alone() -> None:
    with apart() as (sockets, channel):
        channel.send(str(errno.EAFNOSUPPORT).encode())
        with pytest.raises(OSError, match="not supported") as refused:
            sockets.stream(socket.AF_INET6)
        assert refused.value.errno == errno.EAFNOSUPPORT
        with socket.socket() as made:
            give(channel, made)
        with sockets.stream(socket.AF_INET) as got:
            assert not got.get_inheritable()
        assert sockets.lives

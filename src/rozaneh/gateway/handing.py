"""A gateway leaves its place to another process, and its port is never closed for a moment.

The process that comes asks over the control socket. It is sent the sockets that listen, and opens whatever else it
needs while the other one still serves. Only when it says that it is ready does the other one leave; if it fails before
that, or takes too long, nothing has changed.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Protocol

import anyio
import msgspec

from rozaneh.core import LocalFault
from rozaneh.words import later

__all__ = ["DOORS", "NAME", "Handing", "Taken", "give", "place_of", "take_over"]

NAME = "control"
"""Of the control socket, in a gateway's folder."""

DOORS = b'{"ask":"doors"}\n'
"""The question by which another process takes over."""

_READY = b"ready\n"
_YOURS = b"yours\n"
_PATIENCE = 5.0
_MOST_DOORS = 4
_LONGEST = 4096


class Handing(Protocol):
    """How a gateway leaves its place to another process."""

    def doors(self) -> Mapping[str, socket.socket]:
        """The sockets on which it listens, by what they are for."""

    @property
    def password(self) -> str:
        """What others on the home network show; empty where it is shared with nobody."""

    def given(self) -> None:
        """The other process has them: accept nobody any more, and let those who are here finish."""


class _Beside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said beside the sockets: what each is for, in their order, and what else has to go on."""

    doors: Annotated[tuple[str, ...], msgspec.Meta(max_length=_MOST_DOORS)]
    password: Annotated[str, msgspec.Meta(max_length=128)] = ""
    paused: bool = False


class Taken:
    """What another process was given, and has still to be told that we are ready.

    Args:
        stream: to the other process.
        doors: sockets that listen, by what they are for.
        password: that others on the home network show.
        paused: whether nobody was let through.
    """

    def __init__(self, stream: socket.socket, doors: dict[str, socket.socket], password: str, *, paused: bool) -> None:
        self._stream = stream
        self.doors = doors
        self.password = password
        self.paused = paused

    def ready(self) -> None:
        """Say that everything is open here. When this returns the other process accepts nobody any more.

        Raises:
            LocalFault: it has kept its place, and this process must not serve.
        """
        with self._stream as stream:
            try:
                stream.sendall(_READY)
                heard = _rest(stream)
            except OSError:
                heard = b""
        if heard != _YOURS:
            raise LocalFault(later("the gateway that runs has kept its place; try again"))


@contextmanager
def place_of(folder: Path) -> Iterator[str]:
    """A path of the control socket in a folder that is short enough for the system, however long the folder's own is.

    Raises:
        OSError: there is no such folder, or it may not be looked into.
    """
    # 108 bytes are all that an address has room for (unix(7)); through a descriptor the folder needs twenty of them.
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}/{NAME}"
    finally:
        os.close(opened)


def take_over(folder: Path) -> Taken | None:
    """Ask the gateway of a folder for its place; none when no gateway runs there.

    Raises:
        LocalFault: it does not give its place away.
    """
    data, descriptors = b"", list[int]()
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(_PATIENCE)
    try:
        with place_of(folder) as place:
            stream.connect(place)
        stream.sendall(DOORS)
        while not data.endswith(b"\n") and len(data) < _LONGEST:
            more, given, _, _ = socket.recv_fds(stream, _LONGEST, _MOST_DOORS, socket.MSG_CMSG_CLOEXEC)
            descriptors += given
            if not more:
                break
            data += more
    except (OSError, ValueError):  # ValueError: a path with a zero byte
        stream.close()
        for descriptor in descriptors:
            os.close(descriptor)
        return None
    doors = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    try:
        beside = msgspec.json.decode(data, type=_Beside)
    except msgspec.DecodeError:
        beside = None
    if beside is None or not doors or len(beside.doors) != len(doors):
        for each in (stream, *doors):
            each.close()
        raise LocalFault(later("the gateway that runs does not give its place away; stop it and start this one"))
    for door in doors:
        door.setblocking(False)  # noqa: FBT003 - the system's own signature
    return Taken(stream, dict(zip(beside.doors, doors, strict=True)), beside.password, paused=beside.paused)


async def give(asker: socket.socket, handing: Handing, leave: Callable[[], None], *, paused: bool) -> None:
    """Send the doors to another process, and leave once it says that it is ready.

    Args:
        asker: the connection to it; not blocking.
        handing: whose place it is.
        leave: gives up the control socket, for the other process to listen there.
        paused: whether nobody is let through.

    Raises:
        OSError: the other process has gone; nothing has changed.
    """
    doors = handing.doors()
    beside = _Beside(doors=tuple(doors), password=handing.password, paused=paused)
    left = msgspec.json.encode(beside) + b"\n"
    await anyio.wait_writable(asker)
    left = left[socket.send_fds(asker, [left], [door.fileno() for door in doors.values()]) :]
    while left:
        await anyio.wait_writable(asker)
        left = left[asker.send(left) :]
    await anyio.wait_readable(asker)
    if asker.recv(len(_READY)) != _READY:
        return
    leave()
    handing.given()
    await anyio.wait_writable(asker)
    asker.send(_YOURS)


def _rest(stream: socket.socket) -> bytes:
    data = b""
    while len(data) <= _LONGEST and (more := stream.recv(_LONGEST)):
        data += more
    return data

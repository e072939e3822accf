"""Ask the running gateway: one question and one answer over a Unix socket in its folder.

Only this user's programs can open the socket; a web page cannot, and nothing listens on the network. A question is one
line of JSON, and so is its answer.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import anyio
import msgspec

from rozaneh.core import LocalFault
from rozaneh.finder import Why
from rozaneh.gateway.desk import Desk, Look
from rozaneh.gateway.handing import DOORS, NAME, Handing, give, place_of
from rozaneh.gateway.state import Snapshot
from rozaneh.gateway.wiping import Wiped
from rozaneh.net.sockets import accepted
from rozaneh.words import later

__all__ = ["Answer", "Question", "answer", "ask", "listen", "serve"]

_LONGEST_QUESTION = 1 << 16
_LONGEST_ANSWER = 4 << 20
_PATIENCE = 5.0


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked, or asked for.

    Attributes:
        ask: ``why``, ``state`` or ``look``; ``link`` to the status page; ``pause``, ``resume`` or ``wipe``;
            ``ways``, that the servers in its folder have changed; ``keep``, what is to be fetched and kept;
            ``doors``, by which another process takes over (:mod:`rozaneh.gateway.handing`).
        host: whose choice is to be explained.
        servers: whether the user's servers are wiped too.
        urls: of pages and files that are to be kept.
    """

    ask: Literal["why", "state", "look", "link", "pause", "resume", "wipe", "ways", "keep", "doors"]
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    servers: bool = False
    urls: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=2000)], ...], msgspec.Meta(max_length=200)] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is answered.

    Attributes:
        why: for each port of the host; empty when nothing is known of it.
        state: of the gateway.
        look: what its status page shows.
        link: to that page, for one browser and once; empty where there is no page.
        wiped: what was removed.
        error: why there is no answer.
    """

    why: tuple[Why, ...] = ()
    state: Snapshot | None = None
    look: Look | None = None
    link: str = ""
    wiped: Wiped | None = None
    error: str = ""


def listen(folder: Path) -> socket.socket:
    """Listen in a folder, for this user alone.

    Raises:
        LocalFault: another gateway uses the folder, or no socket can be made there.
    """
    path = folder / NAME
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError), place_of(folder) as place:
        probe.settimeout(1.0)
        probe.connect(place)
        raise LocalFault(later("another gateway uses {folder}: rozaneh why asks that one", folder=folder))
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.setblocking(False)  # noqa: FBT003 - the system's own signature
        path.unlink(missing_ok=True)  # its owner has gone without a word
        before = os.umask(0o177)  # nobody else for a moment either
        try:
            with place_of(folder) as place:
                listening.bind(place)
        finally:
            os.umask(before)
        listening.listen()
    except OSError as error:
        listening.close()
        raise LocalFault(
            later("cannot listen at {path} ({why}): rozaneh why cannot ask this gateway", path=path, why=error.strerror)
        ) from error
    return listening


async def serve(
    listening: socket.socket, desk: Desk, link: Callable[[], str] = lambda: "", handing: Handing | None = None
) -> None:
    """Answer questions until cancelled, or until another process has taken over.

    Args:
        listening: from :func:`listen`.
        desk: what is asked about.
        link: makes a link to the status page.
        handing: gives the gateway's place away; none where that cannot be.
    """

    async def one(asker: socket.socket) -> None:
        with asker, suppress(OSError):
            with anyio.fail_after(_PATIENCE):
                await _answer(asker, desk, link, handing, listening)

    async with anyio.create_task_group() as tasks:
        with suppress(anyio.ClosedResourceError):
            while True:
                tasks.start_soon(one, await accepted(listening))


async def _answer(
    asker: socket.socket, desk: Desk, link: Callable[[], str], handing: Handing | None, listening: socket.socket
) -> None:
    data = b""
    while not data.endswith(b"\n") and len(data) <= _LONGEST_QUESTION:
        await anyio.wait_readable(asker)
        more = asker.recv(_LONGEST_QUESTION)
        if not more:
            return
        data += more
    if data == DOORS and handing is not None:
        await give(asker, handing, lambda: _leave(listening, desk.folder), paused=desk.switch.paused)
        return
    left = msgspec.json.encode(answer(data, desk, link)) + b"\n"
    while left:
        await anyio.wait_writable(asker)
        left = left[asker.send(left) :]


def _leave(listening: socket.socket, folder: Path | None) -> None:
    """Listen here no more."""
    anyio.notify_closing(listening)
    listening.close()
    if folder is not None:
        (folder / NAME).unlink(missing_ok=True)


def answer(data: bytes, desk: Desk, link: Callable[[], str] = lambda: "") -> Answer:
    """The answer to the bytes of a question."""
    try:
        question = msgspec.json.decode(data[:_LONGEST_QUESTION], type=Question)
    except msgspec.DecodeError as error:
        return Answer(error=f"no question: {error}")
    match question.ask:
        case "why":
            return Answer(why=desk.finder.why(question.host))
        case "state":
            return Answer(state=desk.look().state)
        case "link":
            return Answer(link=link())
        case "wipe":
            return Answer(wiped=desk.wipe(servers=question.servers))
        case "doors":
            return Answer(error="this gateway has no place to give away")
        case "ways":
            return _read_again(desk)
        case "keep":
            return _keep(desk, question.urls)
        case "pause" | "resume":
            desk.switch.turn(on=question.ask == "resume")
    return Answer(look=desk.look())


def _keep(desk: Desk, urls: tuple[str, ...]) -> Answer:
    if desk.curfew is None:
        return Answer(error="this gateway keeps nothing")
    try:
        desk.curfew.mark(urls)
    except LocalFault as fault:
        return Answer(error=str(fault))
    return Answer(look=desk.look())


def _read_again(desk: Desk) -> Answer:
    try:
        desk.read_again()
    except LocalFault as fault:
        return Answer(error=str(fault))
    return Answer(look=desk.look())


def ask(folder: Path, question: Question) -> Answer | None:
    """Ask the gateway of a folder; none when no gateway runs there.

    Raises:
        LocalFault: something else answers there.
    """
    data = b""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(_PATIENCE)
        try:
            with place_of(folder) as place:
                stream.connect(place)
            stream.sendall(msgspec.json.encode(question) + b"\n")
            while not data.endswith(b"\n") and len(data) < _LONGEST_ANSWER and (more := stream.recv(1 << 16)):
                data += more
        except (OSError, ValueError):
            return None
    try:
        return msgspec.json.decode(data, type=Answer)
    except msgspec.DecodeError as error:
        raise LocalFault(
            later("what listens at {path} is no gateway: {error}", path=folder / NAME, error=error)
        ) from error

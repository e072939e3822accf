"""Ask the running gateway: one question and one answer over a Unix socket in its folder.

Only this user's programs can open the socket; a web page cannot, and nothing listens on the network. What is asked
changes nothing: the state, and why a host is reached as it is. A question is one line of JSON, and so is its answer.
"""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import anyio
import msgspec

from rozaneh.core import LocalFault
from rozaneh.finder import Finder, Why
from rozaneh.gateway.state import Snapshot, State

__all__ = ["Answer", "Question", "answer", "ask", "listen", "serve"]

NAME = "control"
_LONGEST_QUESTION = 4096
_LONGEST_ANSWER = 4 << 20
_PATIENCE = 5.0
_LONGEST_PATH = 100


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked.

    Attributes:
        ask: ``why`` or ``state``.
        host: whose choice is to be explained.
    """

    ask: Literal["why", "state"]
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is answered.

    Attributes:
        why: for each port of the host; empty when nothing is known of it.
        state: of the gateway.
        error: why there is no answer.
    """

    why: tuple[Why, ...] = ()
    state: Snapshot | None = None
    error: str = ""


def listen(folder: Path) -> socket.socket:
    """Listen in a folder, for this user alone.

    Raises:
        LocalFault: another gateway uses the folder, or no socket can be made there.
    """
    path = folder / NAME
    if len(str(path)) > _LONGEST_PATH:
        raise LocalFault(f"the path {path} is too long for a socket: rozaneh why cannot ask this gateway")
    if path.exists():
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.settimeout(1.0)
            probe.connect(str(path))
            raise LocalFault(f"another gateway uses {folder}: rozaneh why asks that one")
        path.unlink(missing_ok=True)  # its owner has gone without a word
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.setblocking(False)  # noqa: FBT003 - the system's own signature
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen()
    except OSError as error:
        listening.close()
        raise LocalFault(f"cannot listen at {path} ({error.strerror}): rozaneh why cannot ask this gateway") from error
    return listening


async def serve(listening: socket.socket, finder: Finder, state: State) -> None:
    """Answer questions until cancelled."""

    async def one(asker: socket.socket) -> None:
        with asker, suppress(OSError):
            asker.setblocking(False)  # noqa: FBT003 - the system's own signature
            with anyio.fail_after(_PATIENCE):
                await _answer(asker, finder, state)

    async with anyio.create_task_group() as tasks:
        while True:
            await anyio.wait_readable(listening)
            with suppress(BlockingIOError):
                tasks.start_soon(one, listening.accept()[0])


async def _answer(asker: socket.socket, finder: Finder, state: State) -> None:
    data = b""
    while not data.endswith(b"\n") and len(data) <= _LONGEST_QUESTION:
        await anyio.wait_readable(asker)
        more = asker.recv(_LONGEST_QUESTION)
        if not more:
            return
        data += more
    left = msgspec.json.encode(answer(data, finder, state)) + b"\n"
    while left:
        await anyio.wait_writable(asker)
        left = left[asker.send(left) :]


def answer(data: bytes, finder: Finder, state: State) -> Answer:
    """The answer to the bytes of a question."""
    try:
        question = msgspec.json.decode(data[:_LONGEST_QUESTION], type=Question)
    except msgspec.DecodeError as error:
        return Answer(error=f"no question: {error}")
    if question.ask == "why":
        return Answer(why=finder.why(question.host))
    return Answer(state=state.snapshot(finder.outage()))


def ask(folder: Path, question: Question) -> Answer | None:
    """Ask the gateway of a folder; none when no gateway runs there.

    Raises:
        LocalFault: something else answers there.
    """
    data = b""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(_PATIENCE)
        try:
            stream.connect(str(folder / NAME))
            stream.sendall(msgspec.json.encode(question) + b"\n")
            while not data.endswith(b"\n") and len(data) < _LONGEST_ANSWER and (more := stream.recv(1 << 16)):
                data += more
        except (OSError, ValueError):
            return None
    try:
        return msgspec.json.decode(data, type=Answer)
    except msgspec.DecodeError as error:
        raise LocalFault(f"what listens at {folder / NAME} is no gateway: {error}") from error

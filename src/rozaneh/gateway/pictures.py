"""QR codes in pictures that somebody took: what they say, read by a process that has bounds and nothing to lose.

A picture is never written to disk. What a code says is a text like any that is pasted; nothing is believed of it.
"""

import signal
import subprocess
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
from anyio.abc import Process

from rozaneh.words import mark

__all__ = ["LARGEST", "SENTENCES", "PictureError", "Trouble", "read_codes"]

LARGEST = 8 << 20
"""Bytes of a picture's file."""

_PROCESS = Path(__file__).with_name("picture_process.py")
_WITHIN = 20.0
_LONGEST_ANSWER = 1 << 20
_OUT_OF_TIME = (-signal.SIGKILL, -signal.SIGXCPU)


class Trouble(StrEnum):
    """Why a picture says nothing."""

    NO_CODE = "no_code"
    """There is no QR code in it that could be read."""
    NO_PICTURE = "no_picture"
    """It is no picture of a format that is read, or is broken."""
    TOO_LARGE = "too_large"
    """It has too many bytes or pixels."""
    TOO_SLOW = "too_slow"
    """It took longer than it may."""
    NOT_HERE = "not_here"
    """This machine cannot start the process, or cannot bound it."""
    BUSY = "busy"
    """Another one is being read."""


SENTENCES = {
    Trouble.NO_CODE: mark(
        "No QR code could be read in this picture. Hold the phone closer and straight, with more light; "
        "or paste the text of the code."
    ),
    Trouble.NO_PICTURE: mark(
        "This is no picture that can be read here: JPEG, PNG or WebP. Take another, or paste the text of the code."
    ),
    Trouble.TOO_LARGE: mark(
        "This picture is too large. Take one of at most 8 megabytes and 33 megapixels, or paste the text of the code."
    ),
    Trouble.TOO_SLOW: mark(
        "Reading this picture took too long. Take one of the code alone, or paste the text of the code."
    ),
    Trouble.NOT_HERE: mark("This machine cannot read pictures. Paste the text of the code."),
    Trouble.BUSY: mark("Another picture is being read. Send this one again in a moment."),
}
"""What to say of each, and what to do next."""


class PictureError(Exception):
    """A picture that says nothing.

    Args:
        trouble: why.
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    texts: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=8000)], ...], msgspec.Meta(max_length=64)] = ()
    trouble: Trouble | None = None


async def read_codes(picture: bytes) -> tuple[str, ...]:
    """What the QR codes in a picture say, each once; at least one.

    Args:
        picture: the file's bytes: JPEG, PNG or WebP.

    Raises:
        PictureError: it says nothing.
    """
    if len(picture) > LARGEST:
        raise PictureError(Trouble.TOO_LARGE)
    try:
        process = await anyio.open_process(
            [sys.executable, "-I", str(_PROCESS)], stderr=subprocess.DEVNULL, cwd="/", env={}, start_new_session=True
        )
    except OSError as error:
        raise PictureError(Trouble.NOT_HERE) from error
    try:
        with anyio.fail_after(_WITHIN):
            said = await _conversed(process, picture)
            status = await process.wait()
    except TimeoutError as error:
        raise PictureError(Trouble.TOO_SLOW) from error
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if status in _OUT_OF_TIME:
        raise PictureError(Trouble.TOO_SLOW)
    if status:
        # A decoder that a picture brings down has met a broken one; a bound that cannot be set ends it with 1.
        raise PictureError(Trouble.NO_PICTURE if status < 0 else Trouble.NOT_HERE)
    try:
        answer = msgspec.json.decode(said, type=_Answer)
    except msgspec.DecodeError as error:
        raise PictureError(Trouble.NO_PICTURE) from error
    if answer.trouble is not None or not answer.texts:
        raise PictureError(answer.trouble or Trouble.NO_CODE)
    return answer.texts


async def _conversed(process: Process, picture: bytes) -> bytes:
    """What the process answers, as much of it as is listened to."""
    said = b""
    if process.stdin is not None and process.stdout is not None:
        with suppress(anyio.BrokenResourceError):  # it ended early; its status says why
            await process.stdin.send(picture)
        await process.stdin.aclose()
        with suppress(anyio.EndOfStream):
            while len(said) <= _LONGEST_ANSWER:
                said += await process.stdout.receive()
    return said

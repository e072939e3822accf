"""Output that may fail: a disk is full, a reader has gone. What runs for weeks loses that output and nothing else."""

import io
import os
from contextlib import suppress
from typing import TextIO

__all__ = ["Lasting", "forsake"]


class Lasting(io.TextIOBase):
    """Writes to a stream for as long as that takes anything; what it does not take is lost.

    Args:
        stream: standard output or error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose it."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write out what is held, or keep it for the next time."""
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        """As the stream."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As the stream."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it can be asked for and not be set
        """As the stream."""
        return self._stream.encoding


def forsake(stream: TextIO) -> None:
    """At the end of the program: where a stream still does not take what it holds, let that go without a word."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

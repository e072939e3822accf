"""A file of measurements, to be carried by hand: gzip of OONI measurements, one on each line.

Other tools that read OONI's files can read it as it is. It names no machine and no time of packing.
"""

import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.ooni import BadLine, Lines
from rozaneh.probe.share.waiting import LONGEST
from rozaneh.words import later

_LARGEST = 1 << 30
_CHUNK = 1 << 16


def packed(measurements: Sequence[dict[str, Any]]) -> bytes:
    """The bytes of a bundle; the same measurements give the same bytes."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as file:
        for measurement in measurements:
            file.write(msgspec.json.encode(measurement) + b"\n")
    return out.getvalue()


def read(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line of a bundle with its number: a measurement, or one line that says why it is none.

    Raises:
        LocalFault: the file cannot be read.
    """
    lines = Lines(longest=LONGEST, largest=_LARGEST)
    try:
        with open_ordinary(path) as file:
            while chunk := file.read(_CHUNK):
                for line in lines.feed(chunk):
                    yield _understood(line)
        for line in lines.end():
            yield _understood(line)
    except OSError as error:
        raise LocalFault(later("cannot read {path}: {why}", path=path, why=error.strerror)) from error


def _understood(line: Any) -> tuple[int, dict[str, Any] | str]:
    if isinstance(line, BadLine):
        return line.number, line.reason
    try:
        value = msgspec.json.decode(line.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return line.number, f"not JSON: {error}"
    return line.number, value if isinstance(value, dict) else "not a measurement"

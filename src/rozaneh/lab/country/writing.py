"""The files of a simulated country, laid out as OONI publishes: one for each day on which its lines arrived."""

import datetime as dt
import gzip
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec

from rozaneh.core import LocalFault

_LEVEL = 1
_CHUNK = 1 << 18


class Writing:
    """Lines on their way into files.

    Attributes:
        measurements: lines so far.
        files: so far.
        size: bytes of lines so far, before packing.
    """

    def __init__(self, folder: Path, country: str) -> None:
        self._folder = folder
        self._country = country
        self._open: dict[dt.date, tuple[gzip.GzipFile, BinaryIO, bytearray]] = {}
        self.measurements = 0
        self.files = 0
        self.size = 0

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            LocalFault: it is not empty, or cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if any(self._folder.iterdir()):
                raise LocalFault(f"{self._folder}: not empty; give a new folder")
        except OSError as error:
            raise LocalFault(f"cannot write {self._folder}: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for day in list(self._open):
            self._close(day)

    def write(self, received: dt.datetime, line: bytes) -> None:
        """Write a line into the file of the day on which it arrived."""
        day = received.date()
        if day not in self._open:
            self._start(day)
        waiting = self._open[day][2]
        waiting += line
        waiting += b"\n"
        if len(waiting) >= _CHUNK:
            self._open[day][0].write(waiting)
            waiting.clear()
        self.measurements += 1
        self.size += len(line) + 1

    def close_before(self, now: dt.datetime) -> None:
        """Close the files into which nothing can come any more."""
        for day in [day for day in self._open if day < now.date()]:
            self._close(day)

    def write_labels(self, labels: dict[str, Any]) -> None:
        """Write the truth."""
        path = self._folder / "labels.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(labels), indent=2) + b"\n")

    def _start(self, day: dt.date) -> None:
        name = f"{day:%Y%m%d}00_{self._country}_webconnectivity.n0.0.jsonl.gz"
        folder = self._folder / "raw" / f"{day:%Y%m%d}" / "00" / self._country / "webconnectivity"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            raw = (folder / name).open("wb")
        except OSError as error:
            raise LocalFault(f"cannot write {folder / name}: {error.strerror}") from None
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0)
        self._open[day] = (packed, raw, bytearray())
        self.files += 1

    def _close(self, day: dt.date) -> None:
        packed, raw, waiting = self._open.pop(day)
        packed.write(waiting)
        packed.close()
        raw.close()

"""The folder in which measurements wait until they can be sent or carried. It exists only if the user agreed.

Each measurement is a file of its own, named after the digest of what was signed, so the same one is never kept twice. A
file is written beside its place and moved there, so that an end at any moment leaves either the old state or the new
one. What was sent leaves its digest behind, without its content, so that it is not taken in again.
"""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.core.private import private_folder
from rozaneh.probe.share.coarse import coarse
from rozaneh.probe.share.private import Private
from rozaneh.probe.share.scrub import scrub, vouch
from rozaneh.probe.share.signing import canonical, key_of, sign, verify
from rozaneh.words import later

MOST = 10_000
"""Measurements that may wait; more are refused, with a line that says so."""

LONGEST = 8 << 20
"""Bytes of one measurement."""

LARGEST = 256 << 20
"""Bytes of all that wait: whoever hands over a bundle shall not fill the disk."""

DEEPEST = 64
"""Levels of a measurement; ours have a dozen. What is nested more deeply could be taken in and not be sent on."""

_SUFFIX = ".json"


@dataclass(frozen=True)
class Waiting:
    """Measurements that wait in a folder.

    Attributes:
        folder: where; made when the first measurement is kept.
    """

    folder: Path

    def keep(self, measurement: dict[str, Any], private: Private, now: datetime) -> str:
        """Scrub, make coarse, sign and keep a measurement.

        Args:
            measurement: as OONI's data format has it.
            private: what must not leave.
            now: for the age of the key.

        Returns:
            Its digest.

        Raises:
            LocalFault: it could not be made fit to share, or not be kept. Then nothing was written.
        """
        clean = coarse(scrub(measurement, private))
        vouch(msgspec.json.encode(clean), private)
        self._make()
        return self._put(sign(clean, key_of(self.folder / "key", now)))

    def take_in(self, measurement: dict[str, Any]) -> str:
        """Keep a measurement that somebody else signed, to carry it on.

        Raises:
            RemoteFault: it is not signed, was changed, or is nested more deeply than any measurement is.
            LocalFault: it cannot be kept.
        """
        _flat_enough(measurement)
        verify(measurement)
        self._make()
        return self._put(measurement)

    def __iter__(self) -> Iterator[str]:
        """The digests of those that wait, in order."""
        return iter(sorted(path.stem for path in self._of("waiting").glob(f"*{_SUFFIX}")))

    def sent(self) -> list[str]:
        """The digests of those that were sent."""
        return sorted(path.name for path in self._of("sent").glob("*"))

    def read(self, digest: str) -> dict[str, Any]:
        """One that waits.

        Raises:
            LocalFault: it is not there, or its file was damaged; such a file is set aside.
        """
        path = self._path(digest)
        try:
            return _checked(path.read_bytes(), digest)
        except (OSError, RemoteFault) as error:
            with contextlib.suppress(OSError):
                path.rename(path.with_suffix(".damaged"))
            raise LocalFault(later("{path} cannot be read and is left out: {error}", path=path, error=error)) from error

    def done(self, digest: str) -> None:
        """It was sent: only its digest stays."""
        self._make()
        (self.folder / "sent" / digest).touch(mode=0o600)
        self._path(digest).unlink(missing_ok=True)

    def forget(self) -> list[Path]:
        """Remove everything, and say what was removed.

        Raises:
            LocalFault: something could not be removed.
        """
        if not self.folder.exists():
            return []
        files = sorted((path for path in self.folder.rglob("*")), key=lambda path: len(path.parts), reverse=True)
        gone = []
        try:
            for path in (*files, self.folder):
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()
                    gone.append(path)
        except OSError as error:
            raise LocalFault(
                later("cannot remove {filename}: {why}", filename=error.filename, why=error.strerror)
            ) from error
        return gone

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, so that two programs do not send the same.

        Raises:
            LocalFault: another one holds it.
        """
        self._make()
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LocalFault(later("another program is sending what waits; try again when it has ended")) from error
            yield

    def _put(self, measurement: dict[str, Any]) -> str:
        data = msgspec.json.encode(measurement)
        if len(data) > LONGEST:
            raise LocalFault(later("a measurement of {data} bytes is too long to be shared", data=len(data)))
        digest = digest_of(measurement)
        if (self.folder / "sent" / digest).exists() or self._path(digest).exists():
            return digest
        sizes = [path.stat().st_size for path in self._of("waiting").glob(f"*{_SUFFIX}")]
        if len(sizes) >= MOST or sum(sizes) + len(data) > LARGEST:
            raise LocalFault(
                later(
                    "{n} measurements wait already, and no more than {most} or {size} MiB may; send them, "
                    "carry them or 'rozaneh share forget'",
                    n=len(sizes),
                    most=MOST,
                    size=LARGEST >> 20,
                )
            )
        fresh = self._path(digest).with_suffix(".new")
        try:
            fresh.touch(mode=0o600)
            fresh.write_bytes(data)
            fresh.replace(self._path(digest))
        except OSError as error:
            raise LocalFault(
                later("cannot keep a measurement in {folder}: {why}", folder=self.folder, why=error.strerror)
            ) from error
        return digest

    def _make(self) -> None:
        try:
            for part in ("waiting", "sent"):
                private_folder(self._of(part))
        except OSError as error:
            raise LocalFault(later("cannot make {folder}: {why}", folder=self.folder, why=error.strerror)) from error

    def _of(self, part: str) -> Path:
        return self.folder / part

    def _path(self, digest: str) -> Path:
        return self.folder / "waiting" / f"{digest}{_SUFFIX}"


def _flat_enough(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise RemoteFault(f"it is nested more than {DEEPEST} deep, as no measurement is")


def _checked(data: bytes, digest: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteFault(f"not JSON: {error}") from error
    _flat_enough(value)
    if not isinstance(value, dict) or digest_of(value) != digest:
        raise RemoteFault("the file is not what its name says")
    return value


def digest_of(measurement: dict[str, Any]) -> str:
    """The digest of what is signed: 32 hexadecimal digits."""
    return hashlib.blake2b(canonical(measurement), digest_size=16).hexdigest()

"""The test lists that a user keeps: those of a signed update, and lists of one's own. Nothing is kept unless asked.

Rozaneh comes with no key for updates, because nobody signs for it yet: whose lists are believed is the user's choice
(:meth:`Lists.trust`). Once chosen, the key cannot be brought in by an update. The bundle is kept as it came and its
signature is checked whenever it is read, so that a changed file on this disk is no list either. The version in hand is
kept beside the keys and only grows, also where keys are changed, so that an old bundle cannot come back that way.
"""

import base64
import binascii
import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.core.private import private_folder
from rozaneh.ooni.listupdate import LARGEST_BUNDLE, BadUpdate, Update, open_update
from rozaneh.ooni.testlists import LARGEST, TestList, read_list
from rozaneh.words import later

MOST_KEYS = 4
"""Keys that are trusted at once: one, and its successor while it is replaced."""

_OWN = re.compile(r"[a-z0-9][a-z0-9_-]{2,39}")
_RESERVED = "global"
_KEY_BYTES = 32
_LARGEST_KEY_FILE = 4096
_SUFFIX = ".csv"


class _Trusted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keys: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MOST_KEYS)] = ()
    newest: Annotated[int, msgspec.Meta(ge=0)] = 0


@dataclass(frozen=True)
class Lists:
    """The lists in a folder.

    Attributes:
        folder: where; made when the first is kept.
    """

    folder: Path

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The public keys whose updates are taken.

        Raises:
            LocalFault: the file with them is damaged. Then no update is taken, rather than an older one.
        """
        return self._trusted().keys

    def trust(self, key: bytes) -> None:
        """Take updates that are signed with a key, too.

        Raises:
            LocalFault: it is no key, there are too many, or it cannot be kept.
        """
        if len(key) != _KEY_BYTES:
            raise LocalFault(later("not a public key of Ed25519"))
        with self._alone():
            kept = self._trusted()
            keys = tuple(dict.fromkeys((*kept.keys, key)))
            if len(keys) > MOST_KEYS:
                raise LocalFault(
                    later(
                        "{most_keys} keys are trusted already; take one back: rozaneh lists distrust KEY",
                        most_keys=MOST_KEYS,
                    )
                )
            self._keep(_Trusted(keys=keys, newest=self._newest(kept)))

    def distrust(self, key: bytes) -> None:
        """Take no more updates that are signed with a key; lists that only it signed are lists no more.

        Raises:
            LocalFault: it is not trusted, or that cannot be kept.
        """
        if key not in self.keys:
            raise LocalFault(later("that key is not trusted anyway"))
        with self._alone():
            kept = self._trusted()
            self._keep(_Trusted(keys=tuple(each for each in kept.keys if each != key), newest=self._newest(kept)))

    def update(self, bundle: bytes) -> Update:
        """Check a bundle and put it in the place of the one in hand, which stays where anything is wrong.

        Raises:
            BadUpdate: it is no bundle, no trusted key signed it, or it is not newer.
            LocalFault: no key is trusted, or it cannot be kept.
        """
        if not self.keys:
            raise LocalFault(
                later(
                    "no key is trusted for test lists, and none comes with Rozaneh: get the public key of "
                    "whoever signs your lists, and name it: rozaneh lists trust FILE"
                )
            )
        with self._alone():  # of two at once the older must not come last
            kept = self._trusted()
            found = open_update(bundle, kept.keys, newest=self._newest(kept))
            self._write("update.json", bundle)
            self._keep(_Trusted(keys=kept.keys, newest=found.version))
        return found

    @property
    def current(self) -> Update | None:
        """The update in hand; none where there is none.

        Raises:
            BadUpdate: its file was changed, or its key is not trusted any more.
            LocalFault: it cannot be read.
        """
        bundle = self._read("update.json", LARGEST_BUNDLE)
        return None if bundle is None else open_update(bundle, self._trusted().keys, newest=0)

    def add(self, name: str, data: bytes) -> TestList:
        """Keep a list of one's own under a name; one of that name is replaced.

        Raises:
            LocalFault: the name is none, the list holds nothing that can be measured, or it cannot be kept.
        """
        if not _OWN.fullmatch(name) or name == _RESERVED:
            raise LocalFault(
                later(
                    "not a name for a list: {name!r}; expected 3 to 40 small letters, digits, - and _, such as mine",
                    name=name[:40],
                )
            )
        found = read_list(data)
        if not found.sites:
            reason = found.left_out[0].reason if found.left_out else "it is empty"
            raise LocalFault(later("no site is left to measure in that list: {reason}", reason=reason))
        self._write(f"own/{name}{_SUFFIX}", data)
        return found

    def remove(self, name: str) -> None:
        """Forget a list of one's own.

        Raises:
            LocalFault: there is none of that name, or it cannot be removed.
        """
        if name not in self.own():
            raise LocalFault(
                later(
                    "no list of yours is called {name!r}; there are: {names}",
                    name=name[:40],
                    names=", ".join(self.own()) or "-",
                )
            )
        path = self._own(name)
        try:
            path.unlink()
        except OSError as error:
            raise LocalFault(later("cannot remove {path}: {why}", path=path, why=error.strerror)) from error

    def own(self) -> list[str]:
        """The names of the lists of one's own."""
        found = sorted(path.stem for path in (self.folder / "own").glob(f"*{_SUFFIX}"))
        return [name for name in found if _OWN.fullmatch(name)]

    def named(self, name: str) -> TestList | None:
        """A list by its name: a country in two small letters, ``global``, or one's own; none where there is none.

        Raises:
            BadUpdate: the update in hand was changed on this disk.
            LocalFault: it cannot be read.
        """
        if name in self.own():
            data = self._read(f"own/{name}{_SUFFIX}", LARGEST)
            return None if data is None else read_list(data)
        current = self.current if _is_of_update(name) else None
        return None if current is None else current.lists.get(name)

    def __iter__(self) -> Iterator[tuple[str, TestList]]:
        """Every list with its name: those of the update, then one's own.

        Raises:
            BadUpdate: the update in hand was changed on this disk.
            LocalFault: one cannot be read.
        """
        current = self.current
        yield from sorted(current.lists.items()) if current else ()
        for name in self.own():
            if (found := self.named(name)) is not None:
                yield name, found

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other program changes the folder."""
        try:
            private_folder(self.folder)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LocalFault(later("cannot use {folder}: {why}", folder=self.folder, why=error.strerror)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _newest(self, kept: _Trusted) -> int:
        """The newest version that was ever in hand: an end between writing the two files forgets none."""
        bundle = self._read("update.json", LARGEST_BUNDLE)
        if bundle is None:
            return kept.newest
        try:
            return max(kept.newest, open_update(bundle, kept.keys, newest=0).version)
        except BadUpdate:
            return kept.newest

    def _trusted(self) -> _Trusted:
        data = self._read("trusted.json", 1 << 16)
        if data is None:
            return _Trusted()
        try:
            return msgspec.json.decode(data, type=_Trusted)
        except msgspec.MsgspecError as error:
            raise LocalFault(
                later(
                    "{path} is damaged ({error}); it says whose lists are believed, so no update is taken. "
                    "Remove it, and name the key again: rozaneh lists trust FILE",
                    path=self.folder / "trusted.json",
                    error=error,
                )
            ) from error

    def _keep(self, trusted: _Trusted) -> None:
        self._write("trusted.json", msgspec.json.encode(trusted))

    def _own(self, name: str) -> Path:
        return self.folder / "own" / f"{name}{_SUFFIX}"

    def _read(self, name: str, largest: int) -> bytes | None:
        path = self.folder / name
        try:
            with open_ordinary(path) as file:
                return file.read(largest + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalFault(later("cannot read {path}: {why}", path=path, why=error.strerror)) from error

    def _write(self, name: str, data: bytes) -> None:
        """Write beside the place, and move there once it is on the disk: an end at any moment leaves it whole."""
        path = self.folder / name
        fresh = path.with_suffix(".new")
        try:
            private_folder(path.parent)
            fresh.touch(mode=0o600)
            with fresh.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            raise LocalFault(later("cannot keep {path}: {why}", path=path, why=error.strerror)) from error


def _is_of_update(name: str) -> bool:
    return name == _RESERVED or (len(name) == 2 and name.isascii() and name.isalpha() and name.islower())


def read_key(text: str) -> bytes:
    """A public key of Ed25519: its 32 bytes in base64, or as ``openssl pkey -pubout`` writes it (PEM).

    Raises:
        LocalFault: it is none.
    """
    stripped = text.strip()
    if len(stripped) > _LARGEST_KEY_FILE:
        raise LocalFault(later("not a public key of Ed25519: too long"))
    try:
        if stripped.startswith("-----"):
            key = load_pem_public_key(stripped.encode())
            if isinstance(key, Ed25519PublicKey):
                return key.public_bytes_raw()
        else:
            data = base64.b64decode(stripped, validate=True)
            if len(data) == _KEY_BYTES:
                return data
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        pass  # one line for every way in which it is none
    raise LocalFault(later("not a public key of Ed25519; expected PEM, or 32 bytes in base64"))

"""What control vantages said earlier, for a time when none can be reached. In memory, and in a file only if asked."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import time

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import open_ordinary
from rozaneh.core.private import private_folder
from rozaneh.diagnosis import Control
from rozaneh.probe.services import Endpoint
from rozaneh.words import later

LONGEST = 24 * 3600
"""Seconds for which an answer may stand in for a vantage. Sites do not move in a day; they may be down by the hour, so
an old answer says that the site exists and worked, with its age, and never more."""

_MOST = 500
_LONGEST_FILE = 1 << 22


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    endpoint: str
    at: float
    control: Control


@dataclass
class Remembered:
    """Answers by endpoint and vantage.

    Attributes:
        now: seconds since the epoch.
    """

    now: Callable[[], float] = time
    _kept: OrderedDict[tuple[str, str], _Kept] = field(default_factory=OrderedDict)

    def keep(self, endpoint: Endpoint, control: Control) -> None:
        """Take note of an answer."""
        key = (endpoint.url, control.vantage)
        self._kept.pop(key, None)
        self._kept[key] = _Kept(
            endpoint=endpoint.url, at=self.now(), control=msgspec.structs.replace(control, answer="")
        )
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def said(self, endpoint: Endpoint, vantage: str) -> Control | None:
        """What a vantage said last, with its age, if that is not too long ago. A clock that went back forgets."""
        kept = self._kept.get((endpoint.url, vantage))
        if kept is None or not self._counts(kept):
            return None
        return msgspec.structs.replace(kept.control, age=max(round(self.now() - kept.at), 1))

    def _counts(self, kept: _Kept) -> bool:
        return 0 <= self.now() - kept.at <= LONGEST

    def write(self, path: Path) -> None:
        """Keep what may still be used in a file that only its owner can read.

        Raises:
            LocalFault: it cannot be written.
        """
        try:
            private_folder(path.parent)
            fresh = path.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_bytes(msgspec.json.encode([each for each in self._kept.values() if self._counts(each)]))
            fresh.replace(path)
        except OSError as error:
            raise LocalFault(
                later("cannot keep the controls' answers in {path}: {why}", path=path, why=error.strerror)
            ) from error

    @classmethod
    def read(cls, path: Path, now: Callable[[], float] = time) -> "Remembered":
        """What a file holds; nothing where there is none, or it is no such file."""
        found = cls(now)
        try:
            with open_ordinary(path) as file:
                data = file.read(_LONGEST_FILE + 1)
            kept = msgspec.json.decode(data[:_LONGEST_FILE], type=list[_Kept])
        except (OSError, msgspec.MsgspecError):
            return found
        for each in kept[-_MOST:]:
            found._kept[each.endpoint, each.control.vantage] = each
        return found

"""The proxy settings of a desktop: turned on for the gateway, and put back as they were.

What was there is written to a file before anything is changed, so that it can be put back after a crash or a loss of
power as well. A setting that does not hold what was set here any more was changed by its user since, and is left alone.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.private import write_private
from rozaneh.words import later

__all__ = ["Desktop", "Setting", "desktop", "environment", "turn_off", "turn_on"]

FILE = "desktop-proxy.json"
_LONGEST = 1 << 16
_PATIENCE = 10.0
_GNOME = {"gnome", "unity", "ubuntu", "cinnamon", "x-cinnamon", "budgie", "pantheon", "pop"}
_SCHEMA = "org.gnome.system.proxy"
_LOCAL = "['localhost', '127.0.0.0/8', '::1']"
_GROUP = "Proxy Settings"
_KDE_FILE = "kioslaverc"


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting.

    Attributes:
        place: where it is: a schema, or a group.
        key: its name.
        before: what it held; empty where it was not set.
        ours: what it is set to.
    """

    place: Annotated[str, msgspec.Meta(max_length=100)]
    key: Annotated[str, msgspec.Meta(max_length=100)]
    before: Annotated[str, msgspec.Meta(max_length=8192)]
    ours: Annotated[str, msgspec.Meta(max_length=200)]


class _Remembered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    desktop: Literal["gnome", "kde"]
    settings: Annotated[tuple[Setting, ...], msgspec.Meta(max_length=32)]


class Desktop(Protocol):
    """A desktop whose settings can be read and written."""

    name: Literal["gnome", "kde"]

    def wanted(self, address: str, port: int) -> Iterator[tuple[str, str, str]]:
        """What to set: place, key and value."""

    def read(self, place: str, key: str) -> str:
        """A setting; empty where it is not set. Raises ``LocalFault``."""

    def write(self, place: str, key: str, value: str) -> None:
        """Set it; an empty value removes it. Raises ``LocalFault``."""

    def put_back(self, place: str, key: str, value: str) -> None:
        """Make it what it was; where that is what it is by itself, nothing is set any more. Raises ``LocalFault``."""


class _Gnome:
    """By ``gsettings``: GNOME and the desktops that share its settings."""

    name: Literal["gnome", "kde"] = "gnome"

    def wanted(self, address: str, port: int) -> Iterator[tuple[str, str, str]]:
        for kind in ("http", "https", "socks"):
            yield f"{_SCHEMA}.{kind}", "host", f"'{address}'"
            yield f"{_SCHEMA}.{kind}", "port", str(port)
        yield _SCHEMA, "ignore-hosts", _LOCAL
        # Last, so that nothing goes to a place that is not whole yet.
        yield _SCHEMA, "mode", "'manual'"

    def read(self, place: str, key: str) -> str:
        return _run("gsettings", "get", place, key)

    def write(self, place: str, key: str, value: str) -> None:
        if value:
            _run("gsettings", "set", place, key, value)
        else:
            _run("gsettings", "reset", place, key)

    def put_back(self, place: str, key: str, value: str) -> None:
        # Nothing tells a value that was set from one that stands in the schema, which another release may change.
        self.write(place, key, "")
        if value and self.read(place, key) != value:
            self.write(place, key, value)


class _Kde:
    """By ``kreadconfig`` and ``kwriteconfig`` of version 6 or 5."""

    name: Literal["gnome", "kde"] = "kde"

    def __init__(self, version: str) -> None:
        self._version = version

    def wanted(self, address: str, port: int) -> Iterator[tuple[str, str, str]]:
        yield _GROUP, "httpProxy", f"http://{address} {port}"
        yield _GROUP, "httpsProxy", f"http://{address} {port}"
        yield _GROUP, "socksProxy", f"socks://{address} {port}"
        yield _GROUP, "NoProxyFor", "localhost,127.0.0.1,::1"
        yield _GROUP, "ProxyType", "1"

    def read(self, place: str, key: str) -> str:
        return _run(f"kreadconfig{self._version}", "--file", _KDE_FILE, "--group", place, "--key", key)

    def write(self, place: str, key: str, value: str) -> None:
        said = [value] if value else ["--delete"]
        _run(f"kwriteconfig{self._version}", "--file", _KDE_FILE, "--group", place, "--key", key, *said)

    def put_back(self, place: str, key: str, value: str) -> None:
        self.write(place, key, value)


def desktop(variables: Mapping[str, str] = os.environ) -> Desktop | None:
    """The desktop that this is; none for one whose settings are not known here, or without its programs."""
    names = set(variables.get("XDG_CURRENT_DESKTOP", "").lower().split(":"))
    path = variables.get("PATH")
    if "kde" in names:
        for version in ("6", "5"):
            if all(shutil.which(f"{kind}config{version}", path=path) for kind in ("kread", "kwrite")):
                return _Kde(version)
    if names & _GNOME and shutil.which("gsettings", path=path):
        return _Gnome()
    return None


def environment(address: str, port: int) -> str:
    """What to paste into a shell where there is no desktop to set: programs of that shell use the gateway then."""
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"export {name}=http://{place}" for name in ("http_proxy", "https_proxy")]
    lines += [f"export all_proxy=socks5h://{place}", "export no_proxy=localhost,127.0.0.1,::1"]
    return "\n".join(lines) + "\n"


def turn_on(found: Desktop, folder: Path, address: str, port: int) -> tuple[Setting, ...]:
    """Set a desktop to the gateway, having written down what was there; what was set.

    Raises:
        LocalFault: it cannot be written down, and nothing has changed; or a setting cannot be made.
    """
    known = _remembered(folder)
    before = {(each.place, each.key): each.before for each in known.settings} if known is not None else {}
    settings = tuple(
        Setting(
            place=place,
            key=key,
            ours=ours,
            # On already, or left so by a crash: what was there then is what is put back.
            before=before[place, key] if (place, key) in before else found.read(place, key),
        )
        for place, key, ours in found.wanted(address, port)
    )
    _write(folder, _Remembered(desktop=found.name, settings=settings))
    for each in settings:
        found.write(each.place, each.key, each.ours)
    return settings


def turn_off(found: Desktop, folder: Path, warn: Callable[[str], None] = lambda _: None) -> bool:
    """Put back what was there; whether anything was to be put back.

    Args:
        found: the desktop.
        folder: the state folder.
        warn: told of each setting that its user has changed since; it is left as it is.

    Raises:
        LocalFault: a setting cannot be put back; the rest waits in the file for another try.
    """
    known = _remembered(folder)
    if known is None:
        return False
    if known.desktop != found.name:
        raise LocalFault(
            later(
                "the settings of {desktop} were changed, and this is {name}; go back there",
                desktop=known.desktop,
                name=found.name,
            )
        )
    # In the opposite order: the switch itself first.
    for each in reversed(known.settings):
        held = found.read(each.place, each.key)
        if held == each.ours:
            found.put_back(each.place, each.key, each.before)
        elif held != each.before:
            warn(f"{each.place} {each.key} was changed since and is left as it is")
    (folder / FILE).unlink(missing_ok=True)
    return True


def _remembered(folder: Path) -> _Remembered | None:
    try:
        return msgspec.json.decode(read_ordinary(folder / FILE, _LONGEST), type=_Remembered)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise LocalFault(
            later("cannot read what the desktop was set to before, in {path}: {error}", path=folder / FILE, error=error)
        ) from error


def _write(folder: Path, remembered: _Remembered) -> None:
    try:
        write_private(folder / FILE, msgspec.json.encode(remembered))
    except OSError as error:
        raise LocalFault(
            later("cannot write down what the desktop is set to ({why}): nothing was changed", why=error.strerror)
        ) from error


def _run(*command: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalFault(later("{command} could not be asked: {error}", command=command[0], error=error)) from error
    if done.returncode:
        raise LocalFault(
            later("{command} failed: {said}", command=" ".join(command[:4]), said=done.stderr.strip()[:200])
        )
    return done.stdout.rstrip("\n")

"""A desktop's proxy settings, with GNOME's and KDE's own programs, and with fake ones that can be made to fail."""

import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rozaneh.core import LocalFault
from rozaneh.gateway.desktop import FILE, Desktop, desktop, environment, turn_off, turn_on

_GSETTINGS = """#!/bin/sh
f="$STORE/$2.$3"
case "$1" in
  get) cat "$f" 2>/dev/null || echo "''" ;;
  set) [ -e "$STORE/broken" ] && [ "$3" = mode ] && { echo no >&2; exit 1; }; printf '%s\\n' "$4" > "$f" ;;
  reset) rm -f "$f" ;;
esac
"""
_KCONFIG = """#!/bin/sh
f="$STORE/$6"
case "$0:$7" in
  *kread*) cat "$f" 2>/dev/null ;;
  *:--delete) rm -f "$f" ;;
  *) printf '%s\\n' "$7" > "$f" ;;
esac
exit 0
"""


@pytest.fixture(params=["gnome", "kde"])
def programs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop of fake programs; the folder in which it keeps its settings."""
    folder, store = tmp_path / "bin", tmp_path / "store"
    folder.mkdir()
    store.mkdir()
    texts = (
        {"gsettings": _GSETTINGS}
        if request.param == "gnome"
        else dict.fromkeys(("kreadconfig5", "kwriteconfig5"), _KCONFIG)
    )
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("STORE", str(store))
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME" if request.param == "gnome" else "KDE")
    mode = "org.gnome.system.proxy.mode" if request.param == "gnome" else "ProxyType"
    (store / mode).write_text("'auto'\n" if request.param == "gnome" else "2\n")
    return store


def settings(store: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in store.iterdir()}


def here() -> Desktop:
    found = desktop()
    assert found is not None
    return found


def test_it_is_set_and_put_back_also_after_a_crash(programs: Path, tmp_path: Path) -> None:
    state, before = tmp_path / "state", settings(programs)
    turn_on(here(), state, "127.0.0.1", 1080)
    on = settings(programs)
    assert "1080" in "".join(on.values())
    assert stat.S_IMODE((state / FILE).stat().st_mode) == 0o600
    # The gateway was killed and started on another port: what is put back is still what the user had.
    turn_on(here(), state, "127.0.0.1", 1090)
    assert "1090" in "".join(settings(programs).values())
    notes: list[str] = []
    assert turn_off(here(), state, notes.append)
    after = {key: value for key, value in settings(programs).items() if value not in ("", "''")}
    assert after == before
    assert notes == []
    assert not (state / FILE).exists()
    assert not turn_off(here(), state)


def test_what_its_user_changed_since_is_left(programs: Path, tmp_path: Path) -> None:
    turn_on(here(), tmp_path, "127.0.0.1", 1080)
    (switch,) = (path for path in programs.iterdir() if path.name.endswith(("mode", "ProxyType")))
    switch.write_text("none-of-ours\n")
    notes: list[str] = []
    assert turn_off(here(), tmp_path, notes.append)
    assert settings(programs)[switch.name] == "none-of-ours"
    assert len(notes) == 1


def test_a_setting_that_cannot_be_made_is_one_line_and_can_be_taken_back(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, before = tmp_path / "state", settings(programs)
    (state).mkdir()
    (state / FILE).write_text("{")
    with pytest.raises(LocalFault, match="cannot read what the desktop was set to"):
        turn_on(here(), state, "127.0.0.1", 1080)
    assert settings(programs) == before
    (state / FILE).unlink()
    if (programs / "org.gnome.system.proxy.mode").exists():
        (programs / "broken").touch()
        with pytest.raises(LocalFault, match="failed: no"):
            turn_on(here(), state, "127.0.0.1", 1080)
        (programs / "broken").unlink()
        assert turn_off(here(), state)
    found = here()
    (state / FILE).write_text(json.dumps({"desktop": "kde" if found.name == "gnome" else "gnome", "settings": []}))
    with pytest.raises(LocalFault, match="go back there"):
        turn_off(found, state)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalFault, match="could not be asked"):
        turn_on(found, tmp_path / "other", "127.0.0.1", 1080)
    assert not (tmp_path / "other" / FILE).exists()
    assert desktop() is None


def test_elsewhere_a_shell_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "sway")
    assert desktop() is None
    assert environment("127.0.0.1", 1080).splitlines()[:3] == [
        "export http_proxy=http://127.0.0.1:1080",
        "export https_proxy=http://127.0.0.1:1080",
        "export all_proxy=socks5h://127.0.0.1:1080",
    ]


_OF_GNOME = (
    ("", "mode", "auto"),
    ("", "autoconfig-url", "http://proxy.example/x.pac"),
    ("", "ignore-hosts", "['intranet.example', '10.0.0.0/8']"),
    (".ftp", "host", "ftp.example"),
    (".http", "port", "3128"),
)
_OF_KDE = (
    ("Proxy Settings", "ProxyType", "2"),
    ("Proxy Settings", "Proxy Config Script", "http://proxy.example/x.pac"),
    ("Other", "kept", "yes"),
)


def told(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout


@contextmanager
def bus(daemon: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session bus of its own, on which the service that keeps GNOME's settings is started."""
    words = (daemon, "--session", "--print-address=1", "--nofork", "--nopidfile")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        assert started.stdout is not None
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", started.stdout.readline().strip())
        try:
            yield
        finally:
            started.terminate()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("XDG_", "GSETTINGS_", "DCONF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_gnome_s_own_settings_come_back_with_what_nobody_had_set_unset(
    peer: Callable[[str], str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gsettings, dconf, schema = peer("gsettings"), peer("dconf"), "org.gnome.system.proxy"
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "GNOME")
    with bus(peer("dbus-daemon"), monkeypatch):
        for place, key, value in _OF_GNOME:
            told(gsettings, "set", f"{schema}{place}", key, value)
        before = told(gsettings, "list-recursively", schema), told(dconf, "dump", "/")
        changed = turn_on(here(), home / "state", "127.0.0.1", 1080)
        assert {each.place for each in changed} == {
            schema,
            *(f"{schema}.{kind}" for kind in ("http", "https", "socks")),
        }
        assert told(gsettings, "get", schema, "mode") == "'manual'\n"
        assert told(gsettings, "get", f"{schema}.socks", "port") == "1080\n"
        assert turn_off(here(), home / "state")
        assert (told(gsettings, "list-recursively", schema), told(dconf, "dump", "/")) == before


def test_kde_s_own_settings_come_back(peer: Callable[[str], str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = peer("kwriteconfig5"), peer("kreadconfig5")
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "KDE")
    for group, key, value in _OF_KDE:
        told(writer, "--file", "kioslaverc", "--group", group, "--key", key, value)
    file = home / ".config" / "kioslaverc"
    before = sorted(file.read_text().split("\n"))
    turn_on(here(), home / "state", "127.0.0.1", 1080)
    asked = (reader, "--file", "kioslaverc", "--group", "Proxy Settings", "--key")
    assert told(*asked, "ProxyType") == "1\n"
    assert told(*asked, "socksProxy") == "socks://127.0.0.1 1080\n"
    assert turn_off(here(), home / "state")
    assert sorted(file.read_text().split("\n")) == before

"""A desktop's proxy settings, against programs that keep what they are told in files."""

import json
import os
import stat
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

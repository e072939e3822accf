"""What lies where a file should be, and is none: a pipe nobody writes to, a folder, a device, more than may be."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.cli.ways import read_given
from rozaneh.core import LocalFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.finder.place import read_salt
from rozaneh.gateway import control, desktop
from rozaneh.gateway.given import open_state, read_ways
from rozaneh.gateway.keeping import read_list
from rozaneh.gateway.stored import WayFile
from rozaneh.gateway.watched import read_watched


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    path.touch(mode=0o600)
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    ("make", "says"),
    [(_pipe, "pipe or a device"), (_folder, "Is a directory"), (_device, "pipe or a device"), (_huge, "larger than")],
)
def test_each_is_one_line_at_once(make: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    make(path)

    def stored(path: Path) -> object:
        return WayFile(path).load()

    def given(path: Path) -> object:
        return read_ways(path, pytest.fail)

    def added(path: Path) -> object:
        return read_given([], str(path))

    readers: list[Callable[[Path], object]] = [stored, given, added, read_list]
    if make is not _huge:  # of which the end is read
        readers.append(read_watched)
    for read in readers:
        with pytest.raises(LocalFault, match=says) as fault:
            read(path)
        assert str(path) in str(fault.value)
        assert "\n" not in str(fault.value)


@pytest.mark.parametrize("make", [_pipe, _folder, _device, _huge])
def test_in_the_state_folder_it_costs_one_line_and_the_gateway_starts(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    said: list[str] = []
    make(tmp_path / "memory.sqlite")
    make(tmp_path / "desktop-proxy.json")
    memory, salt = open_state(tmp_path, said.append)
    memory.close()
    assert (len(salt), len(said)) == (16, 1)
    assert "memory.sqlite" in said[0]
    with pytest.raises(LocalFault, match=r"desktop-proxy\.json"):
        desktop.turn_off(desktop._Gnome(), tmp_path)
    make(tmp_path / "control")
    if make is _folder:
        with pytest.raises(LocalFault, match="rozaneh why cannot ask this gateway"):
            control.listen(tmp_path)
    else:
        control.listen(tmp_path).close()


@pytest.mark.parametrize("make", [_pipe, _folder, _device])
def test_a_key_that_cannot_be_read_is_another_one_for_this_time(make: Callable[[Path], None], tmp_path: Path) -> None:
    said: list[str] = []
    make(tmp_path / "key")
    assert len(read_salt(tmp_path / "key", said.append)) == 16
    assert len(said) == 1
    assert "another one until this program ends" in said[0]


def test_a_pipe_that_a_shell_has_opened_is_read(tmp_path: Path) -> None:
    code = (
        "import pathlib,sys;from rozaneh.core.ordinary import read_ordinary as r;print(r(pathlib.Path(sys.argv[1]),99))"
    )
    line = shlex.join([sys.executable, "-c", code])
    done = subprocess.run(
        ["bash", "-c", f"{line} <(sleep 0.1; echo ss://x) && echo y | {line} /dev/stdin"],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [r"b'ss://x\n'", r"b'y\n'"]
    (tmp_path / "file").write_bytes(b"12345")
    assert read_ordinary(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_ordinary(tmp_path / "file", 4)


def test_what_is_longer_than_the_file_of_ways_may_be_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ways.jsonl"
    path.write_bytes(b"#" * (4 << 20) + b"\n" + b'{"name":"last","kind":"ss","text":"x"}\n')
    path.chmod(0o600)
    before = path.stat().st_size
    with pytest.raises(LocalFault, match="larger than"):
        WayFile(path).remove(["last"])
    assert path.stat().st_size == before

"""Folders for their owner alone, all the way down."""

import multiprocessing
import os
from pathlib import Path

from rozaneh.core.private import private_folder, write_private


def test_what_is_missing_above_is_private_too_and_what_is_there_keeps_its_mode(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        shared = tmp_path / "shared"
        shared.mkdir(mode=0o755)
        private_folder(shared / "rozaneh" / "share" / "waiting")
        private_folder(shared / "rozaneh" / "share")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (shared, *shared.rglob("*"))}
    assert modes == {"shared": 0o755, "rozaneh": 0o700, "share": 0o700, "waiting": 0o700}


def test_two_processes_that_write_the_same_file_leave_one_whole(tmp_path: Path) -> None:
    path, of_one, of_other = tmp_path / "kept", b"a" * 200_000, b"b" * 100_000

    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=_writes, args=(path, data)) for data in (of_one, of_other)]
    for each in others:
        each.start()
    for each in others:
        each.join()
        assert each.exitcode == 0
    assert path.read_bytes() in (of_one, of_other)
    assert list(tmp_path.iterdir()) == [path]


def _writes(path: Path, data: bytes) -> None:
    for _ in range(30):
        write_private(path, data)

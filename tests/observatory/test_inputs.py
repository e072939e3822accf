"""Inputs that are not there, or cannot be read: each is named, and costs no other."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rozaneh.core import LocalFault
from rozaneh.observatory import ingest as ingesting
from rozaneh.observatory.doubles import Keys
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.store import Change, Store
from rozaneh.observatory.window import Window
from tests.observatory.made import web, write
from tests.observatory.stored import NOW


def test_missing_inputs_and_a_second_writer_are_told_in_one_line(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        with pytest.raises(LocalFault, match="no file or directory"):
            ingest([tmp_path / "nothing"], store, NOW)
        with pytest.raises(LocalFault, match="another process"):
            Store(tmp_path / "store")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_input_that_cannot_be_read_is_named_and_costs_no_other(tmp_path: Path, jobs: int) -> None:
    folder = tmp_path / "files"
    write(folder / "a.jsonl", [web(1)])
    (folder / "b.jsonl").symlink_to("/proc/self/mem")  # opens, and gives an error when it is read
    write(folder / os.fsdecode(b"c\xff.jsonl"), [web(2)])
    write(folder / "d.jsonl", [web(3)])
    os.mkfifo(folder / "pipe")
    with Store(tmp_path / "store") as store:
        given = [folder, folder / "pipe", Path("/dev/zero")]
        summary = ingest(given, store, NOW, jobs=jobs)
        assert (summary.files, summary.kept) == (2, 2)
        assert sorted(told.removeprefix(f"{folder}/") for told in summary.unread) == [
            "/dev/zero: it is a pipe or a device, not a file",
            "b.jsonl: Input/output error",
            "c\\udcff.jsonl: the name is not text in UTF-8",
            "pipe: it is a pipe or a device, not a file",
        ]
        assert (again := ingest(given, store, NOW)).skipped == 2
        assert len(again.unread) == 4


def test_a_file_of_a_later_century_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [web(1)])
    os.utime(path, ns=(0, 10_500_000_000 * 10**9))
    with Store(tmp_path / "store") as store:
        assert ingest([path], store, NOW).kept == 1
        assert ingest([path], store, NOW).skipped == 1


def test_a_file_that_goes_away_while_others_are_listed_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [web(1)])
    (found,) = ingesting.inputs([path])
    path.unlink()
    assert found.size
    window = Window(tmp_path, Nobody(), NOW)
    window.read([found])
    assert window.summary.unread == [f"{path}: No such file or directory"]


def test_a_clock_that_is_years_behind_loses_nothing(tmp_path: Path) -> None:
    """What it takes for the future is read once the clock is right; a line of the future among others is set aside."""
    ours = write(tmp_path / "ours.jsonl", [web(1), web(2)])
    mixed = write(tmp_path / "mixed.jsonl", [web(3), web(4, measurement_start_time="2036-01-01 00:00:00")])
    with Store(tmp_path / "store") as store:
        early = ingest([ours, mixed], store, NOW.replace(year=2016))
        assert (early.files, early.kept) == (0, 0)
        assert early.unread == [
            f"{path}: what it holds began later than it is now, which is 2016-01-01 by this machine's clock"
            for path in (ours, mixed)
        ]
        right = ingest([ours, mixed], store, NOW)
        assert (right.files, right.kept, right.rejected, right.unread) == (2, 3, {"impossible time": 1}, [])
        assert ingest([ours, mixed], store, NOW.replace(year=2036)).skipped == 2


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Folders in one another: more than Python calls in one another, and of longer names than a path may have."""
    folder = tmp_path / "files"
    folder.mkdir()
    nested(folder / "many", "d", 1200)
    nested(folder / "long", "d" * 250, 20)
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)  # what pytest sweeps with calls itself for each


def test_a_folder_that_cannot_be_looked_into_is_named_and_costs_no_other(deep: Path, tmp_path: Path) -> None:
    write(deep / "a.jsonl", [web(1)])
    (deep / "loop.jsonl").symlink_to("loop.jsonl")
    with Store(tmp_path / "store") as store:
        summary = ingest([deep], store, NOW)
    assert (summary.files, summary.kept) == (1, 1)
    assert sorted(told.rpartition(": ")[2] for told in summary.unread) == [
        "File name too long",
        "Too many levels of symbolic links",
    ]


def nested(folder: Path, name: str, deep: int) -> None:
    """Folders in one another, and nothing in the last one."""
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


class Nobody:
    """A door that nothing may go through."""

    def new(self, keys: Keys) -> np.ndarray:
        raise AssertionError(keys)

    def commit(self, change: Change) -> None:
        raise AssertionError(change)

    def read(self, size: int) -> None:
        raise AssertionError(size)

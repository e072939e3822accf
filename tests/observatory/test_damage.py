"""A file of a store that is cut off, or somebody else's, is named in a line by every command that meets it."""

import errno
import os
import shutil
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rozaneh.cli.main import main
from rozaneh.core import DamagedFile, LocalFault
from rozaneh.observatory import damage, schema
from rozaneh.observatory.damage import all_told, told
from rozaneh.observatory.dashboard.foreseen import foresee
from rozaneh.observatory.dashboard.opening import Current
from rozaneh.observatory.dashboard.serve import application
from rozaneh.observatory.events import Stored, keep, stored
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.listing import Asked, listed
from rozaneh.observatory.store import Store, files
from tests.observatory.made import reset, web, write
from tests.observatory.stored import NOW


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a day in it, and a file of measurements that it does not have yet."""
    place = tmp_path_factory.mktemp("damage")
    made = [(reset if i % 3 == 0 else web)(i) | {"software_version": f"3.{i % 9}.0"} for i in range(90)]
    with Store(place / "store") as store:
        ingest([write(place / "first.jsonl", made)], store, NOW)
        judge_stale(store)
    write(place / "late.jsonl", [web(1000)])
    return place


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy" / "store"


def damaged(store: Path, table: str, how: str) -> Path:
    """A file of a table, which it damages."""
    path = files(store, table)[0]
    data = bytearray(path.read_bytes())
    match how:
        case "cut off":
            path.write_bytes(data[: len(data) // 2])
        case "empty":
            path.write_bytes(b"")
        case "another table":
            pq.write_table(pa.table({"temperature": [3.5]}), path)
        case "another type":
            kept = pq.read_table(path, partitioning=None)
            place = kept.schema.get_field_index("asn")
            pq.write_table(kept.set_column(place, "asn", pa.array(["AS1"] * kept.num_rows)), path)
        case "wrong inside":
            end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
            data[4:end] = bytes(end - 4)
            path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("table", "command"),
    [
        (schema.OBSERVATIONS, "judge"),
        (schema.DAILY, "judge"),
        (schema.OBSERVATIONS, "ingest late"),
        (schema.HOURLY, "events"),
        (schema.VERDICTS, "verdicts"),
        (schema.OBSERVATIONS, "verdicts --layers"),
        (schema.VERDICTS, "verdicts --out rows.parquet"),
        (schema.CELLS, "publish site"),
        (schema.COUNTRYWIDE, "publish site"),
        (schema.DAILY, "publish site"),
        (schema.CELLS, "serve"),
    ],
)
def test_every_command_names_a_file_that_is_cut_off(
    table: str, command: str, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(store, table, "cut off")
    monkeypatch.chdir(store.parent)
    words = [word.replace("late", "late.jsonl") for word in command.split()]
    monkeypatch.setattr(sys, "argv", ["rozaneh", "observe", *words, "--store", str(store)])
    with pytest.raises(SystemExit) as left:
        main()
    told_of = capsys.readouterr()
    assert left.value.code == 1
    (line,) = told_of.err.splitlines()
    assert line.startswith(f"rozaneh: {path} is no whole file of the table {table}: ")
    assert "'rozaneh observe judge" in line
    assert not told_of.out
    assert not (store.parent / "site").exists()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("empty", "it cannot be read"),
        ("another table", "it has no column measurement"),
        ("another type", "its column asn holds string, not int64"),
        ("wrong inside", "it cannot be read"),
    ],
)
def test_whatever_the_damage_it_is_told(how: str, said: str, store: Path) -> None:
    path = damaged(store, schema.VERDICTS, how)
    with pytest.raises(DamagedFile, match=said) as told_of:
        list(all_told(store, listed(store, Asked())))
    assert str(path) in str(told_of.value)


def test_pages_that_meet_a_damaged_file_do_not_say_where_it_lies(store: Path) -> None:
    heard: list[str] = []
    app = application(Current(store), troubled=heard.append)
    path = damaged(store, schema.DAILY, "wrong inside")
    said: list[MutableMapping[str, Any]] = []

    async def asks() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def hears(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    scope: MutableMapping[str, Any] = {"type": "http", "method": "GET", "path": "/en/index.html", "query_string": b"",
             "headers": [(b"host", b"localhost")]}  # fmt: skip
    anyio.run(app, scope, asks, hears)
    assert said[0]["status"] == 503
    assert str(store).encode() not in said[1]["body"]
    (line,) = heard
    assert line.startswith(f"{path} is no whole file of the table daily: ")


def test_a_file_that_is_replaced_while_others_are_looked_at_is_not_damaged(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [store / "cells" / "gone.parquet"]
    monkeypatch.setattr(damage, "files", lambda _place, _table: there)
    with pytest.raises(OSError, match="No such file"), told(store):
        raise OSError(errno.ENOENT, "No such file")
    there[0].parent.mkdir(exist_ok=True)
    there[0].symlink_to("nowhere")  # it is there, and cannot be read
    with pytest.raises(DamagedFile, match="gone"), told(store):
        raise OSError(errno.ENOENT, "No such file")


def test_what_fails_for_another_reason_stays_what_it_was(store: Path) -> None:
    with pytest.raises(KeyError, match="mine"), told(store):
        raise KeyError("mine")


def test_a_file_where_a_folder_belongs_and_a_pipe_where_a_file_does_are_told(store: Path) -> None:
    for name in (schema.EVENTS, "remainders"):
        (store / name).touch()
    with pytest.raises(LocalFault, match=f"^cannot write {store}/events/events.json: File exists$"):
        keep(store, Stored())
    with pytest.raises(LocalFault, match=f"^cannot write {store}/remainders/IR.parquet: File exists$"):
        foresee(store)
    (store / schema.EVENTS).unlink()
    keep(store, Stored())
    (store / schema.EVENTS / "events.json").unlink()
    os.mkfifo(store / schema.EVENTS / "events.json")  # which would be waited for
    with pytest.raises(LocalFault, match="it is a pipe or a device, not a file; find the events again"):
        stored(store)

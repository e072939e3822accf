"""A change is there as a whole or not at all, wherever its writer dies."""

import datetime as dt
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rozaneh.core import LocalFault
from rozaneh.observatory import schema
from rozaneh.observatory.store import Change, Partition, Store, check_store, files, partitions_of

DAY = Partition("IR", dt.date(2022, 9, 21))


def put(store: Store, number: int) -> tuple[Path, Path]:
    return store.stage(pa.table({"n": [number]})), store.new_file(schema.HOURLY, DAY)


def test_a_change_replaces_files(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(Change(put=[put(store, 1)], stale=[DAY]))
        old = files(tmp_path, schema.HOURLY)
        assert store.stale() == [DAY]
        store.commit(Change(put=[put(store, 2)], drop=old, fresh=[DAY]))
        assert store.stale() == []
        (new,) = files(tmp_path, schema.HOURLY, [DAY])
        assert new not in old


def test_few_rows_and_many_are_packed_in_ways_of_their_own_and_read_alike(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for rows, codec in ((1, "SNAPPY"), (1023, "SNAPPY"), (1024, "ZSTD"), (70_000, "ZSTD")):
            table = pa.table({"n": list(range(rows)), "named": ["x" * (n % 7) for n in range(rows)]})
            file = pq.ParquetFile(store.stage(table))
            assert file.metadata.row_group(0).column(0).compression == codec
            assert file.read().equals(table)


@pytest.mark.parametrize("steps", range(6))
def test_a_writer_that_dies_between_two_steps(tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rename and removal is a step; the writer is gone before step number ``steps``."""

    class Died(BaseException):
        pass

    with Store(tmp_path) as store:
        store.commit(Change(put=[put(store, 1), put(store, 2)]))
        old = files(tmp_path, schema.HOURLY)
    left = steps
    rename, remove = Path.replace, Path.unlink

    def counted_rename(path: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        return rename(path, target)

    def counted_remove(path: Path, *, missing_ok: bool = False) -> None:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        remove(path, missing_ok=missing_ok)

    store = Store(tmp_path)
    change = Change(put=[put(store, 3), put(store, 4)], drop=old)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", counted_rename)
        patched.setattr(Path, "unlink", counted_remove)
        if steps < 4:
            with pytest.raises(Died):
                store.commit(change)
        else:
            store.commit(change)
    store.close()
    with Store(tmp_path):
        now = files(tmp_path, schema.HOURLY)
        assert sorted(now) == sorted(final for _, final in change.put)
        assert list((tmp_path / schema.LEDGER / "staging").iterdir()) == []


def test_what_was_staged_and_never_noted_is_swept(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        put(store, 1)
    with Store(tmp_path) as store:
        assert list(store.staging.iterdir()) == []
    assert files(tmp_path, schema.HOURLY) == []


def ledger(place: Path, statement: str, *values: str) -> None:
    with sqlite3.connect(place / schema.LEDGER / "ledger.sqlite") as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    ("staged", "final"), [(None, "../victim"), (None, "{outside}"), ("ledger/staging/../../../victim", "hourly/x")]
)
def test_a_store_of_somebody_else_moves_and_removes_nothing_of_ours(
    tmp_path: Path, staged: str | None, final: str
) -> None:
    """A ledger that was made to harm whoever opens it, on a stick that went from hand to hand."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with Store(tmp_path / "store"):
        pass
    ledger(
        tmp_path / "store",
        "INSERT INTO pending (staged, final) VALUES (nullif(?, ''), ?)",
        staged or "",
        final.format(outside=victim),
    )
    with pytest.raises(LocalFault, match="names a file outside of it"):
        Store(tmp_path / "store")
    assert victim.read_text() == "mine"


def broken(place: Path) -> None:
    path = place / schema.LEDGER / "ledger.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (broken, "ledger"),
        (lambda place: (place / schema.LEDGER / "ledger.sqlite").write_bytes(b"none" * 1000), "ledger"),
        (lambda place: (place / schema.LEDGER / "format").write_bytes(b"\xff\xfe"), "another version"),
        (lambda place: ledger(place, "INSERT INTO stale VALUES ('/../x', '2022-09-21')"), "ledger"),
        (lambda place: ledger(place, "INSERT INTO stale VALUES ('IR', 'today')"), "ledger"),
    ],
)
def test_a_broken_store_is_told_in_a_line(tmp_path: Path, harm: Callable[[Path], object], said: str) -> None:
    with Store(tmp_path):
        pass
    harm(tmp_path)
    with pytest.raises(LocalFault, match=f"(?s)^(?=.*{said})(?=.*{tmp_path})"), Store(tmp_path) as store:
        store.stale()


def test_a_full_disk_is_told_with_the_name_of_the_store(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.staging.rmdir()
        store.staging.symlink_to("/dev/full/none")
        with pytest.raises(LocalFault, match=f"^cannot write the store {tmp_path}: "):
            put(store, 1)
        store.staging.unlink()
        store.staging.mkdir()
        one = put(store, 1)
        ledger(tmp_path, "CREATE TRIGGER full BEFORE INSERT ON pending BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        with pytest.raises(LocalFault, match=f"^cannot write the store {tmp_path}: .*disk is full"):
            store.commit(Change(put=[one]))
        assert files(tmp_path, schema.HOURLY) == []


def test_what_is_no_store_is_not_made_one_by_reading_it(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="there is no store"):
        check_store(tmp_path)
    with pytest.raises(LocalFault, match="text in UTF-8"):
        Store(tmp_path / os.fsdecode(b"\xff"))
    assert list(tmp_path.iterdir()) == []


def test_directories_that_are_no_partitions_are_passed_over(tmp_path: Path) -> None:
    for name in ("country=..%2f/day=2022-09-21", "country=IR/day=9999-99-99", "country=IR/day=2022-09-21"):
        (tmp_path / schema.OBSERVATIONS / name).mkdir(parents=True)
    assert partitions_of(tmp_path, schema.OBSERVATIONS) == [DAY]

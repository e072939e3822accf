"""A change is there as a whole or not at all, wherever its writer dies."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from rozaneh.observatory import schema
from rozaneh.observatory.store import Change, Partition, Store, files

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

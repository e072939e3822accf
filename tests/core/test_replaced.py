"""A file is replaced as a whole or stays as it was, and every fault is told in a line."""

from pathlib import Path

import pytest

from rozaneh.core import LocalFault
from rozaneh.core.replaced import replaced


def test_what_was_there_stays_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'ن' * 125}.json"  # with a longer name beside it, nothing could be written
    for text in ("first", "second"):
        with replaced(path) as fresh:
            fresh.write_text(text)
            assert not path.exists() or path.read_text() == "first"
    assert path.read_text() == "second"
    with pytest.raises(KeyError, match="the rest"):
        _writes_half(path)
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def _writes_half(path: Path) -> None:
    with replaced(path) as fresh:
        fresh.write_text("half")
        raise KeyError("the rest")


@pytest.mark.parametrize(
    ("name", "said"),
    [("file/x", "Not a directory"), ("gone/x", "No such file or directory"), ("folder", "Is a directory"),
     ("n" * 300, "File name too long")],
)  # fmt: skip
def test_what_cannot_be_written_is_told_with_its_place(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(LocalFault) as told, replaced(tmp_path / name) as fresh:
        fresh.write_bytes(b"x")
    assert str(told.value) == f"cannot write {tmp_path / name}: {said}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]

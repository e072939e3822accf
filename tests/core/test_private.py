"""Folders for their owner alone, all the way down."""

import os
from pathlib import Path

from rozaneh.core.private import private_folder


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

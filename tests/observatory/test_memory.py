import os
from pathlib import Path

import pytest

from rozaneh.observatory.memory import most_memory

WHOLE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
LIMIT = 64 << 20
UNREAL = str(1 << 63)
NONE = "max\n"
LIMITED = f"{LIMIT}\n"


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/\n", {"memory.max": LIMITED}),
        ("0::/\n", {"memory.max": LIMITED, "memory/memory.limit_in_bytes": "1"}),
        ("0::/user/run-1.scope\n", {"user/run-1.scope/memory.max": LIMITED, "memory.max": NONE}),
        ("0::/user/run-1.scope\n", {"user/run-1.scope/memory.max": NONE, "user/memory.max": LIMITED}),
        ("4:memory:/docker/ab\n0::/\n", {"memory/memory.limit_in_bytes": LIMITED}),
        ("9:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": LIMITED, "memory/memory.limit_in_bytes": UNREAL}),
    ],
)
def test_a_limit_of_this_process_or_of_what_it_is_in_counts(groups: str, files: dict[str, str], tmp_path: Path) -> None:
    place = written(tmp_path, {"groups": groups, **files})
    assert most_memory(place / "groups", place) == LIMIT


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (None, {}),
        ("", {}),
        ("0::/\n", {"memory.max": NONE}),
        ("0::/\n", {"memory.max": "a lot\n"}),
        ("0::/\n", {"memory.max": UNREAL}),
        ("no such thing\n:\n\x00\n", {"memory.max": "1"}),
        ("5:cpu:/\n", {"memory.max": "1", "memory/memory.limit_in_bytes": "1"}),
    ],
)
def test_without_a_limit_it_is_what_the_machine_has(groups: str | None, files: dict[str, str], tmp_path: Path) -> None:
    place = written(tmp_path, files if groups is None else {"groups": groups, **files})
    assert most_memory(place / "groups", place) == WHOLE

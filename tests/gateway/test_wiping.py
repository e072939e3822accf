"""What a wipe removes: all that says what somebody did, and nothing of somebody else."""

import re
from pathlib import Path

from rozaneh.gateway.stored import FILE
from rozaneh.gateway.wiping import wipe

SOURCE = Path(__file__).parents[2] / "src" / "rozaneh"


def test_nothing_that_says_what_was_measured_or_reached_is_left(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    for name in (
        "memory.sqlite", "controls.json", "controls.new", "lists/trusted.json", "lists/update.json", "lists/update.new",
        "lists/own/mine.csv", "share/waiting/one.json", "share/sent/two", FILE, "not-ours",
    ):  # fmt: skip
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text("x")
    elsewhere.mkdir()
    (elsewhere / "theirs").write_text("x")
    (state / "share" / "linked").symlink_to(elsewhere)
    assert wipe(state, servers=False).left == ()
    assert sorted(path.name for path in state.rglob("*")) == ["not-ours", FILE]
    (state / "lists").symlink_to(elsewhere)
    wipe(state, servers=True)
    assert sorted(path.name for path in state.rglob("*")) == ["not-ours"]
    assert (elsewhere / "theirs").exists()


def test_whatever_the_commands_keep_in_the_state_folder_is_known_here(tmp_path: Path) -> None:
    """A new file in that folder is to be added to what a wipe removes."""
    kept = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'state_folder\(\) / "([a-z.]+)"', path.read_text(encoding="utf-8"))
    }
    assert {"controls.json", "lists", "share"} <= kept
    for name in kept:
        place = tmp_path / name
        if "." not in name:
            place.mkdir()
            place /= "one"
        place.write_text("x")
    wipe(tmp_path, servers=False)
    assert list(tmp_path.iterdir()) == []

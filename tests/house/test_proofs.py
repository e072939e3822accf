"""Pages that name the test which proves something name one that there is."""

import re
from pathlib import Path

import pytest

_HERE = Path(__file__).parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`")


@pytest.mark.parametrize("page", ["docs/reach-clauses.md", "docs/threats.md"])
def test_every_test_that_is_named_exists(page: str) -> None:
    file, checked = "", 0
    for found in _NAMED.finditer((_HERE / page).read_text()):
        file = found[1] or file
        if not file or found[0] == "``":
            continue
        text = (_HERE / file).read_text()
        assert not found[2] or re.search(rf"(def|class) {found[2]}\b", text), found[0]
        checked += 1
    assert checked > 30

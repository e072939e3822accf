"""The rules of tools/house.py find what they are for."""

from pathlib import Path

import pytest

from tools import house

_SILENCED = "# no" + "qa"
_IGNORED = "# type: ig" + "nore"


@pytest.mark.parametrize(
    "line",
    [
        f"import os  {_SILENCED}",
        f"import os  {_SILENCED}: F401",
        f"x = f()  {_IGNORED}",
        f"x = f()  {_IGNORED}[misc]",
        "# TO" + "DO: later",
        "raise NotImplemented" + "Error",
        "if x:  # pragma: no " + "cover",
        "pytest" + ".skip('no time')",
        "@pytest" + ".mark.xfail",
    ],
)
def test_a_line_that_breaks_a_rule(line: str) -> None:
    assert len(list(house.of_source(Path("src/a.py"), f"{line}\n"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        f"import os  {_SILENCED}: F401 - its import registers the codec",
        f"x = f()  {_IGNORED}[misc]  # the stubs are older than the library",
        "with suppress(NotImplemented" + "Error):",
    ],
)
def test_a_line_that_keeps_the_rules(line: str) -> None:
    assert list(house.of_source(Path("src/a.py"), f"{line}\n")) == []


def test_a_name_that_says_nothing() -> None:
    assert list(house.of_source(Path("src/rozaneh/utils.py"), "")) != []


def test_a_file_too_long_needs_a_decision() -> None:
    assert list(house.of_source(Path("src/rozaneh/long.py"), "x = 1\n" * 501)) != []
    assert list(house.of_source(Path("src/rozaneh/long.py"), "x = 1\n" * 500)) == []


def test_what_belongs_to_one_machine() -> None:
    assert list(house.of_text(Path("docs/a.md"), "see /wo" + "rk/shared/x", set()))
    assert list(house.of_text(Path("docs/a.md"), "get it from mirror.test", {"mirror.test"}))
    assert list(house.of_text(Path("requirements/a.lock"), "--index-url https://mirror.test", set()))
    assert list(house.of_text(Path("docs/a.md"), "files under src/work/x and http://x/root/y", {"mirror.test"})) == []


def test_a_page_names_only_tests_that_exist() -> None:
    here = "tests/house/test_rules.py"
    assert list(house.of_page(Path("docs/a.md"), f"`{here}` `{here}::test_a_name_that_says_nothing`")) == []
    assert len(list(house.of_page(Path("docs/a.md"), f"short\n{'─' * 1_001}\n{'─' * 1_000}\n"))) == 1
    wrong = "`tests/house/no_such.py` and " + f"`{here}::test_no" + "_such`"
    assert len(list(house.of_page(Path("docs/a.md"), wrong))) == 2


def test_a_decision_has_a_number_of_its_own() -> None:
    assert list(house.of_records(["0001-a.md", "0002-b.md"])) == []
    assert list(house.of_records(["0002-c.md", "0001-a.md", "0002-b.md"])) == [
        "docs/adr/0002-c.md: 0002-b.md has that number already"
    ]


def test_what_tests_ask_for_may_be_absent() -> None:
    listed = [{"test": "tests/a/*", "needs": "nginx"}, {"test": "tests/b/test_b.py::test_c*", "needs": "dig"}]
    asks = "".join(f'{how}("{name}")\n' for how, name in (("peer", "nginx"), ("peer", "dig"), ("library", "chdb")))
    assert [line.split()[3] for line in house.of_skips(Path("tests/a/test_a.py"), asks, listed)] == ["chdb,", "dig,"]
    assert list(house.of_skips(Path("tests/b/test_b.py"), asks.splitlines()[1], listed)) == []


@pytest.mark.parametrize(
    "line",
    [
        'LocalFault("no such file")',
        "raise SpecError(\n    f'a line of {n} bytes')",
        'raise LinkError(\n    Kind.NO_LINK,\n    "a web page and no list")',
    ],
)
def test_what_goes_wrong_is_said_so_that_it_can_be_translated(line: str) -> None:
    (wrong,) = house.of_faults(Path("src/rozaneh/cli/a.py"), f"x = 1\n{line}\n")
    assert wrong.startswith("src/rozaneh/cli/a.py:2: ")
    assert not list(house.of_faults(Path("src/rozaneh/lab/a.py"), line))
    beginning = min(line.find(sign) for sign in ('"', "f'") if sign in line)
    mended = f"{line[:beginning]}later({line[beginning:]}"
    assert not list(house.of_faults(Path("src/rozaneh/cli/a.py"), mended))
    assert not list(house.of_faults(Path("src/rozaneh/cli/a.py"), 'LocalFault(f"{path}: {why}")'))

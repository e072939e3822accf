"""What chat apps put around a link, and what hides in one."""

import pytest

from rozaneh.core import SpecError
from rozaneh.links import parse
from rozaneh.links.text import LONGEST_LINE, clean, shown_name

LINK = "ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888"


@pytest.mark.parametrize(
    "around",
    [
        "  {}\t",
        "\u200c{}\u200c",
        "\u200f{}\u200e",
        "\ufeff{}",
        "۱. {}",
        "۱۲- {} ",
        "١) {}",
        "3: {}",
        "• {}",
        "«{}»",
        "<{}>",
        "{} ۲",
        "\u2068{}\u2069",
    ],
)
def test_what_stands_around_a_link_is_taken_off(around: str) -> None:
    assert clean(around.format(LINK)) == LINK
    assert parse(around.format(LINK)) == parse(LINK)


def test_a_name_keeps_its_digits_its_quotes_and_its_zwnj() -> None:
    assert parse(f"{LINK}#سرور می\u200cروم ۲").name == "سرور می\u200cروم ۲"
    assert parse(f"{LINK}#%D8%B3%D8%B1%D9%88%D8%B1%20%DB%B2").name == "سرور ۲"


@pytest.mark.parametrize("hidden", ["\x00", "\x1b", "\n", "\u202e", "\u2066", "\u061c", "\x7f", "\u2028", "\ud800"])
def test_what_cannot_be_seen_is_refused_inside(hidden: str) -> None:
    with pytest.raises(SpecError, match=f"U\\+{ord(hidden):04X}"):
        clean(LINK.replace("@", f"{hidden}@"))


def test_a_hidden_character_in_a_name_is_dropped() -> None:
    assert parse(f"{LINK}#a%E2%80%AEb%0Ac").name == "abc"
    assert len(shown_name("x" * 1000)) == 100


def test_a_line_has_a_bound_in_bytes() -> None:
    assert clean("a" * LONGEST_LINE)
    with pytest.raises(SpecError, match="8192 bytes"):
        clean("ش" * (LONGEST_LINE // 2 + 1))

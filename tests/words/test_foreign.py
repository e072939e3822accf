import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.words import shown


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("plain text", "plain text"),
        ("سلام، دنیا", "سلام، دنیا"),
        ("می\u200cشود", "می\u200cشود"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"),
        ("exe\u202egpj", "exe\\u202egpj"),
        ("\u2066\u2069\u200f", "\\u2066\\u2069\\u200f"),
        ("\u2028\ufeff", "\\u2028\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_controls_are_written_out(text: str, visible: str) -> None:
    assert shown(text) == visible


def test_a_long_text_is_cut() -> None:
    assert shown("x" * 20, longest=5) == "xxxxx…"


@given(st.text(st.characters(), max_size=200))
def test_what_is_shown_can_be_printed_on_one_line(text: str) -> None:
    assert len(shown(text).splitlines()) <= 1
    shown(text).encode("utf-8")

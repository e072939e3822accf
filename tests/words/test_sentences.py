import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import LocalFault, SpecError
from rozaneh.words import Later, Said, Words, later, mark, text_of

_FA, _EN = Words("fa"), Words("en")


def test_a_sentence_is_translated() -> None:
    message = mark("Print the version.")
    assert _EN.say(message) == message
    assert _FA.say(message) == "نسخهٔ برنامه را می‌نویسد."


def test_numbers_are_prose_and_get_persian_digits() -> None:
    assert _FA.say("{a} {b:.1f} {c:,}", a=44, b=0.25, c=1200) == "۴۴ ۰٫۲ ۱٬۲۰۰"
    assert _EN.say("{a} {b:.1f} {c:,}", a=44, b=0.25, c=1200) == "44 0.2 1,200"
    assert _FA.number(0.5, ".0%") == "۵۰٪"


def test_texts_are_copied_and_keep_their_digits_in_an_isolate() -> None:
    assert _FA.say("{address}", address="192.0.2.1:443") == "\u2068192.0.2.1:443\u2069"
    assert _EN.say("{address}", address="192.0.2.1:443") == "192.0.2.1:443"


def test_a_truth_value_is_a_text() -> None:
    assert _EN.say("{x}", x=True) == "True"


def test_plural_forms() -> None:
    assert _EN.say_n("{n} way", "{n} ways", 1) == "1 way"
    assert _EN.say_n("{n} way of {of}", "{n} ways of {of}", 2, of=3) == "2 ways of 3"


def test_what_words_made_is_taken_as_it_is() -> None:
    inner = _FA.say("{host}", host="example.org")
    # In an isolate of its own direction: the first strong letter may stand in an inner one, where UAX #9 does not look.
    assert _FA.say("{inner}", inner=inner) == f"\u2067{inner}\u2069"
    assert isinstance(inner, Said)


def test_without_values_braces_are_text() -> None:
    assert _EN.say("for instance {x}") == "for instance {x}"


@given(st.text())
def test_a_foreign_text_can_neither_steer_the_terminal_nor_turn_the_line_around(text: str) -> None:
    for words in (_EN, _FA):
        said = words.say("<{text}>", text=text)
        inner = said[2:-2] if words.right_to_left else said[1:-1]
        assert not set(inner) & {
            *"\x1b\r\n\x7f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
        }


@pytest.mark.parametrize("words", [_EN, _FA], ids=["en", "fa"])
@given(number=st.integers() | st.floats())
def test_digits_are_those_of_the_language_alone(words: Words, number: float) -> None:
    said = words.say("{n}", n=number)
    assert not set(said) & set("0123456789" if words is _FA else "۰۱۲۳۴۵۶۷۸۹")


def test_every_place_of_a_sentence_is_filled_or_said_to_be_missing() -> None:
    with pytest.raises(KeyError, match="missing"):
        _EN.say("{there} {missing}", there=1)


def test_joiners_of_persian_spelling_stay() -> None:
    assert _FA.say("{x}", x="می‌شود") == "\u2068می‌شود\u2069"


def test_what_an_exception_says_is_said_again_in_the_language_of_who_reads_it() -> None:
    inner = SpecError(later("no way is called {name!r}; 'rozaneh ways list' shows their names", name="x\u202e"))
    fault = LocalFault(later("{path}, line {number}: {fault}", path="/etc/x", number=3, fault=inner))
    assert str(fault) == _EN.again(fault)
    assert str(fault) == r"/etc/x, line 3: no way is called 'x\u202e'; 'rozaneh ways list' shows their names"
    said = _FA.again(fault)
    assert said.startswith("\u2068/etc/x\u2069، سطر ۳: \u2067راهی به نام \u2068'x\\u202e'\u2069 نیست")
    assert said == _FA.again(text_of(fault))
    assert _FA.say("Note: {text}", text=fault) == _FA.say("Note: {text}", text=said)


def test_what_nobody_has_translated_is_said_as_it_is_and_steers_nothing() -> None:
    assert _FA.again(LocalFault("by hand\x1b[2J")) == r"by hand\x1b[2J"
    assert _FA.again(OSError(28, "No space left on device")) == "[Errno 28] No space left on device"
    assert _FA.again(KeyError()) == ""
    assert _FA.again(_FA.say("{a}", a="b")) == "\u2068b\u2069", "what was said already is not said twice"


def test_a_line_for_later_is_plain_english_wherever_it_is_copied_to() -> None:
    line = later("at most {most} addresses are kept", most=5)
    assert isinstance(line, Later)
    for again in (pickle.loads(pickle.dumps(line)), copy.copy(line), copy.deepcopy(line)):  # noqa: S301 - our own
        assert (type(again), again) == (str, "at most 5 addresses are kept")

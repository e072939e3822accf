"""Every word of a verdict has an explanation, in both languages."""

import pytest

from rozaneh.core import LocalFault
from rozaneh.diagnosis import Mechanism, Outcome, layer_rules, rules
from rozaneh.diagnosis.explain import explain, names
from rozaneh.words import Words
from tools import rules as page


@pytest.mark.parametrize("name", names())
def test_every_word_is_explained_in_both_languages(name: str) -> None:
    for each in explain(name):
        for text in (each.title, each.means, each.todo):
            assert text
            assert Words("fa").say(text) != text, "translated"


def test_a_word_that_is_a_verdict_and_a_mechanism_gets_both() -> None:
    assert [each.kind for each in explain("domestic_only")] == ["verdict", "mechanism"]


def test_words_are_read_as_people_write_them() -> None:
    assert explain(" Domestic only ") == explain("domestic_only")
    assert explain("TLS-reset-by-name")[0].rule is not None


def test_a_word_that_is_none_is_one_line_with_the_nearest() -> None:
    with pytest.raises(LocalFault, match=r"did you mean .*tls-reset-by-name"):
        explain("tls-reset-by-nam")


def test_nothing_is_left_out() -> None:
    assert set(names()) == {*map(str, Outcome), *map(str, Mechanism), *(rule.id for rule in (*rules(), *layer_rules()))}


def test_the_page_of_rules_is_what_the_rules_say() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page()
    assert all(f". {rule.id}\n" in page.page() for rule in rules())

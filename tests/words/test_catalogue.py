"""The translations are complete, and the compiled file is what the readable one says."""

from pathlib import Path

from babel.messages.catalog import Catalog

from rozaneh import words
from tools.words import catalogue, findings, rendered

_PO = Path(words.__file__).parent / "locale" / "fa" / "LC_MESSAGES" / "rozaneh.po"


def test_nothing_is_untranslated_and_both_files_are_what_the_source_says() -> None:
    made = catalogue([_PO])
    assert list(findings(made)) == []
    po, mo = rendered(made)
    assert po == _PO.read_bytes()
    assert mo == _PO.with_suffix(".mo").read_bytes()


def test_the_check_finds_what_a_translator_can_get_wrong() -> None:
    wrong = Catalog(locale="fa")
    wrong.add("untranslated")
    wrong.add("place {name}", "جای {nam}")
    wrong.add("yeh", "يک")
    wrong.add("mark", "\u200fنشان")
    wrong.add(("{n} way of {of}", "{n} ways of {of}"), ("{n} راه از {of} {on}",))
    wrong.add(("{n} way", "{n} ways"), ("یک راه",))
    wrong.add(("{n} row in {place}", "{n} rows in {place}"), ("{",))
    wrong.add("again", "یک جملهٔ بلند که یک بار بس است." * 2)
    told = list(findings(wrong))
    assert [line.split(":")[0] for line in told[:1]] == ["not translated"]
    assert "'place {name}' has the places ['name'], its translation ['nam']" in told
    assert "the translation of '{n} row in {place}' is cut off: it has a brace alone" in told
    assert "the translation of 'yeh' has U+064A" in told
    assert "the translation of 'mark' has U+200F" in told
    assert "the translation of 'again' says the same again" in told
    assert len(told) == 7

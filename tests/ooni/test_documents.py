"""A measurement on a line, over many lines, or in a list: each is found once, and what is none costs itself alone."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.ooni import documents as reading
from rozaneh.ooni.documents import documents
from rozaneh.ooni.lines import BadLine, Line, Lines

ONE = {"a": [1, {"b": "}]{["}], "c": {}, "d": 'x"\\'}


def split(text: str) -> list[Line | BadLine]:
    lines = Lines()
    return list(documents(iter([*lines.feed(text.encode()), *lines.end()])))


def found(text: str) -> list[Any]:
    """What is read of each; nothing where it is broken."""
    out = []
    for line in split(text):
        with suppress(ValueError):  # a broken one is told by whoever decodes it
            out.append(json.loads(line.data) if isinstance(line, Line) else None)
    return out


def places(text: str) -> list[tuple[int, int]]:
    return [(line.number, line.offset) for line in split(text)]


def test_one_document_may_stand_on_many_lines() -> None:
    assert split('{\n "a": 1\n}') == [Line(1, b'{\n "a": 1\n}')]


@pytest.mark.parametrize("indent", [None, 0, 1, 4])
@pytest.mark.parametrize("many", [lambda x: x, lambda x: [x], lambda x: [x, x], lambda x: {"results": [x, x]},
                                  lambda x: {"metadata": {"count": 2}, "results": [x, x]}])  # fmt: skip
def test_any_spacing_and_any_list(indent: int | None, many: Any) -> None:
    text = json.dumps(many(ONE), indent=indent)
    expected = [ONE] * text.count('"d"')
    assert found(text) == expected
    assert found(f"{text}\n\n{text}\n") == expected * 2
    for line in split(text):
        assert isinstance(line, Line)
        assert text.encode()[line.offset :].startswith(line.data)
        assert line.number == 1 + text.count("\n", 0, line.offset)


def test_a_list_with_a_measurement_on_each_line() -> None:
    assert places('[\n{"a": 1},\n\n{"b": 2}\n]') == [(2, 2), (4, 13)]
    assert places('[{"a": 1}]\n{"c": 3}') == [(1, 1), (2, 11)]


def test_a_line_that_begins_a_document_and_does_not_go_on_costs_itself_alone() -> None:
    assert split('{\n{"a": 1}\n{"b": 2}') == [Line(1, b"{"), Line(2, b'{"a": 1}', 2), Line(3, b'{"b": 2}', 11)]
    assert split('{"a": "cut\n{"b": 2}')[1:] == [Line(2, b'{"b": 2}', 11)]
    assert split('[\n{"a": 1}\n{"b": 2}')[1:] == [Line(2, b'{"a": 1}', 2), Line(3, b'{"b": 2}', 11)]


def test_what_is_meant_as_one_document_is_one_error() -> None:
    (one,) = split('{\n "a": {},\n "b": 7,,\n}')
    assert isinstance(one, Line)
    for text in ("[\n{", '{\n "a": {\n', "[\n {},\n 5 6\n]", "[1 2]"):
        (bad,) = split(text)
        assert isinstance(bad, BadLine)
        assert (bad.number, bad.offset) == (1, 0)


def test_a_document_that_never_ends_gives_its_lines_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_LINES", 50)
    text = '[\n{"a": 1},\n' + "5,\n" * 200 + '{"b": 2}\n{"c": 3}\n'
    assert {"c": 3} in found(text)
    assert {"b": 2} in found(text)


def test_a_line_that_is_cut_off_in_a_long_text_is_looked_through_once() -> None:
    """With another pattern this takes hours."""
    assert [line.number for line in split('{"body": "' + '\\"' * (1 << 20) + '\\\n{"a": 1}')] == [1, 2]


def test_a_list_of_too_many_parts_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_COMMAS", 3)
    for text in ("[1,1,1,1,1]", '{"results": [1,1,1,1,1]}'):
        assert split(f'{text}\n{{"a": 1}}') == [
            BadLine(1, "a list of too many parts"),
            Line(2, b'{"a": 1}', len(text) + 1),
        ]
    assert found("[1,1,1,1]") == [1] * 4


def test_lines_are_lines() -> None:
    assert split('{"a": 1}\n{"b": 2}') == [Line(1, b'{"a": 1}'), Line(2, b'{"b": 2}', 9)]
    assert list(documents(iter(()))) == []
    assert split("[]") == [Line(1, b"[]")]


@given(
    st.lists(st.sampled_from(['{"a": 1}', "{", "[", "}", "]", '{"a": [', '"', "5", " {}", "{},", "x", ""]), max_size=12)
)
def test_whole_objects_on_lines_of_their_own_are_never_lost(lines: list[str]) -> None:
    """Whatever stands around them, as long as it cannot be read as part of one document with them."""
    good = ['{"z": 1}', '{"z": 2}']
    text = "\n".join([*lines, *good])
    assert [one for one in found(text) if one in ({"z": 1}, {"z": 2})] == [{"z": 1}, {"z": 2}]

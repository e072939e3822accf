import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import Element, Spec, SpecError


def test_reads_from_the_outside_in() -> None:
    spec = Spec.parse(" tlsfrag:1 | split:2,-3;delay=5|tcp")
    assert spec.elements == (Element("tlsfrag", "1"), Element("split", "2,-3;delay=5"), Element("tcp"))


@pytest.mark.parametrize(
    "text", ["tcp", "doh:dns.google@8.8.8.8|tlsfrag:sni|split:2|tcp", "socks5://u:p@[2001:db8::1]:1080|tcp"]
)
def test_prints_what_it_read(text: str) -> None:
    assert str(Spec.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("socks5://user:secret@host:1080|tcp", "socks5://***@host:1080|tcp"),
        ("https://user:secret@host:443?address=1.2.3.4|tcp", "https://***@host:443|tcp"),
        ("https://relay.example:443?address=45.76.10.11|tcp", "https://relay.example:443|tcp"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@host:8388#name|tcp", "ss://***@host:8388|tcp"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0QGhvc3Q6ODM4OA|tcp", "ss://***|tcp"),
        ("socks5://user:sec/ret@host:1080|tcp", "socks5://***|tcp"),
        ("socks5:user:secret@host:1080|tcp", "socks5:***@host:1080|tcp"),
        ("split:2|doh:dns.google@8.8.8.8:443|tcp", "split:2|doh:dns.google@8.8.8.8:443|tcp"),
    ],
)
def test_shows_no_secret(text: str, shown: str) -> None:
    assert Spec.parse(text).redacted() == shown


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("tcp\nsplit", "control characters"),
        ("split:2||tcp", "element 2"),
        ("split:2|", "element 2"),
        ("Split:2|tcp", "element 1"),
        ("split 2|tcp", "element 1"),
        ("|".join(["split:2"] * 17), "17"),
        ("x" * 8193, "8193"),
    ],
)
def test_a_wrong_text_is_named(text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        Spec.parse(text)


@given(st.text())
def test_any_text_is_a_spec_that_prints_itself_or_an_error_of_one_line(text: str) -> None:
    try:
        spec = Spec.parse(text)
    except SpecError as error:
        message = str(error)
    else:
        message = ""
        assert Spec.parse(str(spec)) == spec
    assert "\n" not in message


def test_stacks() -> None:
    outer, inner = Spec((Element("split", "2"),)), Spec.parse("tcp")
    assert str(outer.through(inner)) == "split:2|tcp"
    assert [element.name for element in outer.through(inner)] == ["split", "tcp"]

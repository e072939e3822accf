import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import Element, Spec, SpecError

_NAMES = st.from_regex(r"[a-z][a-z0-9+-]{0,10}", fullmatch=True)
_ARGUMENTS = st.text(string.ascii_letters + string.digits + ",;@[]=.%-", max_size=30)


@given(st.lists(st.builds(Element, _NAMES, _ARGUMENTS), min_size=1, max_size=16))
def test_a_printed_way_reads_back_as_itself(elements: list[Element]) -> None:
    spec = Spec(tuple(elements))
    assert Spec.parse(str(spec)) == spec


def test_the_outermost_element_comes_first() -> None:
    spec = Spec.parse(" tlsfrag:1 | split:2|tcp ")
    assert [str(element) for element in spec] == ["tlsfrag:1", "split:2", "tcp"]
    assert str(Spec.parse("split:2").through(Spec.parse("tcp"))) == "split:2|tcp"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("tcp\n", "control"),
        ("split:2\x00|tcp", "control"),
        ("split:2||tcp", "element 2"),
        ("Split:2", "element 1"),
        ("راه", "element 1"),
        ("|".join(["tcp"] * 17), "at most 16"),
        ("a" * 8193, "at most 8192"),
    ],
)
def test_what_is_no_way_is_refused_with_the_place(text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        Spec.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("split:2|tcp", "split:2|tcp"),
        ("socks5://relay.example:1080|tcp", "socks5://relay.example:1080|tcp"),
        ("socks5://lab:secret@relay.example:1080|tcp", "socks5://***@relay.example:1080|tcp"),
        ("https://relay.example:443?address=192.0.2.1|tcp", "https://relay.example:443|tcp"),
        ("ss://Y2hhY2hhMjA6c2VjcmV0@192.0.2.1:8388#home|tcp", "ss://***@192.0.2.1:8388|tcp"),
        ("ss://Y2hhY2hhMjA6c2VjcmV0QDE5Mi4wLjIuMTo4Mzg4|tcp", "ss://***|tcp"),
        ("socks5://lab:sec/ret@relay.example:1080|tcp", "socks5://***|tcp"),
        ("socks5://relay.example:1080?password=a@secret|tcp", "socks5://***|tcp"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert Spec.parse(text).redacted() == shown


@given(st.text(string.ascii_letters + string.digits + "/?#:@", min_size=8, max_size=20))
def test_no_password_is_shown_however_it_is_written(password: str) -> None:
    assert password not in Spec.parse(f"socks5://user:{password}@relay.example:1080|tcp").redacted()

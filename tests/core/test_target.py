import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import Target, TargetError
from rozaneh.core.target import clean_host


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("example.org", "https://example.org/"),
        ("HTTPS://Example.ORG.:443/a?b#c", "https://example.org/a?b"),
        ("http://example.org:8080", "http://example.org:8080/"),
        ("https://[2001:DB8::1]/x", "https://[2001:db8::1]/x"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/"),
        ("dns://8.8.8.8", "dns://8.8.8.8:53"),
        ("tcp://example.org:443", "tcp://example.org:443"),
        ("https://مثال.example/", "https://xn--mgbh0fb.example/"),
    ],
)
def test_a_target_is_read_and_printed(text: str, printed: str) -> None:
    target = Target.parse(text)
    assert str(target) == printed
    assert Target.parse(printed) == target


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("two words", "spaces"),
        ("ftp://example.org", "scheme 'ftp'"),
        ("tcp://example.org", "needs a port"),
        ("https://example.org:99999", "between 1 and 65535"),
        ("https://example.org:x", "between 1 and 65535"),
        ("https://[::1", "not a target"),
        ("https://", "not a host name"),
        ("https://a..b/", "not a host name"),
        ("https://" + "a" * 64 + ".example", "not a host name"),
        ("https://" + "a." * 130 + "example", "not a host name"),
        ("https://under score/", "spaces"),
        ("x" * 2049, "too long"),
    ],
)
def test_what_is_no_target_is_refused_with_the_part_that_is_wrong(text: str, named: str) -> None:
    with pytest.raises(TargetError, match=named):
        Target.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_a_target_or_a_fault(text: str) -> None:
    try:
        target = Target.parse(text)
    except TargetError:
        return
    assert 0 < target.port < 65536
    assert target.host == clean_host(target.host)


def test_known_addresses_are_part_of_the_value() -> None:
    target = Target.parse("example.org").at("192.0.2.1", "2001:db8::1")
    assert target.addresses == ("192.0.2.1", "2001:db8::1")
    assert not target.is_literal
    assert Target.parse("192.0.2.1").is_literal

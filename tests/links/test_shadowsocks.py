import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import SpecError
from rozaneh.links.shadowsocks import Shadowsocks, parse

LINK = Shadowsocks(method="aes-256-gcm", password="secret", host="192.0.2.1", port=8388)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        # SIP002: user part in base64url, with and without padding
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388#Example%201", {"name": "Example 1"}),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388/?unknown=1&outline=1",
         {"outline": True, "unknown": (("unknown", "1"),)}),
        # SIP002: percent-encoded user part
        ("ss://aes-256-gcm:se%40%3Acret@example.org:8388", {"password": "se@:cret", "host": "example.org"}),
        # the example of SIP002's text, with an AEAD cipher
        ("ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888#Example1",
         {"method": "aes-128-gcm", "password": "test", "host": "192.168.100.1", "port": 8888, "name": "Example1"}),
        # the older form: all in base64
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0QDE5Mi4wLjIuMTo4Mzg4#old", {"name": "old"}),
        # a password with @ and / in it, in the older form
        ("ss://YWVzLTI1Ni1nY206YS9AYkAxOTIuMC4yLjE6ODM4OA==", {"password": "a/@b"}),
        # base64url's own letters
        ("ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTo_Pz8-@[2001:db8::1]:443",
         {"method": "chacha20-ietf-poly1305", "password": "???>", "host": "2001:db8::1", "port": 443}),
        # Outline's prefix: code points 0 to 255 are bytes
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388/?prefix=%16%03%01%00%C2%A8%01%01",
         {"prefix": b"\x16\x03\x01\x00\xa8\x01\x01"}),
    ],
)  # fmt: skip
def test_reads_links(text: str, link: dict[str, object]) -> None:
    found = parse(text)
    expected = {name: getattr(LINK, name) for name in LINK.__struct_fields__} | link
    assert {name: getattr(found, name) for name in found.__struct_fields__} == expected
    assert found.password not in repr(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("http://x", "begins with ss://"),
        ("ss://", "no @"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1", "port is missing"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:99999", "1 and 65535"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@bad host:1", "neither an IP address nor a name"),
        ("ss://!!!@192.0.2.1:8388", "base64"),
        ("ss://rc4-md5:secret@192.0.2.1:8388", r"rc4-md5.*aes-128-gcm"),
        ("ss://2022-blake3-aes-256-gcm:secret@192.0.2.1:8388", "base64|32 bytes"),
        ("ss://aes-256-gcm:@192.0.2.1:8388", "password is missing"),
        ("ss://aes-256-gcm:secret@192.0.2.1:8388?prefix=12345678901234567", "17 bytes"),
        ("ss://aes-256-gcm:secret@192.0.2.1:8388?prefix=%E4%B8%AD", "U\\+00FF"),
        ("ss://aes-256-gcm:secret@[::1:8388", "IPv6 address"),
    ],
)
def test_a_wrong_link_is_named_without_its_password(text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named) as caught:
        parse(text)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_link_or_an_error(text: str) -> None:
    for link in (text, f"ss://{text}", f"ss://aes-256-gcm:x@{text}"):
        try:
            found = parse(link)
        except SpecError:
            continue
        assert 1 <= found.port <= 65535

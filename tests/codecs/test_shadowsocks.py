from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.shadowsocks import (
    LARGEST_CHUNK,
    METHODS,
    Decoder,
    Encoder,
    Link,
    address_header,
    key_from_password,
    parse_link,
)
from rozaneh.core import RemoteFault, SpecError

LINK = Link(method="aes-256-gcm", password="secret", host="192.0.2.1", port=8388)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        # SIP002: user part in base64url, with and without padding
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388#Example%201", {"name": "Example 1"}),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388/?unknown=1&outline=1", {}),
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
    found = parse_link(text)
    expected = {name: getattr(LINK, name) for name in LINK.__struct_fields__} | link
    assert {name: getattr(found, name) for name in found.__struct_fields__} == expected
    assert found.password not in repr(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("http://x", "begins with ss://"),
        ("ss://", "host and port are missing|expected one of|base64"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1", "port is missing"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:99999", "not host:port"),
        ("ss://YWVzLTI1Ni1nY206c2VjcmV0@bad host:1", "not host:port"),
        ("ss://!!!@192.0.2.1:8388", "base64"),
        ("ss://rc4-md5:secret@192.0.2.1:8388", "rc4-md5.*aes-128-gcm"),
        ("ss://2022-blake3-aes-256-gcm:secret@192.0.2.1:8388", "2022-blake3"),
        ("ss://aes-256-gcm:@192.0.2.1:8388", "password is missing"),
        ("ss://aes-256-gcm:secret@192.0.2.1:8388?plugin=obfs-local", "plugin"),
        ("ss://aes-256-gcm:secret@192.0.2.1:8388?prefix=12345678901234567", "17 bytes"),
        ("ss://aes-256-gcm:secret@192.0.2.1:8388?prefix=%E4%B8%AD", "U\\+00FF"),
        ("ss://aes-256-gcm:secret@[::1:8388", "not host:port"),
    ],
)
def test_a_wrong_link_is_named_without_its_password(text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named) as caught:
        parse_link(text)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_link_or_an_error(text: str) -> None:
    for link in (text, f"ss://{text}", f"ss://aes-256-gcm:x@{text}"):
        try:
            found = parse_link(link)
        except SpecError:
            continue
        assert 1 <= found.port <= 65535


def test_keys_are_those_of_openssl() -> None:
    # openssl enc -aes-256-cbc -md md5 -nosalt -k test -P
    assert key_from_password("test", 32).hex() == "098f6bcd4621d373cade4e832627b4f60a9172716ae6428409885b8b829ccb05"
    assert key_from_password("test", 16).hex() == "098f6bcd4621d373cade4e832627b4f6"


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("1.2.3.4", "01010203040050"),
        ("2001:db8::1", "0420010db80000000000000000000000010050"),
        ("example.org", "030b6578616d706c652e6f72670050"),
    ],
)
def test_address_headers(host: str, header: str) -> None:
    assert address_header(host, 80).hex() == header


@pytest.mark.parametrize("name", list(METHODS))
@given(data=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 4000), max_size=5))
def test_what_is_encoded_is_decoded_in_whatever_pieces(name: str, data: bytes, cuts: list[int]) -> None:
    method = METHODS[name]
    key = key_from_password("lab", method.key_size)
    sealed = Encoder(method, key).encode(data)
    places = sorted({0, len(sealed), *(at for at in cuts if at <= len(sealed))})
    decoder = Decoder(method, key)
    assert b"".join(decoder.decode(sealed[start:end]) for start, end in pairwise(places)) == data


def test_a_stream_is_cut_into_chunks() -> None:
    method = METHODS["aes-128-gcm"]
    key = key_from_password("lab", 16)
    encoder, decoder = Encoder(method, key), Decoder(method, key)
    data = bytes(range(256)) * 200
    sealed = encoder.encode(data)
    chunks = -(-len(data) // LARGEST_CHUNK)
    assert len(sealed) == 16 + len(data) + chunks * (2 + 16 + 16)
    assert decoder.decode(sealed) == data
    assert decoder.decode(encoder.encode(b"and on")) == b"and on"


def test_a_known_stream() -> None:
    """Made with the lab's own server code, which shares none of ours."""
    method = METHODS["chacha20-ietf-poly1305"]
    salt = bytes(range(32))
    encoder = Encoder(method, key_from_password("lab", 32), salt=salt)
    sealed = encoder.encode(b"hello")
    assert sealed[:32] == salt
    assert sealed[32:].hex() == "6540db711458ef2ab8f0ca7aaaa826d20bcbcc4f25eb627cff57b078db52ad6f0d22575d705bee"


def test_a_prefix_begins_the_salt() -> None:
    sealed = Encoder(METHODS["aes-256-gcm"], bytes(32), prefix=b"\x16\x03\x01").encode(b"")
    assert sealed.startswith(b"\x16\x03\x01")
    assert len(sealed) == 32


def test_a_wrong_password_or_a_changed_byte_is_a_fault() -> None:
    method = METHODS["aes-256-gcm"]
    sealed = Encoder(method, bytes(32)).encode(b"hello")
    with pytest.raises(RemoteFault, match="another password"):
        Decoder(method, bytes(31) + b"x").decode(sealed)
    with pytest.raises(RemoteFault, match="changed bytes"):
        Decoder(method, bytes(32)).decode(sealed[:-1] + bytes([sealed[-1] ^ 1]))

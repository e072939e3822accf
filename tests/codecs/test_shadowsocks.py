from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.shadowsocks import (
    LARGEST_CHUNK,
    METHODS,
    Decoder,
    Encoder,
    key_from_password,
)
from rozaneh.codecs.socks_address import address_header
from rozaneh.core import RemoteFault


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

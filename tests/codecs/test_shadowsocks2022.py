"""The bytes of SIP022 and SIP023, against a server written here from their text alone."""

from collections.abc import Callable

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.shadowsocks2022 import LARGEST_CHUNK, LATE, METHODS, Decoder, Encoder, session
from rozaneh.codecs.socks_address import address_header
from rozaneh.core import RemoteFault

NOW = 1_790_000_000
ADDRESS = address_header("site.example", 443)
TAG = 16


def opened(name: str, key: bytes, request: bytes, identities: int = 0) -> tuple[bytes, bytes, bytes]:
    """What a server finds in a request: its salt, its heads without padding, its payload."""
    method = METHODS[name]
    salt, rest = request[: method.key_size], request[method.key_size + 16 * identities :]
    sealer = session(method, key, salt)
    fixed, rest = sealer.open(rest[: 11 + TAG]), rest[11 + TAG :]
    assert fixed[0] == 0
    assert int.from_bytes(fixed[1:9], "big") == NOW
    size = int.from_bytes(fixed[9:], "big")
    variable, rest = sealer.open(rest[: size + TAG]), rest[size + TAG :]
    address, variable = variable[: len(ADDRESS)], variable[len(ADDRESS) :]
    padding = int.from_bytes(variable[:2], "big")
    payload = variable[2 + padding :]
    assert payload or 1 <= padding <= 900
    while rest:
        size, rest = int.from_bytes(sealer.open(rest[: 2 + TAG]), "big"), rest[2 + TAG :]
        payload, rest = payload + sealer.open(rest[: size + TAG]), rest[size + TAG :]
    return salt, address, payload


def answer(name: str, key: bytes, request_salt: bytes, pieces: list[bytes], *, when: int = NOW, kind: int = 1) -> bytes:
    method = METHODS[name]
    salt = bytes(reversed(range(method.key_size)))
    sealer = session(method, key, salt)
    first, *others = pieces
    head = bytes([kind]) + when.to_bytes(8, "big") + request_salt + len(first).to_bytes(2, "big")
    out = salt + sealer.seal(head) + sealer.seal(first)
    for piece in others:
        out += sealer.seal(len(piece).to_bytes(2, "big")) + sealer.seal(piece)
    return out


def now() -> float:
    return float(NOW)


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("data", [b"", b"hello", bytes(200_000)], ids=len)
def test_a_request_says_time_address_and_payload(name: str, data: bytes) -> None:
    key = bytes(range(METHODS[name].key_size))
    encoder = Encoder(METHODS[name], [key], ADDRESS, now=NOW)
    request = encoder.encode(data) + encoder.encode(b"more")
    assert opened(name, key, request) == (encoder.salt, ADDRESS, data + b"more")


def test_identity_headers_are_one_block_each() -> None:
    name = "2022-blake3-aes-128-gcm"
    keys = [bytes([n]) * 16 for n in range(3)]
    encoder = Encoder(METHODS[name], keys, ADDRESS, now=NOW, salt=bytes(16))
    request = encoder.encode(b"hello")
    assert opened(name, keys[-1], request, identities=2)[2] == b"hello"
    for place, (key, following) in enumerate([(keys[0], keys[1]), (keys[1], keys[2])]):
        subkey = blake3(key + bytes(16), derive_key_context="shadowsocks 2022 identity subkey").digest(16)
        block = Cipher(algorithms.AES(subkey), modes.ECB()).decryptor()  # noqa: S305 - one block, as SIP023 says
        header = request[16 + 16 * place : 32 + 16 * place]
        assert block.update(header) == blake3(following).digest(16)


@pytest.mark.parametrize("name", list(METHODS))
@given(pieces=st.lists(st.binary(max_size=2000), min_size=1, max_size=4), step=st.integers(1, 500))
def test_a_response_opens_however_it_is_cut(name: str, pieces: list[bytes], step: int) -> None:
    key = bytes(METHODS[name].key_size)
    data = answer(name, key, b"s" * METHODS[name].key_size, pieces)
    decoder = Decoder(METHODS[name], key, b"s" * METHODS[name].key_size, now=now)
    assert b"".join(decoder.decode(data[at : at + step]) for at in range(0, len(data), step)) == b"".join(pieces)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda name, key, salt: answer(name, key, salt[::-1], [b"x"]), "another request"),
        (lambda name, key, salt: answer(name, key, salt, [b"x"], kind=0), "another request"),
        (lambda name, key, salt: answer(name, key, salt, [b"x"], when=NOW - LATE - 1), "another time"),
        (lambda name, key, salt: answer(name, key, salt, [b"x"], when=NOW + LATE + 1), "another time"),
        (lambda name, key, salt: answer(name, key[::-1] + b"", salt, [b"x"])[:-1] + b"!", "fails its check"),
    ],
)
def test_what_could_be_a_recording_is_refused(change: Callable[[str, bytes, bytes], bytes], reason: str) -> None:
    name, key, salt = "2022-blake3-aes-256-gcm", bytes(range(32)), bytes(range(32))
    with pytest.raises(RemoteFault, match=reason):
        Decoder(METHODS[name], key, salt, now=now).decode(change(name, key, salt))


def test_a_chunk_is_as_large_as_its_length_says() -> None:
    assert LARGEST_CHUNK == 65535

"""Datagrams of SIP022 and SIP023, against a server written here from their text alone."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.shadowsocks2022 import LATE
from rozaneh.codecs.shadowsocks2022_udp import METHODS, Association
from rozaneh.codecs.socks_address import address_header
from rozaneh.core import RemoteFault

NOW = 1_790_000_000
ADDRESS = address_header("site.example", 443)
OURS, THEIRS = bytes(range(8)), bytes(range(8, 16))
KEY = bytes(range(32))
CONTEXT = "shadowsocks 2022 session subkey"


def block(key: bytes, data: bytes, *, back: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - as SIP022 says
    work = cipher.decryptor() if back else cipher.encryptor()
    return work.update(data) + work.finalize()


def opened(keys: list[bytes], message: bytes, session: bytes = OURS, now: int = NOW) -> tuple[int, bytes, bytes]:
    """What a server finds: the packet's number, the padding, address and data."""
    head = block(keys[0], message[:16], back=True)
    assert head[:8] == session
    at = 16
    for key, following in pairwise(keys):
        mixed = block(key, message[at : at + 16], back=True)
        assert bytes(one ^ other for one, other in zip(mixed, head, strict=True)) == blake3(following).digest(16)
        at += 16
    subkey = blake3(keys[-1] + session, derive_key_context=CONTEXT).digest(len(keys[-1]))
    plain = AESGCM(subkey).decrypt(head[4:], message[at:], None)
    assert plain[:9] == bytes([0]) + now.to_bytes(8, "big")
    size = int.from_bytes(plain[9:11], "big")
    return int.from_bytes(head[8:], "big"), plain[11 : 11 + size], plain[11 + size :]


@dataclass(frozen=True)
class Answer:
    """What a server sends."""

    number: int = 0
    data: bytes = b""
    kind: int = 1
    when: int = NOW
    padding: int = 3
    key: bytes = KEY
    theirs: bytes = THEIRS
    ours: bytes = OURS
    address: bytes = ADDRESS

    def __bytes__(self) -> bytes:
        head = self.theirs + self.number.to_bytes(8, "big")
        body = bytes([self.kind]) + self.when.to_bytes(8, "big") + self.ours + self.padding.to_bytes(2, "big")
        body += bytes(min(self.padding, 3)) + self.address + self.data
        subkey = blake3(self.key + self.theirs, derive_key_context=CONTEXT).digest(len(self.key))
        return block(self.key, head, back=False) + AESGCM(subkey).encrypt(head[4:], body, None)


def association(*keys: bytes) -> Association:
    return Association(keys or (KEY,), session=OURS)


@pytest.mark.parametrize("keys", [[KEY], [bytes(16)], [KEY, bytes(32)], [b"1" * 16, b"2" * 16, b"3" * 16]])
def test_a_datagram_says_number_time_address_and_data(keys: list[bytes]) -> None:
    ours = association(*keys)
    for number in range(3):
        assert opened(keys, ours.seal(ADDRESS, b"hello", now=NOW + 0.9)) == (number, b"", ADDRESS + b"hello")


def test_lookups_are_padded() -> None:
    ours = association()
    lengths = {len(ours.seal(address_header("8.8.8.8", 53), b"?", now=NOW)) for _ in range(20)}
    assert len(lengths) > 5


def test_a_known_datagram() -> None:
    """Worked out once by the server above, and unchanged since."""
    sealed = Association([bytes(16)], session=OURS).seal(address_header("192.0.2.1", 7), b"abc", now=NOW)
    assert sealed.hex() == KNOWN


KNOWN = "a7b2b08624441aedbb58923b56f7baae68f9e28ecc3d138ebf3f3fba20684394f1ac7ed085827225be262bccfe72621c1ac3deb00b"


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_an_answer_is_taken_once_in_any_order(numbers: list[int]) -> None:
    ours = association()
    taken: list[int] = []
    for number in numbers:
        fresh = number not in taken and (not taken or number > max(taken) - 1024)
        try:
            assert ours.open(bytes(Answer(number, b"x")), now=NOW) == ADDRESS + b"x"
            assert fresh
            taken.append(number)
        except RemoteFault as fault:
            assert not fresh
            assert "there before" in str(fault)  # noqa: PT017 - the fault is what is expected of some


def test_of_sessions_of_the_server_the_two_last_are_known() -> None:
    ours = association()
    for session in (b"1" * 8, b"2" * 8):
        ours.open(bytes(Answer(0, b"", theirs=session)), now=NOW)
        with pytest.raises(RemoteFault, match="there before"):
            ours.open(bytes(Answer(0, b"", theirs=b"1" * 8)), now=NOW)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (bytes(Answer(0, b"", key=bytes(32))), "fails its check"),
        (bytes(Answer(0, b"", kind=0)), "somebody else"),
        (bytes(Answer(0, b"", ours=bytes(8))), "somebody else"),
        (bytes(Answer(0, b"", when=NOW - LATE - 1)), "another time"),
        (bytes(Answer(0, b"", when=NOW + LATE + 1)), "another time"),
        (bytes(Answer(0, b"", padding=9000)), "ends beyond it"),
        (bytes(Answer(0, b""))[:-1], "fails its check"),
        (bytes(Answer(0, b""))[:50], "too short"),
        (b"", "too short"),
    ],
)
def test_what_is_wrong_is_refused_and_says_nothing_of_its_number(message: bytes, why: str) -> None:
    ours = association()
    with pytest.raises(RemoteFault, match=why):
        ours.open(message, now=NOW)
    assert ours.open(bytes(Answer(0, b"x")), now=NOW) == ADDRESS + b"x"


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_bit_can_be_changed(at: int, change: int) -> None:
    message = bytearray(bytes(Answer(5, b"hello")))
    message[at % len(message)] ^= change
    with pytest.raises(RemoteFault):
        association().open(bytes(message), now=NOW)


def test_the_method_with_chacha_is_not_spoken() -> None:
    assert list(METHODS) == ["2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm"]

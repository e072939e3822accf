"""Datagrams of SIP022 and SIP023, against a server written here from their text alone."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings as xchacha

from rozaneh.codecs.shadowsocks2022 import LATE, METHODS, Method
from rozaneh.codecs.shadowsocks2022_udp import Association
from rozaneh.codecs.socks_address import address_header
from rozaneh.core import RemoteFault

NOW = 1_790_000_000
ADDRESS = address_header("site.example", 443)
OURS, THEIRS = bytes(range(8)), bytes(range(8, 16))
KEY = bytes(range(32))
AES, CHACHA = METHODS["2022-blake3-aes-256-gcm"], METHODS["2022-blake3-chacha20-poly1305"]
CONTEXT = "shadowsocks 2022 session subkey"


def block(key: bytes, data: bytes, *, back: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - as SIP022 says
    work = cipher.decryptor() if back else cipher.encryptor()
    return work.update(data) + work.finalize()


def opened(
    keys: list[bytes], message: bytes, session: bytes = OURS, now: int = NOW, method: Method = AES
) -> tuple[int, bytes, bytes]:
    """What a server finds: the packet's number, the padding, address and data."""
    if method is CHACHA:
        whole = xchacha.crypto_aead_xchacha20poly1305_ietf_decrypt(message[24:], None, message[:24], keys[0])
        head, plain = whole[:16], whole[16:]
    else:
        head = block(keys[0], message[:16], back=True)
        at = 16
        for key, following in pairwise(keys):
            mixed = block(key, message[at : at + 16], back=True)
            assert bytes(one ^ other for one, other in zip(mixed, head, strict=True)) == blake3(following).digest(16)
            at += 16
        subkey = blake3(keys[-1] + session, derive_key_context=CONTEXT).digest(len(keys[-1]))
        plain = AESGCM(subkey).decrypt(head[4:], message[at:], None)
    assert head[:8] == session
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
    method: Method = AES

    def __bytes__(self) -> bytes:
        head = self.theirs + self.number.to_bytes(8, "big")
        body = bytes([self.kind]) + self.when.to_bytes(8, "big") + self.ours + self.padding.to_bytes(2, "big")
        body += bytes(min(self.padding, 3)) + self.address + self.data
        if self.method is CHACHA:
            nonce = b"n" * 24
            return nonce + xchacha.crypto_aead_xchacha20poly1305_ietf_encrypt(head + body, None, nonce, self.key)
        subkey = blake3(self.key + self.theirs, derive_key_context=CONTEXT).digest(len(self.key))
        return block(self.key, head, back=False) + AESGCM(subkey).encrypt(head[4:], body, None)


def association(*keys: bytes, method: Method = AES) -> Association:
    return Association(method, keys or (KEY,), session=OURS)


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        (AES, [KEY]),
        (METHODS["2022-blake3-aes-128-gcm"], [bytes(16)]),
        (AES, [KEY, bytes(32)]),
        (METHODS["2022-blake3-aes-128-gcm"], [b"1" * 16, b"2" * 16, b"3" * 16]),
        (CHACHA, [KEY]),
    ],
)
def test_a_datagram_says_number_time_address_and_data(method: Method, keys: list[bytes]) -> None:
    ours = association(*keys, method=method)
    seen = set()
    for number in range(3):
        sealed = ours.seal(ADDRESS, b"hello", now=NOW + 0.9)
        assert opened(keys, sealed, method=method) == (number, b"", ADDRESS + b"hello")
        seen.add(sealed[:16])
    assert len(seen) == 3, "the first bytes of no two are the same"


def test_lookups_are_padded() -> None:
    for method in (AES, CHACHA):
        ours = association(method=method)
        lengths = {len(ours.seal(address_header("8.8.8.8", 53), b"?", now=NOW)) for _ in range(20)}
        assert len(lengths) > 5


def test_a_known_datagram() -> None:
    """Worked out once by the server above, and unchanged since."""
    method = METHODS["2022-blake3-aes-128-gcm"]
    sealed = Association(method, [bytes(16)], session=OURS).seal(address_header("192.0.2.1", 7), b"abc", now=NOW)
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


@pytest.mark.parametrize("method", [AES, CHACHA])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(key=bytes(32)), "fails its check"),
        (Answer(kind=0), "somebody else"),
        (Answer(ours=bytes(8)), "somebody else"),
        (Answer(when=NOW - LATE - 1), "another time"),
        (Answer(when=NOW + LATE + 1), "another time"),
        (Answer(padding=9000), "ends beyond it"),
    ],
)
def test_what_is_wrong_is_refused_and_says_nothing_of_its_number(answer: Answer, why: str, method: Method) -> None:
    ours = association(method=method)
    with pytest.raises(RemoteFault, match=why):
        ours.open(bytes(replace(answer, method=method)), now=NOW)
    assert ours.open(bytes(Answer(0, b"x", method=method)), now=NOW) == ADDRESS + b"x"
    with pytest.raises(RemoteFault, match="there before"):
        ours.open(bytes(Answer(0, b"x", method=method)), now=NOW)


@pytest.mark.parametrize("method", [AES, CHACHA])
def test_what_is_cut_short_is_refused(method: Method) -> None:
    whole = bytes(Answer(method=method))
    for size in range(len(whole)):
        with pytest.raises(RemoteFault, match=r"too short|fails its check"):
            association(method=method).open(whole[:size], now=NOW)


@given(st.sampled_from([AES, CHACHA]), st.integers(0, 400), st.integers(1, 255))
def test_no_bit_can_be_changed(method: Method, at: int, change: int) -> None:
    message = bytearray(bytes(Answer(5, b"hello", method=method)))
    message[at % len(message)] ^= change
    with pytest.raises(RemoteFault):
        association(method=method).open(bytes(message), now=NOW)
